using System.Globalization;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Lowering.Reference;
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
        OnnxGraph fused = LayerFusion.Fuse(graph, new FusionOptions(), Report.None, CancellationToken.None);
        string raw = ProgramText.Of(Lower(graph, new LoweringOptions()));
        Assert.Equal(raw, ProgramText.Of(Lower(optimized, new LoweringOptions())));
        Assert.Equal(raw, ProgramText.Of(Lower(fused, new LoweringOptions())));
    }

    /// <summary>Half of it: activations between layers and weights. What rounding the inputs to half precision moves is no error of ours, however much a graph makes of it.</summary>
    private const double Amplified = 3;

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Random_graphs_compute_what_they_should_in_half_precision(int batch)
    {
        for (int seed = batch * Batch; seed < (batch + 1) * Batch; seed++)
        {
            string text = new RandomGraphs(seed).Make();
            OnnxGraph graph = TestGraphs.Parse(text);
            IReadOnlyDictionary<string, TensorData> inputs = LoweringCheck.Inputs(graph, 1), expected = ModelRunner.Run(graph, inputs, CancellationToken.None);
            IReadOnlyDictionary<string, TensorData> rounded = ModelRunner.Run(graph, inputs.ToDictionary(i => i.Key, i => Rounded(i.Value), StringComparer.Ordinal), CancellationToken.None);
            IReadOnlyDictionary<string, TensorData> actual = new ReferenceDevice(Lower(graph, new LoweringOptions { ChannelsLast = true, FloatStorage = DataType.Float16 })).Run(inputs);
            foreach ((string name, TensorData wanted) in expected)
            {
                double[] a = wanted.ToDouble(), b = actual[name].ToDouble(), moved = rounded[name].ToDouble();
                Assert.True(wanted.Shape.SequenceEqual(actual[name].Shape) && wanted.Type == actual[name].Type, $"Seed {seed}, '{name}': {wanted}, {actual[name]}");
                double scale = a.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max(), shift = a.Zip(moved).Select(p => Math.Abs(p.First - p.Second)).Where(double.IsFinite).DefaultIfEmpty(0).Max();
                double limit = (LoweringCheck.Float16 * Math.Max(scale, 1e-3)) + (Amplified * shift);
                for (int i = 0; i < a.Length; i++)
                {
                    // Numbers past 65504 are infinite in half precision, and what becomes of them is anything.
                    bool close = !double.IsFinite(a[i]) || scale > LargestHalf || Math.Abs(a[i] - b[i]) <= limit;
                    Assert.True(close, $"Seed {seed}, '{name}': element {i} is {b[i]:R}, expected {a[i]:R} (scale {scale:G4}, moved {shift:G4})\n{text}");
                }
            }
        }
    }

    /// <summary>Steps of eight bits that fall to the other side, here or in ONNX Runtime, and what later layers make of them.</summary>
    private const double QuantizationSteps = 4e-2;

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Random_quantized_graphs_compute_what_they_should(int batch)
    {
        for (int seed = batch * Batch; seed < (batch + 1) * Batch; seed++)
        {
            string text = new RandomQuantizedGraphs(seed).Make();
            try
            {
                OnnxGraph graph = TestGraphs.Parse(text);
                IReadOnlyDictionary<string, TensorData> inputs = LoweringCheck.Inputs(graph, 1), expected = ModelRunner.Run(graph, inputs, CancellationToken.None);
                LoweringCheck.Compare("float between", Lower(graph, new LoweringOptions()), inputs, expected, QuantizationSteps);
                // What stands in half precision between may fall a step to either side.
                IReadOnlyDictionary<string, TensorData> half = new ReferenceDevice(Lower(graph, new LoweringOptions { ChannelsLast = true, FloatStorage = DataType.Float16 })).Run(inputs);
                foreach ((string name, TensorData wanted) in expected)
                {
                    double scale = wanted.ToDouble().Select(Math.Abs).Max();
                    LoweringCheck.Close($"half between, channels last, output '{name}'", wanted, half[name], QuantizationSteps + (2 * RandomQuantizedGraphs.LargestStep / Math.Max(scale, RandomQuantizedGraphs.LargestStep)));
                }
                OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None);
                Assert.Equal(ProgramText.Of(Lower(graph, new LoweringOptions())), ProgramText.Of(Lower(optimized, new LoweringOptions())));
            }
            catch (Exception e)
            {
                Assert.Fail($"Seed {seed}: {e.Message}\n{text}");
            }
        }
    }

    private const double LargestHalf = 65504;

    private static TensorData Rounded(TensorData data) => data.Type == DataType.Float32 ? TensorData.From<float>([.. data.ToDouble().Select(v => (float)(Half)v)], data.Shape.ToArray()) : data;

    private static LoweredProgram Lower(OnnxGraph graph, LoweringOptions options) => GraphLowering.Lower(graph, options with { Strict = true }, Report.None, CancellationToken.None);
}
