using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Onnx;
using TrtTools.Tensors;
using TrtTools.Tests;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Build;

/// <summary>The plans of real models go through the runtime on the Null device: every index, extent, place and order of theirs is checked there.</summary>
public sealed class SharedModelPlanTests
{
    public static TheoryData<string> Models => SharedModels.Exists ? [.. SharedModels.Names] : [""];

    [Theory]
    [MemberData(nameof(Models))]
    public void A_models_plan_passes_the_runtimes_checks(string name)
    {
        OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
        using Engine built = Build(graph);
        NullDevice device = new();
        using (Engine engine = new(built.Header, built.Content, null, 0) { OpenDevice = () => device })
        {
            IReadOnlyDictionary<string, Tensor> inputs = InputSources.FromPath(Path.GetDirectoryName(SharedModels.Path(name))!, graph).Read(CancellationToken.None).First();
            using ExecutionContext context = engine.CreateContext();
            for (int run = 0; run < 3; run++) Assert.Equal(engine.Outputs.Select(o => o.Name), context.Run(inputs).Keys.Cast<string>());
            Assert.NotEmpty(device.Launches);
        }
        Assert.Equal(0, device.LiveResources);
    }

    private static Engine Build(OnnxGraph graph)
    {
        try
        {
            return EngineBuilder.Build(graph, new BuildOptions { Device = DeviceKind.Cuda, Target = new CudaTarget { Name = "a GPU", Capability = 90, Compiles = false }, OptimizationLevel = 0 }, Report.None, CancellationToken.None);
        }
        catch (TrtToolsException e) when (e.Code == ErrorCode.UnsupportedOperator)
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}
