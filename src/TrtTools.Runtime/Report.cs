namespace TrtTools;

/// <summary>Where long work tells how far it is. Calls may come from any thread; the receiver marshals them.</summary>
public abstract class Report
{
    /// <summary>Drops everything.</summary>
    public static Report None { get; } = new Nothing();

    /// <param name="activity">What runs, such as "Calibrating".</param>
    /// <param name="status">Where it is, such as "sample 12 of 128".</param>
    /// <param name="fraction">0 to 1, or NaN when unknown.</param>
    /// <param name="remaining">Estimate of the time left, if there is one.</param>
    public abstract void Progress(string activity, string status, double fraction, TimeSpan? remaining = null);

    /// <summary>One line per stage or pass.</summary>
    public abstract void Verbose(string message);

    /// <summary>One line per node or tactic.</summary>
    public abstract void Debug(string message);

    /// <summary>The result is worse than asked: which part, and why.</summary>
    public abstract void Warning(string message);

    private sealed class Nothing : Report
    {
        public override void Progress(string activity, string status, double fraction, TimeSpan? remaining = null) { }
        public override void Verbose(string message) { }
        public override void Debug(string message) { }
        public override void Warning(string message) { }
    }
}
