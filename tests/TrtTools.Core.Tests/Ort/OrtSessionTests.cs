using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Tests.Ort;

public sealed class OrtSessionTests
{
    private static OrtSession Open(string graph, OrtOptions? options = null) => OrtSession.Create(OnnxFile.Serialize(TestGraphs.Parse(graph)), options ?? new OrtOptions());

    private static Dictionary<string, TensorData> Inputs(string name, TensorData data) => new(StringComparer.Ordinal) { [name] = data };

    [Theory]
    [InlineData(DataType.Float32)]
    [InlineData(DataType.Float64)]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    [InlineData(DataType.Int8)]
    [InlineData(DataType.UInt8)]
    [InlineData(DataType.Int16)]
    [InlineData(DataType.UInt16)]
    [InlineData(DataType.Int32)]
    [InlineData(DataType.UInt32)]
    [InlineData(DataType.Int64)]
    [InlineData(DataType.UInt64)]
    [InlineData(DataType.Bool)]
    public void Every_type_goes_in_and_comes_out(DataType type)
    {
        using OrtSession session = Open($"x: {type}[2,3] -> y: {type}[2,3] {{ y = Identity(x) }}");
        byte[] bytes = [.. Enumerable.Range(0, (int)type.ByteCount(6)).Select(i => type == DataType.Bool ? (byte)(i & 1) : (byte)i)];
        TensorData x = TensorData.FromBytes(type, [2, 3], bytes);
        Assert.True(x.ContentEquals(session.Run(Inputs("x", x))["y"]));
    }

    [Fact]
    public void Strings_go_in_and_come_out()
    {
        using OrtSession session = Open("x: String[2] -> y: String[2] { y = Identity(x) }");
        TensorData x = TensorData.FromStrings([2], ["Grüße", ""]);
        Assert.True(x.ContentEquals(session.Run(Inputs("x", x))["y"]));
    }

    [Fact]
    public void Empty_tensors_and_scalars_pass()
    {
        using OrtSession session = Open("x: Float32[n] -> y: Float32[n] { y = Identity(x) }");
        TensorData empty = TensorData.From<float>([], 0);
        Assert.Equal(0, session.Run(Inputs("x", empty))["y"].ElementCount);
        using OrtSession scalar = Open("x: Float32[] -> y: Float32[] { y = Neg(x) }");
        Assert.Equal(-2f, scalar.Run(Inputs("x", TensorData.Scalar(2f)))["y"].AsSpan<float>()[0]);
    }

    [Fact]
    public void Only_wanted_outputs_are_given_in_the_order_of_the_wish()
    {
        using OrtSession session = Open("x: Float32[1] -> a: Float32[1], b: Float32[1], c: Float32[1] { a = Neg(x); b = Abs(x); c = Exp(x) }");
        Assert.Equal(["c", "a"], session.Run(Inputs("x", TensorData.Vector(1f)), ["c", "a"]).Keys);
    }

    [Fact]
    public void Names_that_are_unknown_or_missing_are_named()
    {
        using OrtSession session = Open("x: Float32[1], z: Float32[1] -> y: Float32[1] { y = Add(x, z) }");
        TrtToolsException missing = Assert.Throws<TrtToolsException>(() => session.Run(Inputs("x", TensorData.Vector(1f))));
        Assert.Equal(ErrorCode.InputNotFound, missing.Code);
        Assert.Contains("'z'", missing.Message, StringComparison.Ordinal);
        Assert.Equal(ErrorCode.InputNotFound, Assert.Throws<TrtToolsException>(() => session.Run(Inputs("q", TensorData.Vector(1f)))).Code);
    }

    [Fact]
    public void A_wrong_shape_is_a_mismatch()
    {
        using OrtSession session = Open("x: Float32[2,3] -> y: Float32[2,3] { y = Neg(x) }");
        Assert.Equal(ErrorCode.ShapeMismatch, Assert.Throws<TrtToolsException>(() => session.Run(Inputs("x", TensorData.From<float>(new float[4], 2, 2)))).Code);
    }

    [Fact]
    public void A_failing_node_is_named_without_source_files()
    {
        using OrtSession session = Open("x: Float32[n], s: Int64[m] -> y { y = Reshape(x, s) @ my_reshape }");
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => session.Run(new Dictionary<string, TensorData> { ["x"] = TensorData.From<float>(new float[6], 6), ["s"] = TensorData.Vector(4L, 2L) }));
        Assert.Equal(ErrorCode.EvaluationFailed, e.Code);
        Assert.Contains("'my_reshape' (Reshape)", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(".cc:", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(".h:", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_operator_is_unsupported()
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Open("x: Float32[1] -> y: Float32[1] { y = Frobnicate(x) }"));
        Assert.Equal(ErrorCode.UnsupportedOperator, e.Code);
        Assert.Contains("Frobnicate", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1, 2, 3 })]
    public void Bytes_that_are_no_model_are_malformed(byte[] bytes) =>
        Assert.Equal(ErrorCode.ModelMalformed, Assert.Throws<TrtToolsException>(() => OrtSession.Create(bytes, new OrtOptions())).Code);

    [Fact]
    public void A_run_can_be_cancelled()
    {
        // A loop that would run for minutes.
        using OrtSession session = Open("""
            x: Float32[64,64] -> y: Float32[64,64] {
                m = Int64 4000000000000
                c = Bool true
                y = Loop(m, c, x){body=(i: Int64[], k: Bool[], a: Float32[64,64]) -> k2, b { k2 = Identity(k); b = MatMul(a, a) }}
            }
            """);
        using CancellationTokenSource source = new(100);
        Assert.ThrowsAny<OperationCanceledException>(() => session.Run(Inputs("x", TensorData.From<float>(new float[4096], 64, 64)), null, source.Token));
    }

    [Fact]
    public void A_profile_names_the_nodes_and_leaves_no_file()
    {
        string[] before = Directory.GetFiles(Path.GetTempPath(), "trttools-*");
        using OrtSession session = Open("x: Float32[1] -> y: Float32[1] { a = Neg(x) @ first; y = Exp(a) @ second }", new OrtOptions { Profile = true });
        for (int i = 0; i < 3; i++) session.Run(Inputs("x", TensorData.Vector(1f)));
        Assert.Contains(OrtProfile.Read(session.EndProfiling()), t => t is { Name: "second", Kind: "Exp", Calls.Count: 3 });
        Assert.DoesNotContain(Directory.GetFiles(Path.GetTempPath(), $"trttools-{Environment.ProcessId}-*"), f => !before.Contains(f) && f.EndsWith(".json", StringComparison.Ordinal) && File.ReadAllText(f).Contains("second", StringComparison.Ordinal));
    }

    [Fact]
    public void A_sequence_as_output_is_refused()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[1] -> y { y = SequenceConstruct(x, x) }");
        TrtToolsException e = Assert.Throws<TrtToolsException>(() =>
        {
            using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions());
            session.Run(Inputs("x", TensorData.Vector(1f)));
        });
        Assert.Equal(ErrorCode.UnsupportedOperator, e.Code);
        Assert.Contains("a sequence", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_packed_model_is_the_same_again()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[1,1000] -> y: Float32[1,3] { w = Float32[1000,3] random(1); b = Float32[3] random(2); m = MatMul(x, w); y = Add(m, b) }");
        byte[] packed = OrtModelPacker.Pack(graph, out IReadOnlyList<KeyValuePair<string, TensorData>> weights);
        Assert.Equal(["w"], weights.Select(w => w.Key));
        byte[] model = OrtModelPacker.Unpack(TensorData.FromBytes(DataType.UInt8, [packed.Length], packed), weights.ToDictionary(w => w.Key, w => w.Value), "test", out string? folder);
        Assert.Null(folder);
        TensorData x = GraphText.Random(DataType.Float32, [1, 1000], 3);
        using OrtSession first = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions()), second = OrtSession.Create(model, new OrtOptions());
        Assert.True(first.Run(Inputs("x", x))["y"].ContentEquals(second.Run(Inputs("x", x))["y"]));
    }
}
