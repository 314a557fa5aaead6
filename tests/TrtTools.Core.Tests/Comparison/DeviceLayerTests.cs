using TrtTools.Build;
using TrtTools.Comparison;
using TrtTools.Cuda;
using TrtTools.Data;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Tests.Comparison;

/// <summary>Layers of an engine for a GPU, on the Null device: its kernels do what the test says, its memory and copies are real.</summary>
public sealed unsafe class DeviceLayerTests
{
    // Two products that cannot be joined, and a bias that is part of the first.
    private const string Text = "x: Float32[16,8] -> y { w1 = Float32[8,6] random(1); b = Float32[6] random(2); w2 = Float32[6,3] random(3); p = MatMul(x, w1); m = Add(p, b); r = Relu(m); y = MatMul(r, w2) }";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static readonly TensorData X = GraphText.Random(DataType.Float32, [16, 8], 7);

    private static Engine Build(OnnxGraph graph, bool fp16, NullDevice device)
    {
        BuildOptions options = new() { Device = Engines.DeviceKind.Cuda, Target = new CudaTarget { Name = "a GPU", Capability = 90, Compiles = false }, OptimizationLevel = 0, NoLibrary = true, Fp16 = fp16 };
        using Engine built = EngineBuilder.Build(graph, options, Report.None, Stop);
        Assert.All(built.Layers, l => Assert.Equal("generated", l.Tactic));
        return new Engine(built.Header, built.Content, null, 0) { OpenDevice = () => device };
    }

    /// <summary>What a layer's kernel writes: the tensor that the model computes there, changed by <paramref name="change"/>.</summary>
    private static void Script(Engine engine, NullDevice device, OnnxGraph graph, Func<string, double, double> change)
    {
        Plan plan = engine.Content.Plan;
        // Generated kernels share names: of one name they come in the order of the plan, run after run.
        foreach (IGrouping<string, Engines.Proto.Launch> same in plan.Body.Steps.SelectMany(s => s.Device.Launches).GroupBy(l => plan.Images[(int)l.Kernel.Image].Function))
        {
            List<Action<KernelArguments>> bodies = [.. same.Select(l => Body(engine, l, graph, change))];
            int calls = 0;
            device.Kernels.Add(same.Key, (_, arguments) => bodies[calls++ % bodies.Count](arguments));
        }
    }

    private static Action<KernelArguments> Body(Engine engine, Engines.Proto.Launch launch, OnnxGraph graph, Func<string, double, double> change)
    {
        // What converts an input says nothing of the model.
        if (engine.Content.Details.Layers[(int)launch.Layer].Tensors.FirstOrDefault()?.Names[0] is not { } name) return _ => { };
        int buffer = (int)launch.Writes.Single(), argument = launch.Kernel.Arguments.ToList().FindIndex(a => a.Address is not null && a.Address.Buffer == buffer);
        double[] right = Values(graph, name).ToDouble();
        TensorData content = Evaluation.TensorMath.FromDouble((DataType)engine.Content.Plan.Buffers[buffer].DataType, [right.Length], [.. right.Select(v => change(name, v))]);
        return arguments => content.Bytes.CopyTo(new Span<byte>((void*)arguments.AddressAt(argument), (int)content.ByteCount));
    }

    private static TensorData Values(OnnxGraph graph, string name)
    {
        OnnxGraph copy = graph.Copy();
        Value value = copy.Body.Find(name)!;
        if (!value.IsGraphOutput) copy.Body.AddOutput(value);
        return Evaluation.ModelRunner.Run(copy, new Dictionary<string, TensorData> { ["x"] = X }, Stop)[name];
    }

    private static IReadOnlyList<LayerDifference> Compare(bool fp16, Func<string, double, double> change, string? plots = null)
    {
        OnnxGraph graph = TestGraphs.Parse(Text);
        NullDevice device = new();
        using Engine engine = Build(graph, fp16, device);
        Script(engine, device, graph, change);
        IReadOnlyList<LayerDifference> found = LayerComparison.Compare(engine, new CompareOptions { ReferenceGraph = graph, PlotPath = plots, InputData = new IndexedInputSource(2, "test", _ => new Dictionary<string, Tensor> { ["x"] = new("x", X) }) }, Report.None, Stop);
        Assert.All(found, l => Assert.Equal(2, l.SampleCount));
        return found;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Each_layers_result_is_read_from_memory_and_compared(bool fp16)
    {
        IReadOnlyList<LayerDifference> found = Compare(fp16, (_, v) => v);
        Assert.Equal(["r", "y"], found.Select(l => l.Tensor));
        Assert.All(found, l => Assert.True(l.Passed, l.Reason));
        Assert.Equal(fp16, found[0].MaxAbsoluteError > 0);
    }

    [Fact]
    public void The_error_begins_where_the_first_wrong_layer_is()
    {
        IReadOnlyList<LayerDifference> found = Compare(false, (name, v) => v + 0.5);
        Assert.Equal([false, false], found.Select(l => l.Passed));
        Assert.Equal([true, false], found.Select(l => l.BeginsHere));
        found = Compare(false, (name, v) => name == "y" ? -v : v);
        Assert.Equal([true, false], found.Select(l => l.Passed));
        Assert.Equal([false, true], found.Select(l => l.BeginsHere));
    }

    [Fact]
    public void Layers_that_do_not_pass_are_drawn()
    {
        using TestFolder folder = new();
        Compare(false, (name, v) => name == "y" ? -v : v, folder.FullPath);
        Assert.Equal(["y-errors.svg", "y-heatmap.svg"], folder.Files);
        Assert.All(folder.Files, f => Assert.Equal("svg", System.Xml.Linq.XDocument.Load(folder.File(f)).Root!.Name.LocalName));
    }

    [Fact]
    public void An_engine_that_does_not_say_where_results_are_is_told_apart()
    {
        OnnxGraph graph = TestGraphs.Parse(Text);
        using Engine engine = Build(graph, false, new NullDevice());
        foreach (Layer layer in engine.Content.Details.Layers) layer.Tensors.Clear();
        Assert.Contains("build the engine again", Assert.Throws<TrtToolsException>(() => LayerComparison.Compare(engine, new CompareOptions { ReferenceGraph = graph }, Report.None, Stop)).Message, StringComparison.OrdinalIgnoreCase);
    }
}
