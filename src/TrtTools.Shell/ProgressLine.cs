using System.Globalization;
using System.Management.Automation;

namespace TrtTools.Shell;

/// <summary>A progress record as one line that fits the terminal.</summary>
internal static class ProgressLine
{
    private const int BarWidth = 20;

    public static string Render(ProgressRecord record, int width)
    {
        string bar = "";
        if (record.PercentComplete >= 0)
        {
            int filled = BarWidth * Math.Clamp(record.PercentComplete, 0, 100) / 100;
            bar = string.Create(CultureInfo.InvariantCulture, $" [{new string('#', filled)}{new string('.', BarWidth - filled)}] {record.PercentComplete,3}%");
        }
        string remaining = record.SecondsRemaining >= 0 ? " " + TimeSpan.FromSeconds(record.SecondsRemaining).ToString(record.SecondsRemaining >= 3600 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture) : "";
        string line = $"{record.Activity}{bar}{remaining} {record.StatusDescription?.Trim()} {record.CurrentOperation?.Trim()}".TrimEnd().ReplaceLineEndings(" ");
        return line.Length <= width ? line : line[..(width - 1)] + "…";
    }
}
