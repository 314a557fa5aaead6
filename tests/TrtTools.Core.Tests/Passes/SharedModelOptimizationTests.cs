using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Passes;

public sealed class SharedModelOptimizationTests(ITestOutputHelper output)
{
    /// <summary>ONNX Runtime has no kernels for its experimental operators.</summary>
    private const string NotRunnable = "style-candy";

    /// <summary>Nodes that OnnxSlim 0.1.96 leaves, with ONNX Runtime to fold constants.</summary>
    private static readonly Dictionary<string, int> s_peerNodes = new(StringComparer.Ordinal)
    {
        ["blazeface-front-128"] = 93, ["light-shufflenet-rw"] = 154, ["light-squeezenet-rw"] = 65, ["magika-standard-v2-1"] = 68,
        ["mlsd-320-tiny"] = 97, ["mnist-cntk"] = 8, ["polygraphy-residual-block"] = 10, ["ppocrv2-cls"] = 180,
        ["ppocrv4-rec"] = 393, ["silero-vad-16k-op15"] = 76, ["silero-vad-op18-ifless"] = 90, ["silero-vad-openvino-16k"] = 36,
        ["silero-vad-v6"] = 152, ["style-candy"] = 59, ["synth-bert-mini-dynq-int8"] = 420, ["synth-bert-mini"] = 332,
        ["ultraface-rfb-320-nopost"] = 110, ["ultraface-rfb-320-simplified"] = 110, ["ultraface-rfb-320"] = 125, ["ultraface-slim-320-qdq-int8"] = 265,
        ["ultraface-slim-320-simplified"] = 95, ["wakeword-hello-deepa"] = 25,
    };

    [Fact]
    public void Optimized_models_compute_the_same_and_come_out_the_same_twice()
    {
        foreach (string name in SharedModels.Names)
        {
            OnnxGraph original = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
            OnnxGraph optimized = Optimize(original);
            output.WriteLine($"{name}: {original.Body.NodesWithSubgraphs.Count()} nodes, optimized {optimized.Body.NodesWithSubgraphs.Count()}");
            byte[] bytes = OnnxFile.Serialize(optimized);
            Assert.True(bytes.AsSpan().SequenceEqual(OnnxFile.Serialize(Optimize(original))), name);
            long size = new FileInfo(SharedModels.Path(name)).Length;
            Assert.True(bytes.LongLength <= size * 1.05, $"{name}: {size} bytes became {bytes.LongLength}");
            if (s_peerNodes.TryGetValue(name, out int most)) Assert.InRange(optimized.Body.NodesWithSubgraphs.Count(), 1, most);
            Assert.Equal(original.Outputs.Select(o => o.Name), optimized.Outputs.Select(o => o.Name));
            Assert.Equal(original.Inputs.Select(o => o.Name), optimized.Inputs.Select(o => o.Name));
            if (name == NotRunnable) continue;
            foreach (IReadOnlyDictionary<string, TensorData> inputs in SampleData.Inputs(name, original)) AssertSame(original, optimized, inputs, name);
        }
    }

    [Fact]
    public void Silero_at_16_kHz_becomes_one_flat_graph()
    {
        OnnxGraph original = OnnxFile.Import(SharedModels.Path("silero-vad-v6"), Report.None, CancellationToken.None);
        OptimizeOptions options = new() { InputValue = new Dictionary<string, Tensor> { ["sr"] = new("sr", TensorData.From<long>([16000], [])) } };
        OnnxGraph optimized = GraphOptimizer.Optimize(original, options, Report.None, CancellationToken.None);
        output.WriteLine($"{optimized.Body.NodesWithSubgraphs.Count()} nodes");
        Assert.InRange(optimized.Body.NodeCount, 1, 40);
        Assert.DoesNotContain(optimized.Body.Nodes, n => n.Subgraphs.Any());
        Assert.Equal(["input", "state"], optimized.Inputs.Select(i => i.Name));
        IReadOnlyDictionary<string, TensorData> inputs = SampleData.Inputs("silero-vad-v6", original).First(i => i["sr"].ToInt64()[0] == 16000);
        AssertSame(original, optimized, inputs, "silero");
    }

    private static OnnxGraph Optimize(OnnxGraph graph) => GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None);

    private static void AssertSame(OnnxGraph original, OnnxGraph other, IReadOnlyDictionary<string, TensorData> inputs, string model)
    {
        // Not the reference files: dynamically quantized models give other results on processors without VNNI.
        IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(original, inputs, CancellationToken.None);
        IReadOnlyDictionary<string, TensorData> actual = ModelRunner.Run(other, inputs, CancellationToken.None);
        foreach (string name in expected.Keys) Results.AssertClose(expected[name], actual[name], 1e-4, $"{model} {name}");
    }
}

/// <summary>The inputs that come with the shared models.</summary>
internal static class SampleData
{
    public static IEnumerable<IReadOnlyDictionary<string, TensorData>> Inputs(string model, OnnxGraph graph)
    {
        string[] names = [.. graph.Inputs.Select(i => i.Name)];
        foreach (string folder in SharedModels.DataSets(model))
        {
            Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
            for (int i = 0; File.Exists(Path.Combine(folder, $"input_{i}.pb")); i++)
            {
                TensorData data = OnnxFile.ReadTensor(File.ReadAllBytes(Path.Combine(folder, $"input_{i}.pb")), out string name);
                inputs[names.Contains(name) ? name : names[i]] = data;
            }
            yield return inputs;
        }
    }
}

public sealed class SharedModelFusionTests(ITestOutputHelper output)
{
    [Fact]
    public void Fused_models_compute_the_same_raw_or_optimized_and_expand_again()
    {
        foreach (string name in SharedModels.Names)
        {
            OnnxGraph original = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
            OnnxGraph optimized = GraphOptimizer.Optimize(original, new OptimizeOptions(), Report.None, CancellationToken.None);
            OnnxGraph fused = Fuse(original);
            output.WriteLine($"{name}: {original.Body.NodesWithSubgraphs.Count()} nodes, optimized {optimized.Body.NodesWithSubgraphs.Count()}, fused {fused.Body.NodesWithSubgraphs.Count()}, functions {fused.Functions.Count}");
            Assert.True(OnnxFile.Serialize(fused).AsSpan().SequenceEqual(OnnxFile.Serialize(Fuse(original))), name);
            Assert.Equal(TestGraphs.Nodes(fused), TestGraphs.Nodes(Fuse(optimized)));
            OnnxGraph expanded = FunctionExpansion.Expand(fused);
            OnnxGraph plain = LayerFusion.Fuse(original, new FusionOptions { Pattern = ["ConvBatchNorm"] }, Report.None, CancellationToken.None);
            Assert.Equal(Lines(plain), Lines(expanded));
            Assert.Equal(plain.Body.Initializers.Select(i => i.Name).Order(StringComparer.Ordinal), expanded.Body.Initializers.Select(i => i.Name).Order(StringComparer.Ordinal));
            if (name == "style-candy") continue;
            foreach (IReadOnlyDictionary<string, TensorData> inputs in SampleData.Inputs(name, original))
            {
                IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(original, inputs, CancellationToken.None);
                IReadOnlyDictionary<string, TensorData> actual = ModelRunner.Run(fused, inputs, CancellationToken.None);
                foreach (string result in expected.Keys) Results.AssertClose(expected[result], actual[result], 1e-4, $"{name} {result}");
            }
        }
    }

    private static OnnxGraph Fuse(OnnxGraph graph) => LayerFusion.Fuse(graph, new FusionOptions(), Report.None, CancellationToken.None);

    private static IEnumerable<string> Lines(OnnxGraph graph) => graph.Body.NodesWithSubgraphs.Select(n => $"{n.Name}: {n} {string.Join(", ", n.Outputs.Select(o => o?.Type?.ToString()))}").Order(StringComparer.Ordinal);
}
