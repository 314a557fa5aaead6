using TrtTools.Execution;

namespace TrtTools.Tests.Execution;

public sealed class MeasurementTests
{
    private static MeasureOptions Quick => new() { WarmUp = 0, Duration = 0, Iteration = 40 };

    [Fact]
    public void Statistics_are_those_of_the_sorted_times()
    {
        TimeStatistics s = TimeStatistics.Of([.. Enumerable.Range(1, 100).Select(i => (double)i).Reverse()]);
        Assert.Equal((1.0, 100.0, 50.5, 50.5, 90.0, 95.0, 99.0), (s.Min, s.Max, s.Mean, s.Median, s.P90, s.P95, s.P99));
        Assert.Equal(7, TimeStatistics.Of([7]).P99);
        Assert.Equal(2, TimeStatistics.Of([3, 1, 2]).Median);
    }

    [Fact]
    public void Iterations_are_at_least_what_was_asked()
    {
        using Engine engine = TestEngines.Create();
        EngineBenchmark result = EngineMeasurement.Measure(engine, Quick, Report.None, TestContext.Current.CancellationToken);
        Assert.Equal(40, result.Iterations);
        Assert.True(result.ThroughputPerSecond > 0);
        Assert.Equal(result.Latency.P99, result.LatencyP99Ms);
        Assert.Equal(["x: Float32[2,3]"], result.Inputs);
        Assert.Contains(result.Warnings, w => w.Contains("only 40 runs", StringComparison.Ordinal));
    }

    [Fact]
    public void Streams_share_the_iterations()
    {
        using Engine engine = TestEngines.Create();
        EngineBenchmark result = EngineMeasurement.Measure(engine, Quick with { Stream = 3 }, Report.None, TestContext.Current.CancellationToken);
        Assert.Equal(3, result.Streams);
        Assert.InRange(result.Iterations, 40, 42);
    }

    [Fact]
    public void Dynamic_dimensions_are_guessed_with_a_warning_and_given_ones_used()
    {
        using Engine engine = TestEngines.Create([-1, 3]);
        EngineBenchmark guessed = EngineMeasurement.Measure(engine, Quick, Report.None, TestContext.Current.CancellationToken);
        Assert.Contains(guessed.Warnings, w => w.Contains("nobody gave", StringComparison.Ordinal));
        EngineBenchmark given = EngineMeasurement.Measure(engine, Quick with { InputShape = new Dictionary<string, long[]> { ["x"] = [5, 3] } }, Report.None, TestContext.Current.CancellationToken);
        Assert.Equal(["x: Float32[5,3]"], given.Inputs);
    }

    [Fact]
    public void A_baseline_gives_a_ratio_with_its_interval()
    {
        using Engine engine = TestEngines.Create(), other = TestEngines.Create();
        EngineBenchmark result = EngineMeasurement.Measure(engine, Quick with { Baseline = other }, Report.None, TestContext.Current.CancellationToken);
        Assert.NotNull(result.Speedup);
        Assert.True(result.SpeedupLow <= result.Speedup && result.Speedup <= result.SpeedupHigh);
        Assert.Equal("double", result.Baseline);
    }

    [Fact]
    public void Bad_options_are_refused()
    {
        using Engine engine = TestEngines.Create();
        foreach (MeasureOptions options in new[] { Quick with { Iteration = 0 }, Quick with { Duration = double.NaN }, Quick with { WarmUp = -1 }, Quick with { Stream = 0 }, Quick with { Stream = 2, Baseline = engine } })
        {
            Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => EngineMeasurement.Measure(engine, options, Report.None, default)).Code);
        }
    }

    [Fact]
    public void It_can_be_cancelled()
    {
        using Engine engine = TestEngines.Create();
        using CancellationTokenSource source = new(50);
        Assert.ThrowsAny<OperationCanceledException>(() => EngineMeasurement.Measure(engine, new MeasureOptions { Duration = 600 }, Report.None, source.Token));
        using CancellationTokenSource streams = new(50);
        Assert.ThrowsAny<OperationCanceledException>(() => EngineMeasurement.Measure(engine, new MeasureOptions { Duration = 600, Stream = 3 }, Report.None, streams.Token));
    }
}
