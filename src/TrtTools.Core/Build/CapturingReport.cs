namespace TrtTools.Build;

/// <summary>Passes everything on, and keeps the warnings for the engine's record.</summary>
internal sealed class CapturingReport(Report inner, List<string> warnings) : Report
{
    public override void Progress(string activity, string status, double fraction, TimeSpan? remaining = null) => inner.Progress(activity, status, fraction, remaining);

    public override void Verbose(string message) => inner.Verbose(message);

    public override void Debug(string message) => inner.Debug(message);

    public override void Warning(string message)
    {
        lock (warnings) warnings.Add(message);
        inner.Warning(message);
    }
}
