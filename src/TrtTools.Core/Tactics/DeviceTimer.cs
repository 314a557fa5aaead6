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

    /// <summary>Compiles the kernels that compare large results on the device; null: the host compares all.</summary>
    public Func<KernelSource, CompiledSource>? CompareOnDevice { get; init; }

    /// <summary>Threads that compile.</summary>
    public int Threads { get; init; } = System.Environment.ProcessorCount;

    /// <summary>What libraries compiled when they were asked; null: they compile again.</summary>
    public LibraryAnswers? Answers { get; init; }

    public PhaseClock Clock { get; init; } = new();

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
/// kernels on random data first. What is to be compiled is compiled by other threads meanwhile.
/// </summary>
internal sealed class DeviceTimer(DeviceTimerOptions options) : ITacticTimer, IDisposable
{
    /// <summary>Measured runs of a candidate, each of many launches; of one whose runs are long, and of one that is seen to be slow.</summary>
    private const int Runs = 15, LongRuns = 7, SlowRuns = 3;
    private const int FewestCandidates = 2;
    private const int MostCopies = 48, FewestRounds = 4, UsualRounds = 8;

    /// <summary>A run is as long as this where that takes fewer launches than there are copies; with so many milliseconds in all it is known well enough.</summary>
    private const double RunMs = 2, EnoughMs = 12;

    /// <summary>Times the best beyond which a candidate is not measured further: of a run of many launches, and of a single launch, which waits for the host too.</summary>
    private const double SlowRatio = 1.3, HopelessRatio = 3, LaunchMs = 0.03;

    /// <summary>Runs from the first measurement on.</summary>
    private readonly Stopwatch _clock = new();
    private readonly Dictionary<KernelSource, Task<CompiledSource>> _compiled = [];
    private readonly Dictionary<Tactic, string> _keys = new(ReferenceEqualityComparer.Instance);
    private WorkQueue? _compilers;
    private TrialDevice? _device;
    private TrialLibraries? _libraries;

    /// <summary>Candidates that were run on the device, for reports.</summary>
    public int Timed { get; private set; }

    /// <summary>Starts to compile what has no time yet, in the order that it will be asked for.</summary>
    public void Announce(IEnumerable<(Region Region, IReadOnlyList<Tactic> Tactics)> regions, CancellationToken stop)
    {
        foreach ((Region region, IReadOnlyList<Tactic> tactics) in regions)
        {
            stop.ThrowIfCancellationRequested();
            if (tactics.Count < 2 || !TrialData.IsKnown(region, tactics, options.Context)) continue;
            foreach (Tactic tactic in tactics)
            {
                if (options.Cache.Contains(KeyOf(region, tactic))) continue;
                foreach (KernelSource source in SourcesOf(tactic)) Start(source);
            }
        }
    }

    private static IEnumerable<KernelSource> SourcesOf(Tactic tactic) => tactic.Launches.OfType<KernelTacticLaunch>().Select(l => l.Launch.Source).Distinct();

    private string KeyOf(Region region, Tactic tactic)
    {
        if (_keys.TryGetValue(tactic, out string? known)) return known;
        using (options.Clock.Time("keys of candidates")) known = $"{options.Environment}/{TacticTrial.Signature(region, tactic, options.Context, options.Environment)}";
        _keys.Add(tactic, known);
        return known;
    }

    private Task<CompiledSource> Start(KernelSource source)
    {
        if (_compiled.TryGetValue(source, out Task<CompiledSource>? known)) return known;
        _compilers ??= new WorkQueue(options.Threads, "compiler");
        Task<CompiledSource> task = _compilers.Add(() =>
        {
            using (options.Clock.Time("compiling, all threads")) return options.Compile(source);
        });
        _compiled.Add(source, task);
        return task;
    }

    /// <summary>The tactic's kernels; what does not compile is an error.</summary>
    private IReadOnlyDictionary<KernelSource, CompiledSource> KernelsOf(Tactic tactic, CancellationToken stop)
    {
        KernelSource[] sources = [.. SourcesOf(tactic)];
        Task<CompiledSource>[] tasks = [.. sources.Select(Start)];
        if (!tasks.All(t => t.IsCompleted))
        {
            using PhaseClock.Running waiting = options.Clock.Time("waiting for compilers");
            Task.WhenAll(tasks).ContinueWith(_ => { }, stop, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).Wait(stop);
        }
        return sources.Select((s, i) => (s, i)).ToDictionary(p => p.s, p => tasks[p.i].GetAwaiter().GetResult());
    }

    public IReadOnlyList<TacticTime?>? Measure(LoweredProgram program, RegionStep step, IReadOnlyList<Tactic> tactics, IReadOnlyList<int> order, double share, CancellationToken stop)
    {
        Region region = step.Region;
        if (!TrialData.IsKnown(region, tactics, options.Context)) return null;
        string[] keys = [.. tactics.Select(t => KeyOf(region, t))];
        TacticTime?[] times = [.. keys.Select(options.Cache.Find)];
        if (times.All(t => t is not null)) return times!;
        _clock.Start();
        double left = (options.TimeBudget ?? double.PositiveInfinity) - _clock.Elapsed.TotalSeconds, end = _clock.Elapsed.TotalSeconds + (share * left);
        if (left <= 0) return times.Any(t => t is not null) ? times : null;
        using PhaseClock.Running timing = options.Clock.Time("timing");
        _device ??= new TrialDevice(options.Open());
        _libraries ??= new TrialLibraries(options.Library, options.Answers);
        using TrialData data = new(options, _device, _libraries, region);
        Tactic reference = tactics.FirstOrDefault(t => string.Equals(t.Name, GeneratedTactics.TacticName, StringComparison.Ordinal)) ?? tactics[^1];
        IReadOnlyList<ExpectedOutput>? expected = null;
        double best = double.MaxValue;
        int usable = 0;
        foreach (int i in order)
        {
            stop.ThrowIfCancellationRequested();
            if (times[i] is { } known)
            {
                if (!known.IsUsable) continue;
                best = Math.Min(best, known.MedianMs);
                usable++;
                continue;
            }
            if (usable >= FewestCandidates && _clock.Elapsed.TotalSeconds > end) break;
            expected ??= Expected(reference, data, stop);
            times[i] = MeasureOne(tactics[i], reference, expected, data, best, stop);
            if (times[i]!.IsUsable)
            {
                best = Math.Min(best, times[i]!.MedianMs);
                usable++;
            }
            options.Cache.Add(keys[i], times[i]!, $"{region}: {tactics[i].Name}");
            Timed++;
        }
        return times;
    }

    private IReadOnlyList<ExpectedOutput> Expected(Tactic reference, TrialData data, CancellationToken stop)
    {
        IReadOnlyDictionary<KernelSource, CompiledSource> kernels = KernelsOf(reference, stop);
        using PhaseClock.Running checking = options.Clock.Time("of it checking");
        using TrialRun run = data.Start(reference, kernels, 1, stop);
        return data.Expect(run, reference, stop);
    }

    private TacticTime MeasureOne(Tactic tactic, Tactic reference, IReadOnlyList<ExpectedOutput> expected, TrialData data, double best, CancellationToken stop)
    {
        try
        {
            IReadOnlyDictionary<KernelSource, CompiledSource> kernels = KernelsOf(tactic, stop);
            double once;
            using (options.Clock.Time("of it checking"))
            {
                using TrialRun run = data.Start(tactic, kernels, 1, stop);
                if (ReferenceEquals(tactic, reference)) run.Execute(stop);
                else if (data.Check(run, tactic, expected, stop) is { } problem) return new TacticTime(0, 0, 0, problem);
                once = Rounded(run.Execute(stop));
            }
            if (once > (HopelessRatio * best) + LaunchMs) return new TacticTime(once, once, once);
            using (options.Clock.Time("of it measuring")) return Time(tactic, data, kernels, once, best, stop);
        }
        catch (TrtToolsException e) when (e.Code is not ErrorCode.Cancelled)
        {
            // A launch that fails may take the context with it; then the next trial says so, and nothing is hidden.
            return new TacticTime(0, 0, 0, e.Message);
        }
    }

    private static double Rounded(double milliseconds) => Math.Round(milliseconds, 7);

    /// <param name="once">Milliseconds of a single launch.</param>
    /// <param name="best">Of the region's candidates so far.</param>
    private TacticTime Time(Tactic tactic, TrialData data, IReadOnlyDictionary<KernelSource, CompiledSource> kernels, double once, double best, CancellationToken stop)
    {
        int copies = data.CopiesFor(tactic, options.L2Bytes, MostCopies), rounds = (int)Math.Clamp(RunMs / Math.Max(once, 1e-6), FewestRounds, Math.Max(UsualRounds, copies));
        using TrialRun run = data.Start(tactic, kernels, rounds, stop);
        // The second run of a shape is captured, the third is the first replay.
        for (int i = 0; i < 3; i++) run.Execute(stop);
        List<double> times = [];
        double total = 0;
        for (int i = 0; i < Runs; i++)
        {
            stop.ThrowIfCancellationRequested();
            double time = run.Execute(stop);
            total += time;
            times.Add(time / rounds);
            if (times.Count == SlowRuns && times.Min() > SlowRatio * best) break;
            if (times.Count == LongRuns && total > EnoughMs) break;
        }
        return Of(times);
    }

    /// <summary>The median with an interval of order statistics: the fourth and the fourth last of fifteen hold it in 96 of 100 cases, the ends of seven in 98.</summary>
    private static TacticTime Of(List<double> times)
    {
        double[] sorted = [.. times.Order()];
        int cut = sorted.Length >= Runs ? 3 : 0;
        return new TacticTime(Rounded(sorted[sorted.Length / 2]), Rounded(sorted[cut]), Rounded(sorted[^(cut + 1)]));
    }

    /// <summary>What compiles still is waited for.</summary>
    public void Dispose()
    {
        _compilers?.Dispose();
        _device?.MakeCurrent();
        _libraries?.Dispose();
        _device?.Close();
        (_compilers, _libraries, _device) = (null, null, null);
    }
}
