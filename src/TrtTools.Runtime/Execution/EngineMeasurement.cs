using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>How to measure an engine. Defaults are trtexec's.</summary>
public sealed record MeasureOptions
{
    /// <summary>Milliseconds of runs that are not counted.</summary>
    public double WarmUp { get; init; } = 200;

    /// <summary>Seconds to measure at least.</summary>
    public double Duration { get; init; } = 3;

    /// <summary>Runs to measure at least.</summary>
    public int Iteration { get; init; } = 10;

    /// <summary>Contexts that run at the same time.</summary>
    public int Stream { get; init; } = 1;

    /// <summary>Measures each layer too, in runs of its own.</summary>
    public bool Profile { get; init; }

    /// <summary>An engine to compare with; the two run in turns.</summary>
    public Engine? Baseline { get; init; }

    /// <summary>What to run on; made-up data when null.</summary>
    public IReadOnlyDictionary<string, Tensor>? InputData { get; init; }

    /// <summary>Shapes of made-up data.</summary>
    public IReadOnlyDictionary<string, long[]>? InputShape { get; init; }
}

/// <summary>Measures how fast an engine runs.</summary>
public static class EngineMeasurement
{
    /// <summary>Of the spread that still counts as steady: standard deviation over mean.</summary>
    private const double SteadyVariation = 0.25;

    public static EngineBenchmark Measure(Engine engine, MeasureOptions options, Report report, CancellationToken stop)
    {
        CheckOptions(options);
        List<string> warnings = [];
        IReadOnlyDictionary<string, Tensor> inputs = options.InputData ?? Synthetic(engine, options, warnings);
        InputCheck.Check(engine, inputs);
        IReadOnlyDictionary<string, TensorData> data = inputs.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
        WarmUp(engine, data, options, report, stop);
        RunTimes times;
        BaselineComparison? comparison = null;
        if (options.Baseline is { } baseline)
        {
            InputCheck.Check(baseline, inputs);
            WarmUp(baseline, data, options, report, stop);
            comparison = BaselineComparison.Measure(engine, baseline, data, options, report, stop);
            times = comparison.Times;
        }
        else
        {
            times = Run(engine, data, options, report, stop);
        }
        IReadOnlyList<EngineLayer> layers = options.Profile ? Profile(engine, data, options, report, stop) : [];
        TimeStatistics latency = TimeStatistics.Of(times.Latency);
        Judge(times, latency, warnings);
        TimeStatistics compute = TimeStatistics.Of(times.Compute);
        double? serial = options.Profile ? layers.Sum(l => l.MedianMs ?? 0) : null;
        DeviceState[] states = [.. times.States];
        foreach (string warning in warnings) report.Warning($"{engine.Name}: {warning}");
        report.Verbose(string.Create(CultureInfo.InvariantCulture, $"{engine.Name}: {times.Count} runs in {times.Seconds:0.##} s."));
        return new EngineBenchmark
        {
            Name = engine.Name, Model = engine.Model, Path = engine.Path, Device = engine.Device, Precision = engine.Precision,
            Inputs = [.. engine.Inputs.Select(i => inputs[i.Name].ToString())],
            Iterations = times.Count, Streams = options.Stream, DurationSeconds = times.Seconds, ThroughputPerSecond = times.Count / times.Seconds,
            Latency = latency, Enqueue = TimeStatistics.Of(times.Enqueue), HostToDevice = TimeStatistics.Of(times.Bind), GpuCompute = compute,
            DeviceToHost = TimeStatistics.Of(times.Copy), Layers = [.. layers], SerialMs = serial, OverlapGainMs = string.Equals(engine.Device, nameof(DeviceKind.Cuda), StringComparison.Ordinal) ? serial - compute.Median : null, Warnings = [.. warnings],
            Baseline = options.Baseline?.Name ?? "", BaselineMedianMs = comparison?.BaselineMedianMs, Speedup = comparison?.Ratio, SpeedupLow = comparison?.Low, SpeedupHigh = comparison?.High,
            ClockMHz = Median(states, s => s.ClockMHz), MaxClockMHz = Median(states, s => s.MaxClockMHz), MemoryClockMHz = Median(states, s => s.MemoryClockMHz), TemperatureC = Median(states, s => s.TemperatureC), PowerW = Median(states, s => s.PowerW),
        };
    }

    private static double? Median(DeviceState[] states, Func<DeviceState, double> value) => states.Length == 0 ? null : TimeStatistics.Of([.. states.Select(value)]).Median;

    private static void CheckOptions(MeasureOptions options)
    {
        void Need(bool good, string name, object value, string expected)
        {
            if (!good) throw new TrtToolsException(ErrorCode.OptionInvalid, name, string.Create(CultureInfo.InvariantCulture, $"it is {value}"), expected, "Correct the value");
        }
        Need(options.WarmUp is >= 0 and <= 1e7, "WarmUp", options.WarmUp, "Milliseconds, 0 or more");
        Need(options.Duration is >= 0 and <= 1e6, "Duration", options.Duration, "Seconds, 0 or more");
        Need(options.Iteration >= 1, "Iteration", options.Iteration, "1 or more");
        Need(options.Stream is >= 1 and <= 1024, "Stream", options.Stream, "1 to 1024");
        Need(options.Baseline is null || options.Stream == 1, "Stream", options.Stream, "1 when there is a baseline: the two engines run in turns");
    }

    private static IReadOnlyDictionary<string, Tensor> Synthetic(Engine engine, MeasureOptions options, List<string> warnings)
    {
        IReadOnlyDictionary<string, Tensor> inputs = SyntheticInputs.Create(engine, options.InputShape, out IReadOnlyList<string> guessed);
        if (guessed.Count > 0)
        {
            warnings.Add($"nobody gave the dynamic dimensions, so the engine was measured with {string.Join("; ", guessed.Select(n => inputs[n].ToString()))}; give -InputShape or -InputData, or build with -OptimizationProfile");
        }
        return inputs;
    }

    private static void WarmUp(Engine engine, IReadOnlyDictionary<string, TensorData> data, MeasureOptions options, Report report, CancellationToken stop)
    {
        report.Progress("Measuring", $"{engine.Name}: warming up", double.NaN);
        engine.Prepare(stop);
        Stopwatch clock = Stopwatch.StartNew();
        do Once(engine, data, null, stop); while (clock.Elapsed.TotalMilliseconds < options.WarmUp);
    }

    private static RunTimes Run(Engine engine, IReadOnlyDictionary<string, TensorData> data, MeasureOptions options, Report report, CancellationToken stop)
    {
        Stopwatch clock = Stopwatch.StartNew();
        ConcurrentBag<RunTimes> parts = [];
        int begun = 0;
        long nextReport = 0;
        void Work()
        {
            RunTimes mine = new();
            parts.Add(mine);
            while (Interlocked.Increment(ref begun) <= options.Iteration || clock.Elapsed.TotalSeconds < options.Duration)
            {
                Once(engine, data, mine, stop);
                long now = clock.ElapsedMilliseconds;
                if (now < Volatile.Read(ref nextReport)) continue;
                Volatile.Write(ref nextReport, now + 100);
                double done = Math.Min(options.Duration > 0 ? now / 1000.0 / options.Duration : 1, (double)Volatile.Read(ref begun) / options.Iteration);
                if (engine.ReadDeviceState(stop) is { } state) mine.States.Add(state);
                report.Progress("Measuring", $"{engine.Name}: {Volatile.Read(ref begun)} runs", Math.Min(1, done), TimeSpan.FromSeconds(Math.Max(0, options.Duration - now / 1000.0)));
            }
        }
        if (options.Stream == 1)
        {
            Work();
        }
        else
        {
            Task[] tasks = [.. Enumerable.Range(0, options.Stream).Select(_ => Task.Factory.StartNew(Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
            try
            {
                Task.WaitAll(tasks);
            }
            catch (AggregateException e)
            {
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
            }
        }
        RunTimes all = new() { Seconds = clock.Elapsed.TotalSeconds };
        foreach (RunTimes part in parts) all.Add(part);
        return all;
    }

    internal static void Once(Engine engine, IReadOnlyDictionary<string, TensorData> data, RunTimes? times, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        long start = Stopwatch.GetTimestamp();
        using IHostRun run = engine.Bind(data, stop);
        long bound = Stopwatch.GetTimestamp();
        run.Execute(stop);
        long computed = Stopwatch.GetTimestamp();
        run.CopyResults();
        times?.Add(start, bound, computed, Stopwatch.GetTimestamp(), run.Times);
        if (times is not null && run.Problem.Length > 0) times.Problem = run.Problem;
    }

    private static IReadOnlyList<EngineLayer> Profile(Engine engine, IReadOnlyDictionary<string, TensorData> data, MeasureOptions options, Report report, CancellationToken stop)
    {
        report.Progress("Measuring", $"{engine.Name}: profiling layers", double.NaN);
        IReadOnlyList<EngineLayer> layers = LayerProfile.Measure(engine, data, Math.Max(10, Math.Min(100, options.Iteration)), Math.Clamp(options.Duration, 0.1, 3), stop);
        engine.SetLayers(layers);
        return layers;
    }

    private static void Judge(RunTimes times, TimeStatistics latency, List<string> warnings)
    {
        if (times.Problem.Length > 0) warnings.Add(times.Problem);
        string[] slowed = [.. times.States.SelectMany(s => s.SlowedBy).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        if (slowed.Length > 0) warnings.Add($"the device was slowed down by {string.Join(" and ", slowed)}: a cooler or idler one is faster");
        if (times.Count < 100) warnings.Add($"only {times.Count} runs were measured: P99 is the slowest of them; raise -Duration or -Iteration");
        double variance = times.Latency.Sum(t => (t - latency.Mean) * (t - latency.Mean)) / Math.Max(1, times.Count - 1);
        double variation = latency.Mean > 0 ? Math.Sqrt(variance) / latency.Mean : 0;
        if (times.Count >= 2 && variation > SteadyVariation)
        {
            warnings.Add(string.Create(CultureInfo.InvariantCulture, $"the latency is unsteady (its standard deviation is {100 * variation:0} % of the mean): other work runs on this machine, or its clock changes; go by the median"));
        }
    }
}

/// <summary>Times of runs in milliseconds.</summary>
internal sealed class RunTimes
{
    private static readonly double Scale = 1000.0 / Stopwatch.Frequency;

    public List<double> Bind { get; } = [];

    /// <summary>Of the calling thread. On the CPU that is the computation.</summary>
    public List<double> Enqueue { get; } = [];

    public List<double> Compute { get; } = [];

    public List<double> Copy { get; } = [];

    public List<double> Latency { get; } = [];

    public double Seconds { get; set; }

    /// <summary>What the device said of itself meanwhile.</summary>
    public List<DeviceState> States { get; } = [];

    public string Problem { get; set; } = "";

    public int Count => Latency.Count;

    /// <param name="device">Times by the device's own clock, where it has one.</param>
    public void Add(long start, long bound, long computed, long end, DeviceTimes? device)
    {
        Bind.Add(device?.HostToDevice ?? (bound - start) * Scale);
        Enqueue.Add((computed - bound) * Scale);
        Compute.Add(device?.Compute ?? (computed - bound) * Scale);
        Copy.Add(device?.DeviceToHost ?? (end - computed) * Scale);
        Latency.Add((end - start) * Scale);
    }

    public void Add(RunTimes other)
    {
        Bind.AddRange(other.Bind);
        Enqueue.AddRange(other.Enqueue);
        Compute.AddRange(other.Compute);
        Copy.AddRange(other.Copy);
        Latency.AddRange(other.Latency);
        States.AddRange(other.States);
        if (other.Problem.Length > 0) Problem = other.Problem;
    }
}
