using System.Diagnostics;
using System.Globalization;

namespace TrtTools.Tactics;

/// <summary>Where a build's seconds go: phases that its thread spends, and work that other threads did meanwhile. For reports alone; nothing is decided by it.</summary>
internal sealed class PhaseClock
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (double Seconds, long Count)> _phases = new(StringComparer.Ordinal);
    private readonly List<string> _order = [];

    /// <summary>Counts the time until the result is disposed. Called on any thread; a phase in another counts in both.</summary>
    public Running Time(string phase) => new(this, phase);

    public void Add(string phase, double seconds, long count = 1)
    {
        lock (_gate)
        {
            if (!_phases.TryGetValue(phase, out (double Seconds, long Count) known)) _order.Add(phase);
            _phases[phase] = (known.Seconds + seconds, known.Count + count);
        }
    }

    /// <summary>Such as "lowering 0.8 s; timing 12.1 s (872)".</summary>
    public override string ToString()
    {
        lock (_gate) return string.Join("; ", _order.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p} {_phases[p].Seconds:0.00} s{(_phases[p].Count > 1 ? $" ({_phases[p].Count})" : "")}")));
    }

    internal readonly struct Running(PhaseClock clock, string phase) : IDisposable
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        public void Dispose() => clock.Add(phase, Stopwatch.GetElapsedTime(_start).TotalSeconds);
    }
}
