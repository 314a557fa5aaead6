using System.Globalization;
using CsCheck;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Passes;

/// <summary>Optimized and fused graphs against ONNX Runtime on the original, its optimizations off. TRTTOOLS_RANDOM_GRAPHS says how many (100 when it is not set);
/// from 10,000 on, every pass and pattern must have fired 50 times. TRTTOOLS_RANDOM_SEED=7 or 0-5000 takes the graphs of these seeds.</summary>
public sealed class RandomGraphTests(ITestOutputHelper output)
{
    private const double Tolerance = 2e-4;

    /// <summary>Inputs and constants are of the order of 1: what cancels leaves their roundings.</summary>
    private const double LeastScale = 1e-3;

    [Fact]
    public void Optimized_and_fused_graphs_compute_the_same()
    {
        if (Environment.GetEnvironmentVariable("TRTTOOLS_RANDOM_SEED") is { Length: > 0 } range)
        {
            CheckAll([.. range.Split('-').Select(n => int.Parse(n, CultureInfo.InvariantCulture))]);
            return;
        }
        int iterations = int.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_RANDOM_GRAPHS"), NumberStyles.None, CultureInfo.InvariantCulture, out int given) ? given : 100;
        Counts counts = new();
        // One after another where they are few: the machine may have other tests to run.
        Gen.Int[0, int.MaxValue - 1].Sample(seed => Check(seed, counts), iter: iterations, threads: iterations > 1000 ? -1 : 1);
        output.WriteLine($"{counts.Ran} graphs ran, {counts.Refused} were refused by ONNX Runtime as they are");
        Assert.InRange(counts.Refused, 0, iterations / 10);
        string[] all = [.. GraphOptimizer.PassNames, .. LayerFusion.PatternNames];
        foreach (string name in all) output.WriteLine($"{name,-34} {counts.Fired(name),7} fired {counts.Missed(name),7} near misses");
        if (iterations >= 10_000) Assert.All(all, n => Assert.True(counts.Fired(n) >= 50, $"{n} fired {counts.Fired(n)} times"));
    }

    /// <summary>Every failure of a range of seeds; the graph too when it is one.</summary>
    private void CheckAll(int[] range)
    {
        int failures = 0;
        for (int seed = range[0]; seed <= range[^1]; seed++)
        {
            if (range.Length == 1) output.WriteLine(TestGraphs.Print(new RandomGraph(seed).Next()));
            try
            {
                Check(seed, new Counts());
            }
            catch (InvalidOperationException e) when (range.Length > 1)
            {
                failures++;
                output.WriteLine(e.Message);
            }
        }
        Assert.Equal(0, failures);
    }

    private static void Check(int seed, Counts counts)
    {
        RandomGraph random = new(seed);
        OnnxGraph graph = random.Next();
        IReadOnlyDictionary<string, TensorData> expected;
        try
        {
            expected = ModelRunner.Run(graph, random.Inputs, CancellationToken.None);
        }
        catch (TrtToolsException e) when (e.Code is not ErrorCode.Cancelled)
        {
            counts.Refuse();
            return;
        }
        try
        {
            OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), counts, CancellationToken.None);
            Compare(expected, ModelRunner.Run(optimized, random.Inputs, CancellationToken.None), "optimized");
            OnnxGraph fused = LayerFusion.Fuse(graph, new FusionOptions(), counts, CancellationToken.None);
            counts.Add(fused.FusionReport);
            Compare(expected, ModelRunner.Run(fused, random.Inputs, CancellationToken.None), "fused");
            OnnxGraph twice = LayerFusion.Fuse(optimized, new FusionOptions(), Report.None, CancellationToken.None);
            Assert.Equal(TestGraphs.Nodes(fused), TestGraphs.Nodes(twice));
            OnnxGraph again = GraphOptimizer.Optimize(optimized, new OptimizeOptions(), Report.None, CancellationToken.None);
            Assert.Equal(TestGraphs.Nodes(optimized), TestGraphs.Nodes(again));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException($"TRTTOOLS_RANDOM_SEED={seed}: {e.Message}", e);
        }
        counts.Run();
    }

    private static void Compare(IReadOnlyDictionary<string, TensorData> expected, IReadOnlyDictionary<string, TensorData> actual, string what)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (string name in expected.Keys) Results.AssertClose(expected[name], actual[name], Tolerance, $"{what} {name}", LeastScale);
    }

    /// <summary>How often what fired, read from the optimizer's own report.</summary>
    private sealed class Counts : Report
    {
        private readonly Dictionary<string, int> _fired = new(StringComparer.Ordinal);
        private readonly Dictionary<string, int> _missed = new(StringComparer.Ordinal);

        public int Ran { get; private set; }

        public int Refused { get; private set; }

        public int Fired(string name) => _fired.GetValueOrDefault(name);

        public int Missed(string name) => _missed.GetValueOrDefault(name);

        public void Run()
        {
            lock (_fired) Ran++;
        }

        public void Refuse()
        {
            lock (_fired) Refused++;
        }

        public void Add(IReadOnlyList<FusionRecord> records)
        {
            lock (_fired)
            {
                foreach (FusionRecord record in records)
                {
                    Dictionary<string, int> counts = record.Fused ? _fired : _missed;
                    counts[record.Pattern] = counts.GetValueOrDefault(record.Pattern) + 1;
                }
            }
        }

        public override void Progress(string activity, string status, double fraction, TimeSpan? remaining = null) { }

        public override void Verbose(string message)
        {
            // "remove-identity: 3 in 0.2 ms"
            string[] words = message.Split(' ');
            if (words.Length < 5 || words[2] != "in" || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count)) return;
            string name = words[0].TrimEnd(':');
            lock (_fired) _fired[name] = _fired.GetValueOrDefault(name) + count;
        }

        public override void Debug(string message) { }

        public override void Warning(string message) { }
    }
}
