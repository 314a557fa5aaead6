using CsCheck;
using Google.Protobuf;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;

namespace TrtTools.Tests.Onnx;

public sealed class RoundTripPropertyTests
{
    [Fact]
    public void Any_model_leaves_as_it_came() => Gen.Int.Sample(seed =>
    {
        ModelProto model = new RandomModel(seed).Next();
        using OnnxGraph graph = OnnxFile.Parse(model.ToByteArray(), "model");
        MessageComparison.Equal(model, Written(graph), $"model {seed}");
        using OnnxGraph copy = graph.Copy();
        MessageComparison.Equal(model, Written(copy), $"copy of model {seed}");
    }, iter: 1000);

    [Fact]
    public void Files_are_read_as_bytes_are() => Gen.Int.Sample(seed =>
    {
        using TestFolder folder = new();
        ModelProto model = new RandomModel(seed).Next();
        // Large enough for weights to stay in the file, in initializers and in attributes.
        TensorProto large = new() { Name = "large", DataType = 1, RawData = ByteString.CopyFrom(new byte[80_000]) };
        large.Dims.Add([100, 200]);
        model.Graph.Initializer.Insert(0, large);
        NodeProto constant = new() { OpType = "Constant" };
        constant.Output.Add("constant");
        constant.Attribute.Add(new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = large.Clone() });
        model.Graph.Node.Add(constant);
        File.WriteAllBytes(folder.File("m.onnx"), model.ToByteArray());
        using OnnxGraph graph = OnnxFile.Import(folder.File("m.onnx"), Report.None, default);
        Assert.True(graph.Body.Find("large")!.Data!.IsMapped);
        MessageComparison.Equal(model, Written(graph), $"model {seed}");
    }, iter: 60);

    private static ModelProto Written(OnnxGraph graph)
    {
        GraphExporter exporter = new(graph, keepOverridable: true, inferredTypes: true);
        ModelProto model = exporter.Write();
        using MemoryStream stream = new();
        ModelWriter.Write(model, exporter.Deferred, stream, "model");
        return ModelProto.Parser.ParseFrom(stream.ToArray());
    }
}
