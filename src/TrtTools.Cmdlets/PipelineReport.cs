using System.Collections.Concurrent;
using System.Diagnostics;
using System.Management.Automation;

namespace TrtTools.Cmdlets;

/// <summary>Takes what a worker reports and queues it for the pipeline's thread, the only one that may write.</summary>
internal sealed class PipelineReport(BlockingCollection<Action<TrtCmdlet>> queue) : Report
{
    /// <summary>All bars of this module: a later activity replaces the one before.</summary>
    public const int ProgressId = 1_414_681_684;

    private const int MinimumIntervalMs = 100;
    private readonly Lock _gate = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private string? _activity;
    private double _fraction;
    private long _startMs;
    private long _lastShownMs = -MinimumIntervalMs;

    /// <summary>The activity whose bar is on the screen.</summary>
    public string? Shown { get; private set; }

    public override void Progress(string activity, string status, double fraction, TimeSpan? remaining = null)
    {
        lock (_gate)
        {
            if (!string.Equals(activity, _activity, StringComparison.Ordinal))
            {
                _activity = activity;
                _fraction = 0;
                _startMs = _clock.ElapsedMilliseconds;
            }
            bool known = !double.IsNaN(fraction);
            _fraction = known ? Math.Max(_fraction, Math.Clamp(fraction, 0, 1)) : _fraction;
            long now = _clock.ElapsedMilliseconds;
            if (now - _lastShownMs < MinimumIntervalMs) return;
            _lastShownMs = now;
            ProgressRecord record = new(ProgressId, activity, status.Length == 0 ? " " : status)
            {
                PercentComplete = known || _fraction > 0 ? (int)(100 * _fraction) : -1,
                SecondsRemaining = Remaining(remaining, now - _startMs),
            };
            Shown = activity;
            Post(cmdlet => cmdlet.WriteProgress(record));
        }
    }

    public override void Verbose(string message) => Post(cmdlet => cmdlet.WriteVerbose(message));

    public override void Debug(string message) => Post(cmdlet => cmdlet.WriteDebug(message));

    public override void Warning(string message) => Post(cmdlet => cmdlet.WriteWarning(message));

    /// <summary>Runs something on the pipeline's thread and gives its result to the worker that asks.</summary>
    public T Ask<T>(Func<TrtCmdlet, T> question, CancellationToken stop)
    {
        TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration registration = stop.Register(() => answer.TrySetCanceled(stop));
        bool asked = Post(cmdlet =>
        {
            try { answer.TrySetResult(question(cmdlet)); }
            catch (Exception e) { answer.TrySetException(e); }
        });
        if (!asked) throw new OperationCanceledException(stop);
        return answer.Task.GetAwaiter().GetResult();
    }

    private int Remaining(TimeSpan? given, long elapsedMs)
    {
        if (given is { } time) return (int)Math.Min(int.MaxValue, Math.Ceiling(Math.Max(0, time.TotalSeconds)));
        return _fraction < 0.02 || elapsedMs < 500 ? -1 : (int)Math.Min(int.MaxValue, Math.Ceiling(elapsedMs / 1000.0 * (1 - _fraction) / _fraction));
    }

    // The queue closes when the pipeline has been stopped; a worker that goes on until its next look at the token then talks to nobody.
    private bool Post(Action<TrtCmdlet> action)
    {
        try
        {
            queue.Add(action);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
