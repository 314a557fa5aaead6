using Google.Protobuf;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Ir;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;
using TrtTools.Tests;
using Access = TrtTools.Kernels.Access;

namespace TrtTools.Tactics;

public sealed class PlanWriterTests
{
    private static KernelLaunch Launch(RegionStep step, KernelSource source)
    {
        LoopNest nest = step.Region.Nests[0];
        IReadOnlyList<TensorView> reads = RegionViews.Reads(step.Region);
        return new KernelLaunch
        {
            Name = "scale", Source = source, Grid = [DimExpr.CeilDiv(nest.Space[0].Extent * 4, 128)], Block = [128],
            Arguments = [.. reads.Select(r => new PointerArgument(r.Storage, r.Offset, Access.Read)), new PointerArgument(nest.Target.Storage, nest.Target.Offset, Access.Write), new ExtentArgument(nest.Space[0].Extent, Wide: false)],
        };
    }

    private static Plan Write(LoweredProgram program, RegionStep step, IReadOnlyList<TacticLaunch> launches, out IReadOnlyList<Layer> layers, out BlobStore blobs, params KernelSource[] sources)
    {
        Plan plan = new();
        blobs = new BlobStore();
        ChosenStep chosen = new(step, new Tactic { Name = "generated", Launches = launches });
        layers = PlanWriter.Write(program, new Dictionary<RegionStep, ChosenStep> { [step] = chosen }, sources.ToDictionary(s => s, s => new CompiledSource(s, "sm_90a", [1, 2, 3], KernelResources.Parse(""))), blobs, plan);
        return plan;
    }

    [Fact]
    public void A_program_becomes_tables_and_launches()
    {
        LoweredProgram program = TacticPrograms.Scale(out RegionStep step);
        KernelSource source = TacticPrograms.Source("scale");
        Plan plan = Write(program, step, [new KernelTacticLaunch(Launch(step, source))], out IReadOnlyList<Layer> layers, out BlobStore blobs, source);

        Assert.Equal(["16*{batch size}", "{batch size}", "4", "16", "floor(({batch size}+31)/32)", "1", "0"], plan.Extents);
        Assert.Equal(["x", "y", "w"], plan.Buffers.Select(b => b.Name));
        Assert.Equal([BufferKind.Input, BufferKind.Output, BufferKind.Weight], plan.Buffers.Select(b => b.Kind));
        Assert.Equal(["{batch size}", "4"], plan.Buffers[0].Shape.Select(e => plan.Extents[(int)e]));
        Assert.Equal("16*{batch size}", plan.Extents[(int)plan.Buffers[0].Bytes]);
        Symbol symbol = Assert.Single(plan.Symbols);
        Assert.Equal(("batch size", 0u, 0u), (symbol.Name, symbol.Buffer, symbol.Axis));

        Engines.Proto.Launch launch = Assert.Single(Assert.Single(plan.Body.Steps).Device.Launches);
        Assert.Equal([0u, 2u], launch.Reads);
        Assert.Equal([1u], launch.Writes);
        Assert.Equal("floor(({batch size}+31)/32)", plan.Extents[(int)launch.Kernel.Grid[0]]);
        Assert.Equal([128u, 1u, 1u], launch.Kernel.Block);
        Assert.Empty(launch.Kernel.Cluster);
        Assert.Equal(Argument.ValueOneofCase.Extent32, launch.Kernel.Arguments[^1].ValueCase);

        KernelImage image = Assert.Single(plan.Images);
        Assert.Equal(("scale", "sm_90a"), (image.Function, image.Architecture));
        Assert.Equal([1, 2, 3], blobs.Content[(int)image.Blob].Bytes.ToArray());
        Assert.Equal(source.Text, System.Text.Encoding.UTF8.GetString(blobs.Content[(int)image.Source - 1].Bytes));
        Assert.Equal(plan.Blobs.Count, blobs.Content.Count);

        Layer layer = Assert.Single(layers);
        Assert.Equal(("scale", "Mul", "generated", "Fp32"), (layer.Name, layer.Kind, layer.Tactic, layer.Precision));
        Assert.Equal("Float32[batch size,4]", layer.InputShape);
        Assert.Equal("Float32[batch size,4]", layer.OutputShape);
        Assert.Equal(16, layer.WeightBytes);
        Assert.Equal(["mul_1"], layer.SourceNodes);
    }

    [Fact]
    public void Equal_programs_give_equal_bytes()
    {
        byte[] Once()
        {
            LoweredProgram program = TacticPrograms.Scale(out RegionStep step);
            KernelSource source = TacticPrograms.Source("scale");
            return Write(program, step, [new KernelTacticLaunch(Launch(step, source))], out _, out _, source).ToByteArray();
        }
        Assert.Equal(Once(), Once());
    }

    [Fact]
    public void A_library_call_keeps_its_algorithm_settings_and_scratch_memory()
    {
        LoweredProgram program = TacticPrograms.Scale(out RegionStep step);
        Storage workspace = TacticPrograms.Scratch("workspace", DataType.UInt8, 1024);
        LibraryTacticLaunch call = new("cublasLt", "matmul")
        {
            Operands = [new(program.Inputs[0].Storage, 1, Access.Read), new(program.Outputs[0].Storage, 0, Access.ReadWrite), new(workspace, 0, Access.ReadWrite)], Extents = [4, DimExpr.Symbol("batch size")],
            Settings = new Dictionary<string, string> { ["epilogue"] = "bias", ["compute"] = "f32" }, Algorithm = [7, 8], Version = "13.1.0", WorkspaceBytes = 1024,
        };
        Plan plan = Write(program, step, [call], out _, out _);
        Engines.Proto.Launch launch = Assert.Single(plan.Body.Steps[0].Device.Launches);
        Assert.Equal(["compute", "epilogue"], launch.Library.Settings.Select(s => s.Key));
        Assert.Equal(ByteString.CopyFrom(7, 8), launch.Library.Algorithm);
        Assert.Equal((1024ul, "13.1.0"), (launch.Library.WorkspaceBytes, launch.Library.Version));
        Assert.Equal("4", plan.Extents[(int)launch.Library.Operands[0].Offset]);
        Assert.Equal([0u, 1u, 2u], launch.Reads);
        Assert.Equal([1u, 2u], launch.Writes);
        Assert.Equal(BufferKind.Scratch, plan.Buffers[2].Kind);
    }

    [Fact]
    public void A_kernel_that_was_not_compiled_is_no_plan()
    {
        LoweredProgram program = TacticPrograms.Scale(out RegionStep step);
        Assert.Throws<InvalidOperationException>(() => Write(program, step, [new KernelTacticLaunch(Launch(step, TacticPrograms.Source("scale")))], out _, out _));
    }

    [Fact]
    public void Host_steps_part_device_segments()
    {
        LoweredProgram scaled = TacticPrograms.Scale(out RegionStep first);
        KernelSource source = TacticPrograms.Source("scale");
        RegionStep second = new(first.Region);
        TensorView x = scaled.Inputs[0], z = TensorView.Dense(TacticPrograms.Scratch("z", DataType.Float32, x.Shape[0], 4), x.Shape);
        OnnxGraph unique = TestGraphs.Parse("x: Float32[n,4] -> y { y = Relu(x) }");
        HostGraphStep host = new("host", unique, [x], [z]) { SourceNodes = ["relu_1"] };
        LoweredProgram program = new() { Name = "p", Inputs = scaled.Inputs, Outputs = scaled.Outputs, Symbols = scaled.Symbols, Steps = [first, host, second] };
        Tactic tactic = new() { Name = "generated", Launches = [new KernelTacticLaunch(Launch(first, source))] };
        Plan plan = new();
        IReadOnlyList<Layer> layers = PlanWriter.Write(program, new[] { first, second }.ToDictionary(s => s, s => new ChosenStep(s, tactic)),
            new Dictionary<KernelSource, CompiledSource> { [source] = new(source, "sm_80", [], KernelResources.Parse("")) }, new BlobStore(), plan);
        Assert.Equal([Step.KindOneofCase.Device, Step.KindOneofCase.Host, Step.KindOneofCase.Device], plan.Body.Steps.Select(s => s.KindCase));
        HostStep step = plan.Body.Steps[1].Host;
        Assert.Equal(["x"], step.Inputs);
        Assert.Equal("z", plan.Buffers[(int)step.OutputBuffers[0]].Name);
        Assert.Equal(["{batch size}", "4"], plan.Buffers[(int)step.OutputBuffers[0]].Shape.Select(e => plan.Extents[(int)e]));
        Assert.Equal([0u, 1u, 2u], [plan.Body.Steps[0].Device.Launches[0].Layer, step.Layer, plan.Body.Steps[2].Device.Launches[0].Layer]);
        Assert.Equal(["relu_1"], layers[1].SourceNodes);
        Assert.Single(plan.Images);
    }
}
