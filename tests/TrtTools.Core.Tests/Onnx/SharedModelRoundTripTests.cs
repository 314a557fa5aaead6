using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;

namespace TrtTools.Tests.Onnx;

public sealed class SharedModelRoundTripTests
{
    [Fact]
    public void Every_shared_model_leaves_as_it_came()
    {
        using TestFolder folder = new();
        foreach (string name in SharedModels.Names)
        {
            string source = SharedModels.Path(name);
            using OnnxGraph graph = OnnxFile.Import(source, Report.None, default);
            Assert.NotEmpty(graph.Nodes);
            string target = folder.File(name + ".onnx");
            OnnxFile.Export(graph, target, new ExportOptions { KeepOverridableInput = true }, Report.None, default);
            MessageComparison.Equal(ModelProto.Parser.ParseFrom(File.ReadAllBytes(source)), ModelProto.Parser.ParseFrom(File.ReadAllBytes(target)), name);
        }
    }

    [Fact]
    public void A_copy_of_every_shared_model_is_written_alike()
    {
        foreach (string name in SharedModels.Names)
        {
            using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, default);
            byte[] direct = OnnxFile.Serialize(graph);
            using OnnxGraph copy = graph.Copy();
            Assert.True(direct.AsSpan().SequenceEqual(OnnxFile.Serialize(copy)), name);
        }
    }

    [Fact]
    public void Test_data_is_read_and_written()
    {
        foreach (string name in SharedModels.Names)
        {
            foreach (string file in Directory.GetFiles(SharedModels.DataSets(name)[0], "*.pb"))
            {
                byte[] bytes = File.ReadAllBytes(file);
                TrtTools.Tensors.TensorData data = OnnxFile.ReadTensor(bytes, out string tensor);
                Assert.Equal(TensorProto.Parser.ParseFrom(bytes), TensorProto.Parser.ParseFrom(OnnxFile.WriteTensor(tensor, data)));
            }
        }
    }
}
