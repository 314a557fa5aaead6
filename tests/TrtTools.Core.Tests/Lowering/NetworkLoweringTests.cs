using TrtTools.Data;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>Whole networks in small: how many regions they come to in half precision, channels last, and that both precisions compute what they should.</summary>
public sealed class NetworkLoweringTests
{
    private static readonly IReadOnlyDictionary<string, string> s_texts = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["decoder"] = NetworkTexts.Decoder(), ["decoder of two"] = NetworkTexts.Decoder(layers: 2, batch: 2), ["text encoder"] = NetworkTexts.TextEncoder(), ["image encoder"] = NetworkTexts.ImageEncoder(),
        ["image encoder of one"] = NetworkTexts.ImageEncoder(batch: 1), ["detector"] = NetworkTexts.Detector(), ["detector of two"] = NetworkTexts.Detector(batch: 2), ["mobile"] = NetworkTexts.Mobile(), ["residual"] = NetworkTexts.Residual(),
    };

    /// <summary>Regions of a network: a number that grows is a kernel more in every run.</summary>
    [Theory]
    [InlineData("decoder", 27)]
    [InlineData("text encoder", 16)]
    [InlineData("image encoder", 18)]
    [InlineData("image encoder of one", 18)]
    [InlineData("detector", 72)]
    [InlineData("detector of two", 72)]
    [InlineData("mobile", 32)]
    [InlineData("residual", 8)]
    public void A_network_has_so_many_regions(string name, int regions)
    {
        LoweredProgram program = Lower(GraphText.Parse(s_texts[name]), Half);
        Assert.True(regions == program.Steps.Count, $"{name}: {program.Steps.Count} regions, expected {regions}:\n{ProgramText.Outline(program)}");
    }

    public static TheoryData<string> Names => [.. s_texts.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_network_computes_what_it_should(string name)
    {
        OnnxGraph graph = GraphText.Parse(s_texts[name]);
        IReadOnlyDictionary<string, TensorData> inputs = Inputs(graph), expected = ModelRunner.Run(graph, inputs, CancellationToken.None);
        LoweringCheck.Compare("float", Lower(graph, new LoweringOptions { Strict = true }), inputs, expected, LoweringCheck.Float32);
        LoweringCheck.Compare("half", Lower(graph, Half), inputs, expected, LoweringCheck.Float16);
        OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None), fused = LayerFusion.Fuse(graph, new FusionOptions(), Report.None, CancellationToken.None);
        string raw = ProgramText.Of(Lower(graph, Half));
        Assert.Equal(raw, ProgramText.Of(Lower(optimized, Half)));
        Assert.Equal(raw, ProgramText.Of(Lower(fused, Half)));
    }

    private static LoweringOptions Half => new() { FloatStorage = DataType.Float16, ChannelsLast = true, Strict = true };

    private static LoweredProgram Lower(OnnxGraph graph, LoweringOptions options) => GraphLowering.Lower(graph, options, Report.None, CancellationToken.None);

    /// <summary>Random numbers; integers are places in small tables.</summary>
    private static Dictionary<string, TensorData> Inputs(OnnxGraph graph)
    {
        Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
        foreach ((string name, TensorData data) in LoweringCheck.Inputs(graph, 1)) inputs.Add(name, data.Type == DataType.Int64 ? TensorData.From<long>([.. data.ToInt64().Select(v => Math.Abs(v) % 7)], data.Shape.ToArray()) : data);
        return inputs;
    }
}
