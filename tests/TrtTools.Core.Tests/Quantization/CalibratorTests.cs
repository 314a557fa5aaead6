using System.Collections;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Passes;
using TrtTools.Quantization;
using TrtTools.Tensors;

namespace TrtTools.Tests.Quantization;

public sealed class CalibratorTests
{
    private static readonly CancellationToken s_never = CancellationToken.None;

    private static string Digits(string file)
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string path = Path.Combine(at.FullName, "examples", "digits", file);
            if (File.Exists(path)) return path;
        }
        Assert.Skip("No folder examples/digits above the tests.");
        return "";
    }

    private static OnnxGraph Model() => OnnxFile.Import(Digits("digits.onnx"), Report.None, s_never);

    private static CalibrationCache Calibrate(OnnxGraph graph, InputSource? data = null) =>
        Calibrator.Calibrate(graph, data ?? InputSources.FromPath(Digits("calibration.npz"), graph), new CalibrationOptions(), Report.None, s_never);

    [Fact]
    public void Raw_optimized_and_fused_give_the_same_INT8_from_any_cache()
    {
        OnnxGraph raw = Model();
        OnnxGraph optimized = GraphOptimizer.Optimize(raw, new OptimizeOptions(), Report.None, s_never);
        OnnxGraph fused = LayerFusion.Fuse(optimized, new FusionOptions(), Report.None, s_never);
        OnnxGraph fusedRaw = LayerFusion.Fuse(raw, new FusionOptions(), Report.None, s_never);
        OnnxGraph[] graphs = [raw, optimized, fused, fusedRaw];
        CalibrationCache[] caches = [.. graphs.Select(g => Calibrate(g))];
        Assert.All(caches, c => Assert.Equal(caches[0].GraphHash, c.GraphHash));
        Assert.All(caches, c => Assert.Equal(caches[0].DataHash, c.DataHash));
        byte[]? first = null;
        foreach (CalibrationCache cache in caches)
        {
            foreach (OnnxGraph graph in graphs)
            {
                byte[] bytes = OnnxFile.Serialize(Quantizer.Quantize(graph, cache, new QuantizeOptions(), Report.None, s_never));
                first ??= bytes;
                Assert.True(bytes.AsSpan().SequenceEqual(first), $"cache of graph {Array.IndexOf(caches, cache)} on graph {Array.IndexOf(graphs, graph)}");
            }
        }
    }

    [Fact]
    public void The_simplified_form_of_a_fused_model_is_that_of_the_raw_one()
    {
        List<string> different = [];
        foreach (string name in SharedModels.Names)
        {
            OnnxGraph raw = OnnxFile.Import(SharedModels.Path(name), Report.None, s_never);
            OnnxGraph fused = LayerFusion.Fuse(raw, new FusionOptions(), Report.None, s_never);
            if (!OnnxFile.Serialize(CanonicalGraph.Of(raw, s_never)).AsSpan().SequenceEqual(OnnxFile.Serialize(CanonicalGraph.Of(fused, s_never)))) different.Add(name);
        }
        Assert.Empty(different);
    }

    [Fact]
    public void Neither_order_nor_batch_size_matters()
    {
        OnnxGraph graph = Model();
        Tensor all = TensorFile.Read(Digits("calibration.npz")).Single();
        float[] pixels = (float[])all.Data;
        CalibrationCache forward = Calibrate(graph);
        foreach (int batch in new[] { 5, 32 })
        {
            List<IDictionary> samples = [.. pixels.Chunk(64 * batch).Reverse().Select(c => (IDictionary)new Hashtable { ["image"] = new Tensor("image", TensorData.From<float>(c, c.Length / 64, 1, 8, 8)) })];
            CalibrationCache other = Calibrate(graph, InputSources.FromDictionaries(samples, InputInfo.Of(graph)));
            // ONNX Runtime may add up in another order for another batch; a histogram moves by that much and no more.
            Assert.All(forward.Tensors.Zip(other.Tensors), p => Assert.Equal(p.First.Scale, p.Second.Scale, p.First.Scale * 1e-3f));
        }
        List<IDictionary> shuffled = [.. pixels.Chunk(64).Reverse().Select(c => (IDictionary)new Hashtable { ["image"] = new Tensor("image", TensorData.From<float>(c, 1, 1, 8, 8)) })];
        CalibrationCache backward = Calibrate(graph, InputSources.FromDictionaries(shuffled, InputInfo.Of(graph)));
        Assert.Equal(forward.Tensors, backward.Tensors);
        Assert.Equal(forward.DataHash, backward.DataHash);
        Assert.Equal(forward.FloatLayers, backward.FloatLayers);
    }

    [Fact]
    public void Digits_keep_their_accuracy_in_a_third_of_the_size()
    {
        OnnxGraph graph = Model();
        OnnxGraph result = Quantizer.Quantize(graph, Calibrate(graph), new QuantizeOptions { CpuEncoding = true }, Report.None, s_never);
        Dictionary<string, Tensor> heldOut = TensorFile.Read(Digits("heldout.npz")).ToDictionary(t => t.Name, StringComparer.Ordinal);
        long[] labels = heldOut["label"].Content.ToInt64();
        Assert.True(OnnxFile.Serialize(result).Length <= 0.3 * OnnxFile.Serialize(graph).Length);
        Assert.InRange(Correct(result), Correct(graph) - labels.Length / 100, labels.Length);

        int Correct(OnnxGraph model)
        {
            using OrtSession session = OrtSession.Create(OnnxFile.Serialize(model), new OrtOptions { Optimization = OrtOptimization.Full, Configuration = [new("session.x64quantprecision", "1")] });
            float[][] logits = [.. session.Run(new Dictionary<string, TensorData> { ["image"] = heldOut["image"].Content })["logits"].AsSpan<float>().ToArray().Chunk(10)];
            return Enumerable.Range(0, labels.Length).Count(i => Array.IndexOf(logits[i], logits[i].Max()) == labels[i]);
        }
    }

    [Fact]
    public void What_is_not_finite_is_named_with_its_sample()
    {
        OnnxGraph graph = Model();
        float[] bad = new float[64];
        bad[9] = float.NaN;
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Calibrate(graph, InputSources.FromDictionaries([new Hashtable { ["image"] = new float[64] }, new Hashtable { ["image"] = bad }], InputInfo.Of(graph))));
        Assert.Equal(ErrorCode.CalibrationDataInvalid, e.Code);
        Assert.Contains("'image', sample 2", e.Message, StringComparison.Ordinal);
        OnnxGraph divides = GraphText.Parse("<opset 13> x: Float32[2] -> y { z = Log(x); y = Neg(z) }");
        e = Assert.Throws<TrtToolsException>(() => Calibrate(divides, InputSources.FromDictionaries([new Hashtable { ["x"] = new[] { 1, 0 } }], InputInfo.Of(divides))));
        Assert.Contains("'z', sample 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_samples_are_an_error()
    {
        OnnxGraph graph = Model();
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Calibrate(graph, InputSources.FromDictionaries([], InputInfo.Of(graph))));
        Assert.Equal(ErrorCode.CalibrationDataInvalid, e.Code);
    }

    [Fact]
    public void Statistics_are_those_of_the_tensor()
    {
        OnnxGraph graph = GraphText.Parse("<opset 13> x: Float32[4] -> y { y = Relu(x) }");
        CalibrationCache cache = Calibrator.Calibrate(graph, InputSources.FromDictionaries([new Hashtable { ["x"] = new[] { -3, 0, 1, 2 } }, new Hashtable { ["x"] = new[] { 0.5, 0, 0, 0 } }], InputInfo.Of(graph)),
            new CalibrationOptions { Algorithm = CalibrationAlgorithm.MinMax }, Report.None, s_never);
        Assert.Equal((-3f, 2f, 3f, 3f / 127), (cache.Tensors[0].Min, cache.Tensors[0].Max, cache.Tensors[0].AbsoluteMax, cache.Tensors[0].Scale));
        Assert.Equal((0f, 2f, 2f, 2f / 127), (cache.Tensors[1].Min, cache.Tensors[1].Max, cache.Tensors[1].AbsoluteMax, cache.Tensors[1].Scale));
        Assert.Equal(2, cache.SampleCount);
    }

    [Fact]
    public void Few_activations_at_a_time_give_the_same()
    {
        OnnxGraph graph = Model();
        CalibrationCache bounded = Calibrator.Calibrate(graph, InputSources.FromPath(Digits("calibration.npz"), graph), new CalibrationOptions { ActivationLimitBytes = 5000 }, Report.None, s_never);
        Assert.Equal(Calibrate(graph).Tensors, bounded.Tensors);
    }

    [Fact]
    public void Progress_is_told_and_synthetic_data_warned_of()
    {
        OnnxGraph graph = Model();
        RecordingReport report = new();
        CalibrationCache cache = Calibrator.Calibrate(graph, InputSources.Synthetic(InputInfo.Of(graph), 3), new CalibrationOptions { OutputSqnr = 0 }, report, s_never);
        Assert.Equal([1.0 / 3, 2.0 / 3, 1], report.Fractions);
        Assert.True(cache.IsSynthetic);
        Assert.Single(report.Warnings);
    }

    [Fact]
    public void A_stop_ends_it()
    {
        OnnxGraph graph = Model();
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Calibrator.Calibrate(graph, InputSources.FromPath(Digits("calibration.npz"), graph), new CalibrationOptions(), Report.None, source.Token));
    }

    [Theory]
    [InlineData("ultraface-slim-320-simplified")]
    [InlineData("mlsd-320-tiny")]
    public void Shared_models_keep_their_outputs(string name)
    {
        OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, s_never);
        IReadOnlyDictionary<string, Tensor> sample = InputSources.FromPath(Path.GetDirectoryName(SharedModels.Path(name))!, graph).Read(s_never).First();
        CalibrationCache cache = Calibrate(graph, InputSources.FromDictionaries([(IDictionary)sample.ToDictionary(p => p.Key, p => p.Value)], InputInfo.Of(graph)));
        Dictionary<string, TensorData> inputs = sample.ToDictionary(p => p.Key, p => p.Value.Content);
        IReadOnlyDictionary<string, TensorData> expected = Run(graph), actual = Run(Quantizer.Quantize(graph, cache, new QuantizeOptions { CpuEncoding = true }, Report.None, s_never));
        Assert.All(expected, e =>
        {
            double[] x = e.Value.ToDouble(), y = actual[e.Key].ToDouble();
            Assert.InRange(x.Zip(y, (a, b) => a * b).Sum() / Math.Sqrt(x.Sum(v => v * v) * y.Sum(v => v * v)), 0.99, 1.0001);
        });

        IReadOnlyDictionary<string, TensorData> Run(OnnxGraph model)
        {
            using OrtSession session = OrtSession.Create(OnnxFile.Serialize(model), new OrtOptions { Optimization = OrtOptimization.Full, Configuration = [new("session.x64quantprecision", "1")] });
            return session.Run(inputs);
        }
    }
}
