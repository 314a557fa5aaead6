using Google.Protobuf;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;

namespace TrtTools.Tests.Onnx;

public sealed class BadModelTests
{
    [Fact]
    public void A_missing_file_is_answered_with_the_nearest_names()
    {
        using TestFolder folder = new();
        File.WriteAllText(folder.File("resnet50.onnx"), "");
        File.WriteAllText(folder.File("yolo.onnx"), "");
        TrtToolsException e = Fails(ErrorCode.ModelNotFound, folder.File("resnet5.onnx"));
        Assert.EndsWith("there is no such file. An ONNX model. In that folder there is 'resnet50.onnx', 'yolo.onnx'.", e.Message);
        Assert.Contains("this is a folder", Fails(ErrorCode.ModelNotFound, folder.FullPath).Message);
        Assert.Contains("there is no folder", Fails(ErrorCode.ModelNotFound, folder.File("a/b.onnx")).Message);
    }

    [Theory]
    [InlineData("", "the file is empty")]
    [InlineData("\x89PNG\r\n\x1a\n0000", "it is a PNG image")]
    [InlineData("PK\x03\x04zip", "PyTorch")]
    [InlineData("version https://git-lfs.github.com/spec/v1", "git lfs pull")]
    [InlineData("\x1c\0\0\0TFL3", "TensorFlow Lite")]
    [InlineData("\x08\x08", "it holds no graph")]
    [InlineData("just some text, no model at all", "no ONNX model")]
    [InlineData("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "no ONNX model")]
    [InlineData("\x3a\xff\x0f", "truncated")]
    public void What_is_no_model_is_named(string content, string expected)
    {
        using TestFolder folder = new();
        File.WriteAllBytes(folder.File("m.onnx"), [.. content.Select(c => (byte)c)]);
        TrtToolsException e = Fails(ErrorCode.ModelMalformed, folder.File("m.onnx"));
        Assert.Contains(expected, e.Message);
        Assert.StartsWith(folder.File("m.onnx"), e.Message);
    }

    [Fact]
    public void A_truncated_model_is_malformed_wherever_it_ends()
    {
        using TestFolder folder = new();
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[1,2] -> y { w = Float32[2,2000] random(1); y = MatMul(x, w) }");
        byte[] whole = OnnxFile.Serialize(graph);
        for (int length = 1; length < whole.Length; length += length < 200 ? 1 : 997)
        {
            File.WriteAllBytes(folder.File("m.onnx"), whole[..length]);
            // A cut between two fields of the model leaves a smaller but readable one; one inside the graph never does.
            if (Record.Exception(() => OnnxFile.Import(folder.File("m.onnx"), Report.None, default)) is { } e) Assert.Equal(ErrorCode.ModelMalformed, Assert.IsType<TrtToolsException>(e).Code);
        }
        File.WriteAllBytes(folder.File("m.onnx"), whole[..^1]);
        Assert.Contains("truncated", Fails(ErrorCode.ModelMalformed, folder.File("m.onnx")).Message);
    }

    [Fact]
    public void Undefined_names_come_all_at_once()
    {
        ModelProto model = Model(Node("a", "Relu", ["nope"], ["h"]), Node("b", "Add", ["h", "w"], ["y"]));
        model.Graph.Output.Add(new ValueInfoProto { Name = "z" });
        Assert.Equal("model: node 'a' (Relu) reads 'nope', which nothing defines; node 'b' (Add) reads 'w', which nothing defines; output 'z' of the graph is defined by nothing. "
            + "Every tensor is defined once, by an input, an initializer or a node, before it is read. " + Malformed.CheckExporter + ".", Fails(model).Message);
    }

    [Fact]
    public void A_name_defined_twice_names_both_places()
    {
        Assert.Contains("'y' is defined twice in the graph, by node 'a' (Relu) and by node 'b' (Neg)", Fails(Model(Node("a", "Relu", ["x"], ["y"]), Node("b", "Neg", ["x"], ["y"]))).Message);
        Assert.Contains("'x' is defined twice in the graph, by an input and by node 'a' (Relu)", Fails(Model(Node("a", "Relu", ["x"], ["x"]))).Message);
        ModelProto initializers = Model();
        initializers.Graph.Initializer.Add(new TensorProto { Name = "w", DataType = 1, FloatData = { 1 } });
        initializers.Graph.Initializer.Add(new TensorProto { Name = "w", DataType = 1, FloatData = { 1 } });
        Assert.Contains("'w' stands twice among the initializers", Fails(initializers).Message);
    }

    [Fact]
    public void A_cycle_is_named_from_node_to_node()
    {
        string message = Fails(Model(Node("a", "Add", ["x", "z"], ["y"]), Node("b", "Relu", ["y"], ["z"]), Node("c", "Neg", ["z"], ["end"]))).Message;
        Assert.Contains("its nodes form a cycle: node 'b' (Relu) → node 'a' (Add)", message);
        Assert.DoesNotContain("'c'", message);
        Assert.Contains("cycle: node 'a' (Relu)", Fails(Model(Node("a", "Relu", ["y"], ["y"]))).Message);
    }

    [Fact]
    public void Nodes_out_of_order_are_sorted()
    {
        NodeProto branch = Node("if", "If", ["c"], ["y"]);
        branch.Attribute.Add(new AttributeProto { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = new GraphProto { Node = { Node("t", "Relu", ["late"], ["r"]) }, Output = { new ValueInfoProto { Name = "r" } } } });
        ModelProto model = Model(branch, Node("l", "Neg", ["x"], ["late"]));
        model.Graph.Input.Add(new ValueInfoProto { Name = "c" });
        using OnnxGraph graph = OnnxFile.Parse(model.ToByteArray(), "model");
        Assert.Equal(["l", "if"], graph.Nodes.Select(n => n.Name));
    }

    [Fact]
    public void Tensors_must_fit_their_data()
    {
        string Of(TensorProto tensor)
        {
            ModelProto model = Model();
            tensor.Name = "w";
            model.Graph.Initializer.Add(tensor);
            return Fails(model).Message;
        }
        Assert.Contains("initializer 'w': its shape [-1] has the negative dimension -1", Of(new TensorProto { DataType = 1, Dims = { -1 } }));
        Assert.Contains("Float32[3] takes 12 bytes, but there are 4 bytes of raw data", Of(new TensorProto { DataType = 1, Dims = { 3 }, RawData = ByteString.CopyFrom(new byte[4]) }));
        Assert.Contains("Float32[3] takes 12 bytes, but there are none", Of(new TensorProto { DataType = 1, Dims = { 3 } }));
        Assert.Contains("2 elements in its typed data field", Of(new TensorProto { DataType = 7, Dims = { 3 }, Int64Data = { 1, 2 } }));
        Assert.Contains("data type 77 is unknown", Of(new TensorProto { DataType = 77 }));
        Assert.Contains("more elements than any file could", Of(new TensorProto { DataType = 1, Dims = { long.MaxValue, long.MaxValue } }));
        Assert.Contains("takes 400,000,000,000 bytes, but there are none", Of(new TensorProto { DataType = 1, Dims = { 100_000_000_000 } }));
    }

    [Fact]
    public void Functions_that_call_themselves_are_refused()
    {
        ModelProto model = Model();
        model.Functions.Add(new FunctionProto { Name = "f", Domain = "d", Node = { new NodeProto { OpType = "g", Domain = "d" } } });
        model.Functions.Add(new FunctionProto { Name = "g", Domain = "d", Node = { new NodeProto { OpType = "f", Domain = "d" } } });
        Assert.Contains("functions call themselves: f → g → f", Fails(model).Message);
    }

    [Fact]
    public void Deep_nesting_is_refused_without_a_stack_overflow()
    {
        // By hand and from the inside out, since no writer goes that deep: graph { node { attribute { g { … } } } }. The bytes stand in reverse until the end.
        List<byte> model = [];
        void Wrap(byte tag)
        {
            List<byte> prefix = [tag];
            for (int length = model.Count; ; length >>= 7)
            {
                prefix.Add((byte)(length >= 0x80 ? (length & 0x7F) | 0x80 : length));
                if (length < 0x80) break;
            }
            prefix.Reverse();
            model.AddRange(prefix);
        }
        for (int i = 0; i < 10_000; i++)
        {
            Wrap(0x32);
            Wrap(0x2A);
            Wrap(0x0A);
        }
        Wrap(0x3A);
        model.Reverse();
        using TestFolder folder = new();
        File.WriteAllBytes(folder.File("m.onnx"), [.. model]);
        Assert.Contains("nested too deeply", Fails(ErrorCode.ModelTooDeep, folder.File("m.onnx")).Message);
        Assert.Equal(ErrorCode.ModelTooDeep, Assert.Throws<TrtToolsException>(() => OnnxFile.Parse(model.ToArray(), "model")).Code);
    }

    [Fact]
    public void Thirty_subgraphs_inside_each_other_are_fine()
    {
        GraphProto graph = new() { Node = { Node("n", "Relu", ["x"], ["y"]) }, Output = { new ValueInfoProto { Name = "y" } } };
        for (int i = 0; i < 30; i++)
        {
            NodeProto node = Node("if" + i, "If", ["c"], ["y"]);
            node.Attribute.Add(new AttributeProto { Name = "then_branch", Type = AttributeProto.Types.AttributeType.Graph, G = graph });
            graph = new GraphProto { Node = { node }, Output = { new ValueInfoProto { Name = "y" } } };
        }
        graph.Input.Add(new ValueInfoProto { Name = "x" });
        graph.Input.Add(new ValueInfoProto { Name = "c" });
        using OnnxGraph model = OnnxFile.Parse(new ModelProto { IrVersion = 8, Graph = graph }.ToByteArray(), "model");
        Assert.Equal(31, model.Body.NodesWithSubgraphs.Count());
    }

    [Fact]
    public void Mutated_models_give_a_graph_or_an_error_of_ours()
    {
        Random random = new(7);
        using OnnxGraph small = TestGraphs.Parse("""
            c: Bool[], x: Float32[2,N] -> y {
              w = Float32[2] [1, 2]; i = Int64[2] [3, 4]
              s = Add(x, w)
              y = If(c){then_branch=() -> t { t = my::F(s){a=1, b=[1.0], v=Int8[1] [1]} }, else_branch=() -> e { e = Neg(s) }}
            }
            function my::F<a, b>(p) -> q { q = LeakyRelu(p){alpha=$a:Float} }
            """);
        byte[][] seeds = [OnnxFile.Serialize(small), new RandomModel(1).Next().ToByteArray(), new RandomModel(2).Next().ToByteArray()];
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. seeds[i % seeds.Length]];
            for (int edits = random.Next(1, 4); edits > 0; edits--)
            {
                int at = random.Next(bytes.Length);
                switch (random.Next(4))
                {
                    case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                    case 1: bytes[at] = (byte)random.Next(256); break;
                    case 2: bytes = [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(1, 8))..]]; break;
                    default: bytes = [.. bytes[..at], .. bytes.Skip(random.Next(bytes.Length)).Take(3), .. bytes[at..]]; break;
                }
                if (bytes.Length == 0) break;
            }
            try
            {
                using OnnxGraph graph = OnnxFile.Parse(bytes, "model");
                OnnxFile.Serialize(graph);
            }
            catch (TrtToolsException)
            {
            }
            catch (Exception e)
            {
                Assert.Fail($"Mutation {i}: {e}");
            }
        }
    }

    [Fact]
    public void Mutated_files_give_a_graph_or_an_error_of_ours()
    {
        using TestFolder folder = new();
        using OnnxGraph model = TestGraphs.Parse("""
            c: Bool[], x: Float32[1,64] -> y {
              w = Float32[64,128] random(1)
              h = MatMul(x, w)
              y = If(c){then_branch=() -> t { k = Constant(){value=Float32[256,128] random(2)}; t = MatMul(k, h) }, else_branch=() -> e { e = Neg(h) }}
            }
            """);
        byte[] whole = OnnxFile.Serialize(model);
        Random random = new(3);
        for (int i = 0; i < 400; i++)
        {
            byte[] bytes = [.. whole];
            // Most bytes are weights: aim at those around the messages' beginnings.
            for (int edits = random.Next(1, 4); edits > 0; edits--) bytes[random.Next(2) == 0 ? random.Next(Math.Min(400, bytes.Length)) : bytes.Length - 1 - random.Next(33_000)] = (byte)random.Next(256);
            File.WriteAllBytes(folder.File("m.onnx"), random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes);
            try
            {
                using OnnxGraph graph = OnnxFile.Import(folder.File("m.onnx"), Report.None, default);
                OnnxFile.Serialize(graph);
                OnnxFile.ReadTensorNames(folder.File("m.onnx"));
            }
            catch (TrtToolsException)
            {
            }
            catch (Exception e)
            {
                Assert.Fail($"Mutation {i}: {e}");
            }
        }
    }

    private static ModelProto Model(params NodeProto[] nodes)
    {
        ModelProto model = new() { IrVersion = 8, Graph = new GraphProto { Name = "g" } };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        model.Graph.Input.Add(new ValueInfoProto { Name = "x" });
        model.Graph.Node.AddRange(nodes);
        return model;
    }

    private static NodeProto Node(string name, string opType, string[] inputs, string[] outputs)
    {
        NodeProto node = new() { Name = name, OpType = opType };
        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        return node;
    }

    private static TrtToolsException Fails(ModelProto model)
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => OnnxFile.Parse(model.ToByteArray(), "model"));
        Assert.Equal(ErrorCode.ModelMalformed, e.Code);
        return e;
    }

    private static TrtToolsException Fails(ErrorCode code, string path)
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => OnnxFile.Import(path, Report.None, default));
        Assert.Equal(code, e.Code);
        return e;
    }
}
