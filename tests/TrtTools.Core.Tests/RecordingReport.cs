namespace TrtTools.Tests;

/// <summary>Keeps what was reported.</summary>
internal sealed class RecordingReport : Report
{
    public List<string> Warnings { get; } = [];

    public List<string> Messages { get; } = [];

    public List<double> Fractions { get; } = [];

    public override void Progress(string activity, string status, double fraction, TimeSpan? remaining = null) { lock (this) Fractions.Add(fraction); }

    public override void Verbose(string message) { lock (this) Messages.Add(message); }

    public override void Debug(string message) { lock (this) Messages.Add(message); }

    public override void Warning(string message) { lock (this) Warnings.Add(message); }
}
