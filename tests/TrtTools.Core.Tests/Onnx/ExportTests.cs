using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Ort;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Onnx;

public sealed class ExportTests
{
    [Fact]
    public void Fused_nodes_raise_the_IR_version_and_their_functions_import_the_models_opsets()
    {
        using OnnxGraph graph = TestGraphs.Parse("""
            <ir 7, opset 13, com.microsoft 1, trt.tools 1>
            x: Float32[2] -> y { y = trt.tools::Scale(x) }
            function trt.tools::Scale(v) -> r { k = Constant(){value_float=2.0}; r = Mul(v, k) }
            """);
        foreach (Function function in graph.FunctionTable.Values) function.Opset.Clear();
        ModelProto model = Written(graph);
        Assert.Equal(8, model.IrVersion);
        Assert.Equal(["=13", "com.microsoft=1", "trt.tools=1"], model.Functions[0].OpsetImport.Select(o => $"{o.Domain}={o.Version}"));

        graph.Body.First!.SourceNodes = ["mul \"1\"", "const/é"];
        model = Written(graph);
        Assert.Equal(10, model.IrVersion);
        StringStringEntryProto entry = Assert.Single(model.Graph.Node[0].MetadataProps);
        Assert.Equal(("trt.tools.source_nodes", "[\"mul \\\"1\\\"\",\"const/é\"]"), (entry.Key, entry.Value));
        using OnnxGraph back = OnnxFile.Parse(OnnxFile.Serialize(graph), "back");
        Assert.Equal(graph.Body.First.SourceNodes, back.Body.First!.SourceNodes);
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions());
        Assert.Equal([2f, 4f], session.Run(new Dictionary<string, TensorData> { ["x"] = TensorData.Vector(1f, 2f) })["y"].AsSpan<float>().ToArray());
    }

    [Fact]
    public void Origins_travel_with_the_file()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { a: Float32[2] = Neg(x); y = Relu(a) }");
        graph.Body.Find("a")!.Origin = new Origin(["conv.out", "bn: out"]);
        graph.Body.Find("y")!.Origin = Origin.Of("old_y");
        ModelProto model = Written(graph);
        Assert.Equal(10, model.IrVersion);
        using OnnxGraph back = OnnxFile.Parse(Google.Protobuf.MessageExtensions.ToByteArray(model), "back");
        Assert.Equal(["conv.out", "bn: out"], back.Body.Find("a")!.Origin.TensorNames);
        Assert.Equal(["old_y"], back.Body.Find("y")!.Origin.TensorNames);
        Assert.Empty(back.Body.Find("x")!.Origin.TensorNames);
        MessageComparison.Equal(model, Written(back), "again");
    }

    [Fact]
    public void Initializers_leave_the_inputs_with_a_warning_unless_kept()
    {
        using TestFolder folder = new();
        using OnnxGraph graph = TestGraphs.Parse("<ir 3> x: Float32[2], w: Float32[2] -> y { w = Float32[2] [1, 2]; y = Add(x, w) }");
        RecordingReport report = new();
        OnnxFile.Export(graph, folder.File("m.onnx"), new ExportOptions(), report, default);
        ModelProto dropped = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder.File("m.onnx")));
        Assert.Equal(["x"], dropped.Graph.Input.Select(i => i.Name));
        Assert.Equal(4, dropped.IrVersion);
        Assert.Equal("test: 1 initializer(s) left the graph's inputs, so that callers can't replace them any more (w). -KeepOverridableInput keeps them.", Assert.Single(report.Warnings));

        report = new RecordingReport();
        OnnxFile.Export(graph, folder.File("k.onnx"), new ExportOptions { KeepOverridableInput = true }, report, default);
        ModelProto kept = ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder.File("k.onnx")));
        Assert.Equal(["x", "w"], kept.Graph.Input.Select(i => i.Name));
        Assert.Equal(3, kept.IrVersion);
        Assert.Empty(report.Warnings);
    }

    [Fact]
    public void What_is_gone_leaves_no_value_info_and_what_was_renamed_keeps_its_own()
    {
        ModelProto model = Written(TestGraphs.Parse("x: Float32[2] -> y { a: Float32[2] = Relu(x); b: Float32[2] = Neg(a); y = Exp(b) }"));
        model.Graph.QuantizationAnnotation.Add(new TensorAnnotation { TensorName = "a" });
        model.Graph.QuantizationAnnotation.Add(new TensorAnnotation { TensorName = "b" });
        model.Graph.ValueInfo.First(v => v.Name == "b").DocString = "kept";
        using OnnxGraph graph = OnnxFile.Parse(Google.Protobuf.MessageExtensions.ToByteArray(model), "m");
        Node neg = graph.Body.Find("b")!.Producer!;
        neg.SetInput(0, graph.Body.Find("x"));
        graph.Body.Remove(graph.Body.Find("a")!.Producer!);
        graph.Body.Rename(graph.Body.Find("b")!, "c");
        ModelProto written = Written(graph);
        ValueInfoProto info = Assert.Single(written.Graph.ValueInfo);
        Assert.Equal(("c", "kept"), (info.Name, info.DocString));
        Assert.Empty(written.Graph.QuantizationAnnotation);
    }

    [Fact]
    public void Denotations_outlive_a_better_shape()
    {
        using OnnxGraph source = TestGraphs.Parse("x: Float32[N,3] -> y { y = Relu(x) }");
        ModelProto model = Written(source);
        model.Graph.Input[0].Type.TensorType.Shape.Dim[1].Denotation = "DATA_CHANNEL";
        using OnnxGraph graph = OnnxFile.Parse(Google.Protobuf.MessageExtensions.ToByteArray(model), "m");
        graph.Body.Inputs[0].Type = new TensorType(DataType.Float32, SymbolicShape.Of([4, 3]));
        TensorShapeProto shape = Written(graph).Graph.Input[0].Type.TensorType.Shape;
        Assert.Equal([4L, 3L], shape.Dim.Select(d => d.DimValue));
        Assert.Equal("DATA_CHANNEL", shape.Dim[1].Denotation);
    }

    [Fact]
    public void ONNX_Runtime_loads_every_shared_model_with_inferred_shapes_and_external_data()
    {
        using TestFolder folder = new();
        foreach (string name in SharedModels.Names.Where(n => n != "style-candy"))
        {
            using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, default);
            ShapeInference.Infer(graph);
            string path = folder.File(name + ".onnx");
            OnnxFile.Export(graph, path, new ExportOptions { ExternalData = true }, Report.None, default);
            using OrtSession session = OrtSession.FromFile(path, new OrtOptions());
            Assert.Equal(graph.Inputs.Select(i => i.Name), session.InputNames);
        }
    }

    [Fact]
    public void ONNX_Runtime_loads_every_fused_model_and_so_do_we()
    {
        using TestFolder folder = new();
        foreach (string name in SharedModels.Names.Where(n => n != "style-candy"))
        {
            using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, default);
            using OnnxGraph fused = TrtTools.Passes.LayerFusion.Fuse(graph, new TrtTools.Passes.FusionOptions(), Report.None, default);
            string path = folder.File(name + ".onnx");
            OnnxFile.Export(fused, path, new ExportOptions(), Report.None, default);
            using OrtSession session = OrtSession.FromFile(path, new OrtOptions());
            Assert.Equal(graph.Outputs.Select(o => o.Name), session.OutputNames);
            using OnnxGraph back = OnnxFile.Import(path, Report.None, default);
            MessageComparison.Equal(ModelProto.Parser.ParseFrom(File.ReadAllBytes(path)), Written(back), name);
        }
    }

    [Fact]
    public void Functions_are_expanded_on_request()
    {
        using TestFolder folder = new();
        using OnnxGraph graph = TestGraphs.Parse("""
            <ir 8, opset 17, trt.tools 1>
            x: Float32[2] -> y { y = trt.tools::Outer(x){by=3.0} }
            function trt.tools::Outer<by>(v) -> r { a = trt.tools::Scale(v){by=$by:Float}; r = Neg(a) }
            function trt.tools::Scale<by>(v) -> r { k = Constant(){value_float=$by:Float}; r = Mul(v, k) }
            """);
        OnnxFile.Export(graph, folder.File("m.onnx"), new ExportOptions { ExpandFunction = true }, Report.None, default);
        using OnnxGraph expanded = OnnxFile.Import(folder.File("m.onnx"), Report.None, default);
        Assert.Equal(["Constant", "Mul", "Neg"], expanded.Nodes.Select(n => n.OpType));
        Assert.Empty(expanded.Functions);
        Assert.Equal(["ai.onnx"], expanded.Opset.Keys);
        Assert.Equal(2, graph.Functions.Count);
        using OrtSession session = OrtSession.FromFile(folder.File("m.onnx"), new OrtOptions());
        Assert.Equal([-3f, -6f], session.Run(new Dictionary<string, TensorData> { ["x"] = TensorData.Vector(1f, 2f) })["y"].AsSpan<float>().ToArray());
    }

    [Fact]
    public void Tensor_names_are_those_of_the_graph()
    {
        foreach (string name in SharedModels.Names)
        {
            using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, default);
            Assert.Equal(graph.Body.Values.Select(v => v.Name).Order(StringComparer.Ordinal), OnnxFile.ReadTensorNames(SharedModels.Path(name)).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public void A_file_can_be_replaced_by_its_own_graph()
    {
        using TestFolder folder = new();
        string path = folder.File("m.onnx");
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[1,64] -> y { w = Float32[64,512] random(1); y = MatMul(x, w) }");
        OnnxFile.Export(graph, path, new ExportOptions(), Report.None, default);
        byte[] before = File.ReadAllBytes(path);
        using OnnxGraph imported = OnnxFile.Import(path, Report.None, default);
        Assert.True(imported.Body.Find("w")!.Data!.IsMapped);
        OnnxFile.Export(imported, path, new ExportOptions { Force = true }, Report.None, default);
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.True(imported.Body.Find("w")!.Data!.ContentEquals(graph.Body.Find("w")!.Data!));
        Assert.Equal(["m.onnx"], folder.Files);
    }

    private static ModelProto Written(OnnxGraph graph)
    {
        using TestFolder folder = new();
        OnnxFile.Export(graph, folder.File("m.onnx"), new ExportOptions(), Report.None, default);
        return ModelProto.Parser.ParseFrom(File.ReadAllBytes(folder.File("m.onnx")));
    }
}
