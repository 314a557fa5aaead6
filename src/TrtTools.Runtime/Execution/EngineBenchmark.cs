using TrtTools.Engines;

namespace TrtTools.Execution;

/// <summary>Times in milliseconds. A percentile is the smallest time that so many percent of the runs do not exceed.</summary>
public sealed record TimeStatistics
{
    public required double Min { get; init; }

    public required double Max { get; init; }

    public required double Mean { get; init; }

    public required double Median { get; init; }

    public required double P90 { get; init; }

    public required double P95 { get; init; }

    public required double P99 { get; init; }

    internal static TimeStatistics Of(IReadOnlyCollection<double> milliseconds)
    {
        double[] sorted = [.. milliseconds.Order()];
        if (sorted.Length == 0) return new TimeStatistics { Min = 0, Max = 0, Mean = 0, Median = 0, P90 = 0, P95 = 0, P99 = 0 };
        double Rank(double percent) => sorted[Math.Clamp((int)Math.Ceiling(percent / 100 * sorted.Length) - 1, 0, sorted.Length - 1)];
        int half = sorted.Length / 2;
        return new TimeStatistics
        {
            Min = sorted[0], Max = sorted[^1], Mean = sorted.Average(), Median = sorted.Length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2,
            P90 = Rank(90), P95 = Rank(95), P99 = Rank(99),
        };
    }

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"median {Median:0.###} ms, P99 {P99:0.###} ms");
}

/// <summary>What Measure-Engine found: the figures of trtexec, in groups and flat.</summary>
public sealed record EngineBenchmark
{
    /// <summary>The engine's name.</summary>
    public required string Name { get; init; }

    /// <summary>The model's name.</summary>
    public required string Model { get; init; }

    public required string? Path { get; init; }

    public required string Device { get; init; }

    public required string Precision { get; init; }

    /// <summary>The shapes that were measured, such as "x: Float32[1,3,224,224]".</summary>
    public required string[] Inputs { get; init; }

    /// <summary>Runs that were measured, of all streams.</summary>
    public required int Iterations { get; init; }

    /// <summary>Contexts that ran at the same time.</summary>
    public required int Streams { get; init; }

    public required double DurationSeconds { get; init; }

    /// <summary>Runs per second, of all streams.</summary>
    public required double ThroughputPerSecond { get; init; }

    /// <summary>From the inputs on the host to the outputs on the host.</summary>
    public required TimeStatistics Latency { get; init; }

    /// <summary>Time the calling thread needs to start the work; on the CPU the whole computation.</summary>
    public required TimeStatistics Enqueue { get; init; }

    /// <summary>Making the inputs ready.</summary>
    public required TimeStatistics HostToDevice { get; init; }

    /// <summary>The computation itself, on the CPU too.</summary>
    public required TimeStatistics GpuCompute { get; init; }

    /// <summary>Giving the outputs back.</summary>
    public required TimeStatistics DeviceToHost { get; init; }

    public double LatencyMinMs => Latency.Min;

    public double LatencyMaxMs => Latency.Max;

    public double LatencyMeanMs => Latency.Mean;

    public double LatencyMedianMs => Latency.Median;

    public double LatencyP90Ms => Latency.P90;

    public double LatencyP95Ms => Latency.P95;

    public double LatencyP99Ms => Latency.P99;

    public double EnqueueMinMs => Enqueue.Min;

    public double EnqueueMaxMs => Enqueue.Max;

    public double EnqueueMeanMs => Enqueue.Mean;

    public double EnqueueMedianMs => Enqueue.Median;

    public double EnqueueP90Ms => Enqueue.P90;

    public double EnqueueP95Ms => Enqueue.P95;

    public double EnqueueP99Ms => Enqueue.P99;

    public double HostToDeviceMinMs => HostToDevice.Min;

    public double HostToDeviceMaxMs => HostToDevice.Max;

    public double HostToDeviceMeanMs => HostToDevice.Mean;

    public double HostToDeviceMedianMs => HostToDevice.Median;

    public double HostToDeviceP90Ms => HostToDevice.P90;

    public double HostToDeviceP95Ms => HostToDevice.P95;

    public double HostToDeviceP99Ms => HostToDevice.P99;

    public double GpuComputeMinMs => GpuCompute.Min;

    public double GpuComputeMaxMs => GpuCompute.Max;

    public double GpuComputeMeanMs => GpuCompute.Mean;

    public double GpuComputeMedianMs => GpuCompute.Median;

    public double GpuComputeP90Ms => GpuCompute.P90;

    public double GpuComputeP95Ms => GpuCompute.P95;

    public double GpuComputeP99Ms => GpuCompute.P99;

    public double DeviceToHostMinMs => DeviceToHost.Min;

    public double DeviceToHostMaxMs => DeviceToHost.Max;

    public double DeviceToHostMeanMs => DeviceToHost.Mean;

    public double DeviceToHostMedianMs => DeviceToHost.Median;

    public double DeviceToHostP90Ms => DeviceToHost.P90;

    public double DeviceToHostP95Ms => DeviceToHost.P95;

    public double DeviceToHostP99Ms => DeviceToHost.P99;

    /// <summary>Clock of the device's multiprocessors while it was measured; empty on the CPU, and where it can't be read.</summary>
    public double? ClockMHz { get; init; }

    /// <summary>The highest clock that the device may have.</summary>
    public double? MaxClockMHz { get; init; }

    public double? MemoryClockMHz { get; init; }

    public double? TemperatureC { get; init; }

    public double? PowerW { get; init; }

    /// <summary>Time of each layer; empty without -Profile.</summary>
    public EngineLayer[] Layers { get; init; } = [];

    /// <summary>Time of all layers one after the other, with nothing overlapping; empty without -Profile.</summary>
    public double? SerialMs { get; init; }

    /// <summary>What overlapping and replaying as a graph gain: <see cref="SerialMs"/> less the median computation; empty without -Profile and on the CPU.</summary>
    public double? OverlapGainMs { get; init; }

    /// <summary>Why figures are not to be trusted.</summary>
    public string[] Warnings { get; init; } = [];

    /// <summary>Name of the engine it was compared with; empty without -Baseline.</summary>
    public string Baseline { get; init; } = "";

    /// <summary>The baseline's median latency, measured in turns with this engine.</summary>
    public double? BaselineMedianMs { get; init; }

    /// <summary>How many times faster than the baseline: its latency over this engine's.</summary>
    public double? Speedup { get; init; }

    /// <summary>Lower end of the 95 % confidence interval of <see cref="Speedup"/>.</summary>
    public double? SpeedupLow { get; init; }

    public double? SpeedupHigh { get; init; }

    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Name}: {ThroughputPerSecond:0.#}/s, {Latency}");
}
