using System.Diagnostics;

namespace TrtTools.Debugging;

/// <summary>Thrown inside a search when it has made as many checks as it may.</summary>
internal sealed class CheckLimitException : Exception;

/// <summary>Makes the checks of one search: looks them up in the replay file, runs and times the others, and writes down each.</summary>
internal sealed class CheckSession(ReplayFile replay, int limit, Report report, CancellationToken stop)
{
    private readonly List<DebugCheck> _checks = [];
    private readonly HashSet<string> _made = new(StringComparer.Ordinal);

    public IReadOnlyList<DebugCheck> Checks => _checks;

    public CancellationToken Stop => stop;

    /// <summary>The verdict of one candidate. <paramref name="run"/> makes the candidate and calls the check.</summary>
    /// <param name="key">Names the candidate in the replay file.</param>
    public CheckVerdict Check(string key, string stage, int count, Func<CheckVerdict> run)
    {
        stop.ThrowIfCancellationRequested();
        bool replayed = replay.TryGet(key, out CheckVerdict verdict, out double seconds);
        if (_made.Contains(key)) return verdict;
        if (limit > 0 && _checks.Count >= limit) throw new CheckLimitException();
        if (!replayed)
        {
            Stopwatch clock = Stopwatch.StartNew();
            verdict = run();
            stop.ThrowIfCancellationRequested();
            seconds = clock.Elapsed.TotalSeconds;
            replay.Add(key, verdict, seconds);
        }
        _made.Add(key);
        DebugCheck check = new() { Index = _checks.Count + 1, Stage = stage, Candidate = key, Count = count, Outcome = verdict.Outcome, Reason = verdict.Reason, Seconds = Math.Round(seconds, 3), Replayed = replayed };
        _checks.Add(check);
        report.Verbose($"Check {check.Index} ({stage}), {key}: {verdict.Outcome.ToString().ToLowerInvariant()}{(verdict.Reason.Length > 0 ? $", {verdict.Reason.TrimEnd('.')}" : "")}{(replayed ? ", from the replay file" : "")}.");
        return verdict;
    }
}
