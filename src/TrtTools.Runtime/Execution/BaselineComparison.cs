using System.Diagnostics;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>Two engines measured in turns, so that whatever slows the machine slows both.</summary>
internal sealed record BaselineComparison(RunTimes Times, double BaselineMedianMs, double Ratio, double Low, double High)
{
    private const int Blocks = 20;

    /// <summary>Student's t for 97.5 % and 19 degrees of freedom.</summary>
    private const double Quantile = 2.093;

    public static BaselineComparison Measure(Engine engine, Engine baseline, IReadOnlyDictionary<string, TensorData> data, MeasureOptions options, Report report, CancellationToken stop)
    {
        Stopwatch clock = Stopwatch.StartNew();
        RunTimes mine = new(), other = new();
        double[] logarithms = new double[Blocks];
        for (int block = 0; block < Blocks; block++)
        {
            // ABBA: a drift of the clock's speed cancels.
            RunTimes a = new(), b = new();
            bool first = block % 2 == 0;
            Run(first ? engine : baseline, first ? a : b);
            Run(first ? baseline : engine, first ? b : a);
            logarithms[block] = Math.Log(TimeStatistics.Of(b.Latency).Median / TimeStatistics.Of(a.Latency).Median);
            mine.Add(a);
            other.Add(b);
            report.Progress("Measuring", $"{engine.Name} against {baseline.Name}", (block + 1.0) / Blocks, TimeSpan.FromSeconds(clock.Elapsed.TotalSeconds / (block + 1) * (Blocks - block - 1)));
        }
        mine.Seconds = mine.Latency.Sum() / 1000;
        double mean = logarithms.Average();
        double error = Quantile * Math.Sqrt(logarithms.Sum(l => (l - mean) * (l - mean)) / (Blocks - 1) / Blocks);
        return new BaselineComparison(mine, TimeStatistics.Of(other.Latency).Median, Math.Exp(mean), Math.Exp(mean - error), Math.Exp(mean + error));

        void Run(Engine which, RunTimes times)
        {
            // One uncounted run brings this engine's weights back into the cache.
            EngineMeasurement.Once(which, data, null, stop);
            Stopwatch turn = Stopwatch.StartNew();
            int runs = (options.Iteration + Blocks - 1) / Blocks;
            do EngineMeasurement.Once(which, data, times, stop); while (times.Count < runs || turn.Elapsed.TotalSeconds < options.Duration / Blocks / 2);
        }
    }
}
