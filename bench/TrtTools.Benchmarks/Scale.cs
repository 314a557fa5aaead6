using System.Diagnostics;
using System.Globalization;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Benchmarks;

/// <summary>Import, optimize and fuse of chains of 1,000, 10,000 and 100,000 nodes, whole and per node: "scale [ROUNDS] [-v]".</summary>
internal static class Scale
{
    public static void Run(IReadOnlyList<string> arguments)
    {
        int rounds = arguments.Select(a => int.TryParse(a, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : 0).FirstOrDefault(n => n > 0, 3);
        Report report = arguments.Contains("-v") ? new Lines() : Report.None;
        foreach (string chain in new[] { "Convolution", "Pointwise" })
        {
            // A first small round compiles the code; the medians of the rest are printed.
            Measure(chain, 1_000, 1, Report.None, print: false);
            foreach (int nodes in new[] { 1_000, 10_000, 100_000 }) Measure(chain, nodes, nodes > 10_000 ? rounds : rounds * 3, report, print: true);
        }
    }

    private static void Measure(string chain, int nodes, int rounds, Report report, bool print)
    {
        OnnxGraph graph = chain == "Convolution" ? SyntheticGraph.ConvolutionChain(nodes / 3) : SyntheticGraph.PointwiseChain(nodes / 6);
        string file = Path.Combine(Path.GetTempPath(), FormattableString.Invariant($"trttools-scale-{Environment.ProcessId}.onnx"));
        double[][] times = [new double[rounds], new double[rounds], new double[rounds]];
        int before = 0, optimized = 0, fused = 0;
        try
        {
            OnnxFile.Export(graph, file, new ExportOptions { Force = true }, Report.None, CancellationToken.None);
            for (int round = 0; round < rounds; round++)
            {
                GC.Collect();
                OnnxGraph read = Time(times[0], round, report, () => OnnxFile.Import(file, Report.None, CancellationToken.None));
                OnnxGraph simple = Time(times[1], round, report, () => GraphOptimizer.Optimize(read, new OptimizeOptions(), report, CancellationToken.None));
                OnnxGraph whole = Time(times[2], round, report, () => LayerFusion.Fuse(simple, new FusionOptions(), report, CancellationToken.None));
                (before, optimized, fused) = (read.Body.NodeCount, simple.Body.NodeCount, whole.Body.NodeCount);
            }
        }
        finally
        {
            File.Delete(file);
        }
        if (!print) return;
        double[] medians = [.. times.Select(t => t.Order().ElementAt(t.Length / 2))];
        double total = medians.Sum();
        Console.WriteLine(FormattableString.Invariant(
            $"{chain,-12} {before,7} nodes ({optimized} optimized, {fused} fused): import {medians[0],7:F0} ms, optimize {medians[1],7:F0} ms, fuse {medians[2],7:F0} ms, total {total,7:F0} ms, {total / before * 1000,6:F1} us a node"));
    }

    private static OnnxGraph Time(double[] times, int round, Report report, Func<OnnxGraph> work)
    {
        long allocated = GC.GetTotalAllocatedBytes();
        TimeSpan paused = GC.GetTotalPauseDuration();
        TimeSpan used = Environment.CpuUsage.UserTime;
        long started = Stopwatch.GetTimestamp();
        OnnxGraph result = work();
        times[round] = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        report.Verbose(FormattableString.Invariant(
            $"{times[round]:F0} ms, of it {(GC.GetTotalPauseDuration() - paused).TotalMilliseconds:F0} collecting; {(Environment.CpuUsage.UserTime - used).TotalMilliseconds:F0} ms of processor; {(GC.GetTotalAllocatedBytes() - allocated) / 1e6:F1} MB allocated"));
        return result;
    }

    private sealed class Lines : Report
    {
        public override void Progress(string activity, string status, double fraction, TimeSpan? remaining = null) { }

        public override void Verbose(string message) => Console.WriteLine("    " + message);

        public override void Debug(string message) { }

        public override void Warning(string message) { }
    }
}
