using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>Whole models, lowered and run by the Reference device, give the outputs that lie beside them.</summary>
public sealed class SharedModelLoweringTests
{
    /// <summary>Models that take the Reference device many seconds.</summary>
    private static readonly string[] Slow = ["mlsd-320-tiny", "polygraphy-residual-block", "style-candy", "ppocrv4-rec", "light-squeezenet-rw"];

    /// <summary>Models of integers: a rounding that falls to the other side moves a result by a step, here and in ONNX Runtime.</summary>
    private static readonly string[] Quantized = ["synth-bert-mini-dynq-int8", "ultraface-slim-320-qdq-int8"];

    private const double QuantizationSteps = 3e-2;

    public static TheoryData<string> Names
    {
        get
        {
            TheoryData<string> names = [];
            bool all = Environment.GetEnvironmentVariable("TRTTOOLS_TEST_ALL_MODELS") is { Length: > 0 };
            foreach (string name in !SharedModels.Exists ? [""] : SharedModels.Names.Where(n => n != "style-candy" && (all || !Slow.Contains(n)))) names.Add(name);
            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_model_computes_what_it_should(string name) => Check(name, new LoweringOptions(), LoweringCheck.Float32);

    [Theory]
    [MemberData(nameof(Names))]
    public void Channels_last_in_half_precision_too(string name)
    {
        Assert.SkipWhen(name == "light-shufflenet-rw", "Its activations reach 1e5: half precision overflows without per-layer precision.");
        // The boxes of this one come to 1.01 % of their scale, with nothing but activations and weights rounded.
        Check(name, new LoweringOptions { ChannelsLast = true, FloatStorage = DataType.Float16 }, name == "ultraface-slim-320-simplified" ? 1.2 * LoweringCheck.Float16 : LoweringCheck.Float16);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Raw_optimized_and_fused_graphs_give_one_program(string name)
    {
        OnnxGraph raw = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
        LoweringOptions half = new() { ChannelsLast = true, FloatStorage = DataType.Float16 };
        string Text(OnnxGraph graph) => ProgramText.Of(GraphLowering.Lower(graph, half, Report.None, CancellationToken.None));
        string expected = Text(raw);
        Assert.Equal(expected, Text(GraphOptimizer.Optimize(raw, new OptimizeOptions(), Report.None, CancellationToken.None)));
        Assert.Equal(expected, Text(LayerFusion.Fuse(raw, new FusionOptions(), Report.None, CancellationToken.None)));
    }

    private static void Check(string name, LoweringOptions options, double tolerance)
    {
        string path = SharedModels.Path(name);
        OnnxGraph graph = OnnxFile.Import(path, Report.None, CancellationToken.None);
        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        LoweredProgram program = GraphLowering.Lower(graph, options, Report.None, CancellationToken.None);
        TestContext.Current.TestOutputHelper?.WriteLine($"lowered in {clock.ElapsedMilliseconds} ms to {program.Steps.Count} steps; {string.Join("; ", program.Warnings)}");
        foreach (string set in SharedModels.DataSets(name).Take(1))
        {
            Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal), expected = new(StringComparer.Ordinal);
            for (int i = 0; i < program.Inputs.Count; i++) inputs.Add(program.Inputs[i].Storage.Name, Read(set, $"input_{i}.pb"));
            for (int i = 0; i < program.Outputs.Count; i++) expected.Add(program.Outputs[i].Storage.Name, Read(set, $"output_{i}.pb"));
            LoweringCheck.Compare(name, program, inputs, expected, Quantized.Contains(name) ? Math.Max(QuantizationSteps, tolerance) : tolerance);
        }
    }

    private static TensorData Read(string folder, string file) => TensorFile.Read(Path.Combine(folder, file))[0].Content;
}
