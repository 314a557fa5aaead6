using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>What a device timer needs of the build.</summary>
internal sealed record DeviceTimerOptions
{
    public required TacticContext Context { get; init; }

    /// <summary>A handle of the device; the receiver disposes it.</summary>
    public required Func<IDevice> Open { get; init; }

    /// <summary>Called on several threads at a time.</summary>
    public required Func<KernelSource, CompiledSource> Compile { get; init; }

    /// <summary>Adapters that live longer than a trial.</summary>
    public Func<string, string, ILibraryAdapter> Library { get; init; } = LibraryAdapters.Create;

    public required TimingCache Cache { get; init; }

    /// <summary>Device, driver and compiler: whatever is the same for all entries of this build and may change a time.</summary>
    public required string Environment { get; init; }

    public long L2Bytes { get; init; } = 50L << 20;

    /// <summary>Seconds after which nothing more is timed; null: no limit.</summary>
    public double? TimeBudget { get; init; }
}

/// <summary>
/// Times tactics through the runtime itself: each is a small plan whose launches are replayed as a graph, with weights that are not in the cache. Every tactic is held against the generated
/// kernels on random data first.
/// </summary>
internal sealed class DeviceTimer(DeviceTimerOptions options) : ITacticTimer
{
    /// <summary>Measured runs of a candidate; each is many launches.</summary>
    private const int Runs = 15;
    private const int MostCopies = 48, FewestRounds = 8;

    /// <summary>Runs of a candidate are made longer up to this, or shorter, by launching less often.</summary>
    private const double RunMs = 2, SlowMs = 200;

    /// <summary>Runs from the first measurement on.</summary>
    private readonly Stopwatch _clock = new();
    private readonly SemaphoreSlim _threads = new(Math.Max(1, Environment.ProcessorCount));
    private readonly Dictionary<KernelSource, Task<CompiledSource>> _compiled = [];

    /// <summary>Candidates that were run on the device, for reports.</summary>
    public int Timed { get; private set; }

    /// <summary>Starts to compile what has no time yet, in the order that it will be asked for.</summary>
    public void Announce(IEnumerable<(Region Region, IReadOnlyList<Tactic> Tactics)> regions, CancellationToken stop)
    {
        foreach ((Region region, IReadOnlyList<Tactic> tactics) in regions)
        {
            if (tactics.Count < 2 || !TrialData.IsKnown(region, tactics, options.Context)) continue;
            foreach (Tactic tactic in tactics)
            {
                if (options.Cache.Contains(KeyOf(region, tactic))) continue;
                foreach (KernelSource source in SourcesOf(tactic)) Start(source, stop);
            }
        }
    }

    private static IEnumerable<KernelSource> SourcesOf(Tactic tactic) => tactic.Launches.OfType<KernelTacticLaunch>().Select(l => l.Launch.Source).Distinct();

    private string KeyOf(Region region, Tactic tactic) => $"{options.Environment}/{TacticTrial.Signature(region, tactic, options.Context, options.Environment)}";

    private Task<CompiledSource> Start(KernelSource source, CancellationToken stop)
    {
        if (_compiled.TryGetValue(source, out Task<CompiledSource>? known)) return known;
        Task<CompiledSource> task = Task.Run(async () =>
        {
            await _threads.WaitAsync(stop).ConfigureAwait(false);
            try
            {
                return options.Compile(source);
            }
            finally
            {
                _threads.Release();
            }
        }, stop);
        _compiled.Add(source, task);
        return task;
    }

    /// <summary>The tactic's kernels; what does not compile is an error.</summary>
    private IReadOnlyDictionary<KernelSource, CompiledSource> KernelsOf(Tactic tactic, CancellationToken stop)
    {
        KernelSource[] sources = [.. SourcesOf(tactic)];
        foreach (KernelSource source in sources) Start(source, stop);
        return sources.ToDictionary(s => s, s => Start(s, stop).GetAwaiter().GetResult());
    }

    public IReadOnlyList<TacticTime>? Measure(LoweredProgram program, RegionStep step, IReadOnlyList<Tactic> tactics, CancellationToken stop)
    {
        Region region = step.Region;
        if (!TrialData.IsKnown(region, tactics, options.Context)) return null;
        string[] keys = [.. tactics.Select(t => KeyOf(region, t))];
        TacticTime?[] times = [.. keys.Select(options.Cache.Find)];
        if (times.All(t => t is not null)) return times!;
        _clock.Start();
        if (options.TimeBudget is { } budget && _clock.Elapsed.TotalSeconds > budget) return null;
        using TrialData data = new(options, region, tactics);
        Tactic reference = tactics.FirstOrDefault(t => string.Equals(t.Name, GeneratedTactics.TacticName, StringComparison.Ordinal)) ?? tactics[^1];
        IReadOnlyList<byte[]>? expected = null;
        double best = double.MaxValue;
        for (int i = 0; i < tactics.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            if (times[i] is { } known)
            {
                if (known.IsUsable) best = Math.Min(best, known.MedianMs);
                continue;
            }
            expected ??= data.Run(reference, KernelsOf(reference, stop), stop);
            times[i] = MeasureOne(region, tactics[i], reference, expected, data, best, stop);
            if (times[i]!.IsUsable) best = Math.Min(best, times[i]!.MedianMs);
            options.Cache.Add(keys[i], times[i]!);
            Timed++;
        }
        return times!;
    }

    private TacticTime MeasureOne(Region region, Tactic tactic, Tactic reference, IReadOnlyList<byte[]> expected, TrialData data, double best, CancellationToken stop)
    {
        try
        {
            IReadOnlyDictionary<KernelSource, CompiledSource> kernels = KernelsOf(tactic, stop);
            if (!ReferenceEquals(tactic, reference))
            {
                IReadOnlyList<byte[]> actual = data.Run(tactic, kernels, stop);
                if (TrialComparison.Problem(region, tactic, data.OutputsOf(tactic), data.OutputsOf(reference), actual, expected) is { } problem) return new TacticTime(0, 0, 0, problem);
            }
            return Time(tactic, data, kernels, best, stop);
        }
        catch (TrtToolsException e) when (e.Code is not ErrorCode.Cancelled)
        {
            // A launch that fails may take the context with it; then the next trial says so, and nothing is hidden.
            return new TacticTime(0, 0, 0, e.Message);
        }
    }

    private TacticTime Time(Tactic tactic, TrialData data, IReadOnlyDictionary<KernelSource, CompiledSource> kernels, double best, CancellationToken stop)
    {
        // One launch tells how long a run may be.
        using (TrialRun first = data.Start(tactic, kernels, 1, stop))
        {
            first.Execute(stop);
            double once = first.Execute(stop);
            if (once > SlowMs || once > 20 * best && once > 1) return new TacticTime(once, once, once);
        }
        int copies = data.CopiesFor(tactic, options.L2Bytes, MostCopies), rounds = Math.Max(FewestRounds, copies);
        using TrialRun run = data.Start(tactic, kernels, rounds, stop);
        // The second run of a shape is captured, the third is the first replay.
        for (int i = 0; i < 3; i++) run.Execute(stop);
        double[] times = new double[Runs];
        for (int i = 0; i < Runs; i++)
        {
            stop.ThrowIfCancellationRequested();
            times[i] = run.Execute(stop) / rounds;
            // Long runs are steady: fewer of them do.
            if (i >= 2 && times[i] * rounds > 10 * RunMs) return Of(times.AsSpan(0, i + 1));
        }
        return Of(times);
    }

    /// <summary>The median with an interval of order statistics: the fourth and the fourth last of fifteen hold it in 96 of 100 cases.</summary>
    private static TacticTime Of(ReadOnlySpan<double> times)
    {
        double[] sorted = times.ToArray();
        Array.Sort(sorted);
        int cut = sorted.Length >= Runs ? 3 : 0;
        double Rounded(double value) => Math.Round(value, 7);
        return new TacticTime(Rounded(sorted[sorted.Length / 2]), Rounded(sorted[cut]), Rounded(sorted[^(cut + 1)]));
    }
}
