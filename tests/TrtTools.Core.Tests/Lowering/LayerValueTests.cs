using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Lowering.Reference;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>What layers are said to leave in memory is what the graph's tensors of those names hold.</summary>
public sealed class LayerValueTests
{
    [Fact]
    public void Values_inside_random_graphs_have_the_names_of_the_tensors_they_equal()
    {
        int compared = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            string text = new RandomGraphs(seed).Make();
            OnnxGraph graph = TestGraphs.Parse(text);
            IReadOnlyDictionary<string, TensorData> inputs = LoweringCheck.Inputs(graph, 1);
            foreach (bool channelsLast in new[] { false, true }) compared += Compare($"seed {seed}, {text}", graph, graph, inputs, new LoweringOptions { ChannelsLast = channelsLast }, LoweringCheck.Float32);
        }
        Assert.True(compared > 200, $"{compared} values");
    }

    [Theory]
    [InlineData("ultraface-rfb-320")]
    [InlineData("ppocrv2-cls")]
    [InlineData("blazeface-front-128")]
    [InlineData("synth-bert-mini")]
    [InlineData("light-shufflenet-rw")]
    public void Values_inside_models_too_whatever_passes_ran(string name)
    {
        OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
        OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None);
        IReadOnlyDictionary<string, TensorData> inputs = Evaluation.SyntheticInputs.Make(graph, name == "ppocrv2-cls" ? 64 : 16);
        int compared = Compare(name, optimized, graph, inputs, new LoweringOptions { ChannelsLast = true }, 3 * LoweringCheck.Float32);
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {compared} values");
        Assert.True(compared > 20, $"{compared} values");
    }

    /// <summary>Runs the lowered graph, and holds every value of a layer against the original's.</summary>
    private static int Compare(string label, OnnxGraph graph, OnnxGraph original, IReadOnlyDictionary<string, TensorData> inputs, LoweringOptions options, double tolerance)
    {
        LoweredProgram program = GraphLowering.Lower(graph, options, Report.None, CancellationToken.None);
        OnnxGraph tapped = original.Copy();
        foreach (Value value in tapped.Body.Values.Where(v => v.Producer is not null && !v.IsGraphOutput).ToList()) tapped.Body.AddOutput(value);
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(tapped), new OrtOptions());
        IReadOnlyDictionary<string, TensorData> expected = session.Run(inputs.Where(i => session.InputNames.Contains(i.Key)).ToDictionary(), null, CancellationToken.None);
        int compared = 0;
        new ReferenceDevice(program).Run(inputs, CancellationToken.None, (region, read) =>
        {
            foreach (LayerValue value in region.Values)
            {
                foreach (string name in value.Tensors)
                {
                    if (!expected.TryGetValue(name, out TensorData? wanted)) continue;
                    LoweringCheck.Close($"{label}, {region.Name}, '{name}'", wanted, read(value.View), tolerance);
                    compared++;
                }
            }
        });
        return compared;
    }
}
