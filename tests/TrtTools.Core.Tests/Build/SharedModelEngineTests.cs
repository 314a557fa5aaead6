using System.Collections.Specialized;
using TrtTools.Build;
using TrtTools.Comparison;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Tests.Build;

/// <summary>Import → optimize → fuse → build → save → load → run equals the reference outputs.</summary>
public sealed class SharedModelEngineTests
{
    public static TheoryData<string> Models => [.. SharedModelNames.All];

    [Theory]
    [MemberData(nameof(Models))]
    public void The_whole_line_gives_the_reference_outputs(string name)
    {
        string path = SharedModels.Path(name);
        CancellationToken stop = TestContext.Current.CancellationToken;
        using OnnxGraph raw = OnnxFile.Import(path, Report.None, stop);
        BuildOptions options = new() { Device = DeviceKind.Cpu };
        if (name == "style-candy")
        {
            TrtToolsException e = Assert.Throws<TrtToolsException>(() => EngineBuilder.Build(raw, options, Report.None, stop));
            Assert.Equal(ErrorCode.UnsupportedOperator, e.Code);
            foreach (string op in new[] { "Crop", "Affine", "ImageScaler" }) Assert.Contains(op, e.Message, StringComparison.Ordinal);
            return;
        }
        using OnnxGraph optimized = GraphOptimizer.Optimize(raw, new OptimizeOptions(), Report.None, stop);
        using OnnxGraph fused = LayerFusion.Fuse(optimized, new FusionOptions(), Report.None, stop);
        using Engine built = EngineBuilder.Build(fused, options, Report.None, stop);
        using Engine fromRaw = EngineBuilder.Build(raw, options, Report.None, stop);
        Assert.Equal(fromRaw.Id, built.Id);
        using TestFolder folder = new();
        EngineFile.Save(built, folder.File("a.engine"), force: false);
        using Engine engine = EngineFile.Load(folder.File("a.engine"), Report.None, stop);
        Assert.Equal(built.SizeBytes, new FileInfo(folder.File("a.engine")).Length);
        IReadOnlyList<OutputComparison> results = EngineComparison.Compare(engine, new CompareOptions { ExpectedPath = Path.GetDirectoryName(path) }, Report.None, stop);
        Assert.Equal(engine.Outputs.Count, results.Count);
        foreach (OutputComparison result in results)
        {
            if (engine.Precision == "Int8")
            {
                Assert.True(result.Cosine >= 0.999, $"{result.Output}: cosine {result.Cosine}");
                Assert.False(result.HasNaN);
            }
            else
            {
                Assert.True(result.Passed, $"{result.Output}: {result.Reason}");
                Assert.True(result.MaxAbsoluteError <= 1e-4 * result.Scale);
            }
        }
        Assert.NotEmpty(engine.Layers);
        // Made-up inputs with which a model of dynamic shape runs are not found for every one.
        if (engine.Inputs.All(i => !i.Shape.Contains(-1))) Assert.Contains(engine.Layers, l => l.MedianMs > 0);
    }

    [Fact]
    public void The_original_file_is_the_default_reference()
    {
        using OnnxGraph raw = OnnxFile.Import(SharedModels.Path("mnist-cntk"), Report.None, TestContext.Current.CancellationToken);
        using Engine engine = EngineBuilder.Build(raw, new BuildOptions { Device = DeviceKind.Cpu }, Report.None, TestContext.Current.CancellationToken);
        OutputComparison result = Assert.Single(EngineComparison.Compare(engine, new CompareOptions(), Report.None, TestContext.Current.CancellationToken));
        Assert.True(result.Passed, result.Reason);
        Assert.Contains("model.onnx", result.Reference, StringComparison.Ordinal);
    }
}

internal static class SharedModelNames
{
    /// <summary>All models, known without the folder, so that the tests are listed, and skipped, where it is not.</summary>
    public static readonly string[] All =
    [
        "blazeface-front-128", "light-shufflenet-rw", "light-squeezenet-rw", "magika-standard-v2-1", "mlsd-320-tiny", "mnist-cntk", "polygraphy-residual-block", "ppocrv2-cls",
        "ppocrv4-rec", "silero-vad-16k-op15", "silero-vad-op18-ifless", "silero-vad-openvino-16k", "silero-vad-v6", "style-candy", "synth-bert-mini", "synth-bert-mini-dynq-int8",
        "ultraface-rfb-320", "ultraface-rfb-320-nopost", "ultraface-rfb-320-simplified", "ultraface-slim-320-qdq-int8", "ultraface-slim-320-simplified", "wakeword-hello-deepa",
    ];
}
