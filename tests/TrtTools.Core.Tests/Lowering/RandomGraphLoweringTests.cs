using System.Globalization;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>Random graphs: the fused program equals ONNX Runtime, in both layouts and in half precision, and does not depend on what ran before.</summary>
public sealed class RandomGraphLoweringTests
{
    private const int Batch = 20;

    private static int Batches => int.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_RANDOM_GRAPHS"), CultureInfo.InvariantCulture, out int graphs) ? Math.Max(1, graphs / Batch) : 5;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, Batches)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Random_graphs_compute_what_they_should(int batch)
    {
        for (int seed = batch * Batch; seed < (batch + 1) * Batch; seed++)
        {
            string text = new RandomGraphs(seed).Make();
            try
            {
                Check(text);
            }
            catch (Exception e) when (e is not Xunit.Sdk.IAssertionException)
            {
                Assert.Fail($"Seed {seed}: {e.GetType().Name} {e.Message}\n{text}\n{e.StackTrace}");
            }
            catch (Exception e)
            {
                Assert.Fail($"Seed {seed}: {e.Message}\n{text}");
            }
        }
    }

    private static void Check(string text)
    {
        OnnxGraph graph = TestGraphs.Parse(text);
        IReadOnlyDictionary<string, TensorData> inputs = LoweringCheck.Inputs(graph, 1), expected = ModelRunner.Run(graph, inputs, CancellationToken.None);
        foreach (LoweringOptions options in new[] { new LoweringOptions(), new LoweringOptions { ChannelsLast = true } })
        {
            LoweringCheck.Compare($"channels last {options.ChannelsLast}", Lower(graph, options), inputs, expected, LoweringCheck.Float32);
        }
        OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None);
        Assert.Equal(ProgramText.Of(Lower(graph, new LoweringOptions())), ProgramText.Of(Lower(optimized, new LoweringOptions())));
    }

    private static LoweredProgram Lower(OnnxGraph graph, LoweringOptions options) => GraphLowering.Lower(graph, options with { Strict = true }, Report.None, CancellationToken.None);
}
