using System.Globalization;
using System.Text;

namespace TrtTools.Surgery;

/// <summary>A cmdlet's parameters as one line of a graph's history.</summary>
internal sealed class HistoryText
{
    private readonly StringBuilder _text = new();

    public HistoryText Add(string parameter, IEnumerable<string>? values)
    {
        string[] all = values is null ? [] : [.. values];
        if (all.Length == 0) return this;
        Begin(parameter).Append(' ').AppendJoin(", ", all.Take(8));
        if (all.Length > 8) _text.Append(CultureInfo.InvariantCulture, $", … {all.Length - 8} more");
        return this;
    }

    public HistoryText Add(string parameter, string? value) => Add(parameter, string.IsNullOrEmpty(value) ? null : [value]);

    public HistoryText Add(string parameter, bool given)
    {
        if (given) Begin(parameter);
        return this;
    }

    private StringBuilder Begin(string parameter) => (_text.Length > 0 ? _text.Append(' ') : _text).Append('-').Append(parameter);

    public override string ToString() => _text.ToString();
}
