using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class InitializerTests
{
    private const string Graph = "x: Float32[2,3] -> y: Float32[2,3] { w = Float32[3] ones; a = Mul(x, w); y = Add(a, w) }";

    private static OnnxGraph Set(string text, InitializerChangeOptions options) => On(text, g => InitializerChange.Set(g, options));

    [Fact]
    public void The_content_changes_for_all_readers()
    {
        OnnxGraph before = TestGraphs.Parse(Graph);
        OnnxGraph after = InitializerChange.Set(before, new InitializerChangeOptions { Name = "w", Value = new double[] { 1, 2, 3 } });
        Assert.Equal([1f, 2f, 3f], after.Body.Find("w")!.Data!.AsSpan<float>().ToArray());
        Assert.Equal([1f, 1f, 1f], before.Body.Find("w")!.Data!.AsSpan<float>().ToArray());
    }

    [Fact]
    public void For_one_reader_it_becomes_a_weight_of_its_own()
    {
        OnnxGraph after = Set(Graph, new InitializerChangeOptions { Name = "w", Value = new double[] { 1, 2, 3 }, Consumers = ["a"] });
        Assert.Equal("a = Mul(x, w_for_a); y = Add(a, w)", TestGraphs.Nodes(after));
        Refused(Graph, ErrorCode.NodeNotFound, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "w", Value = 1.0, Consumers = ["b"] }));
    }

    [Fact]
    public void A_scale_of_another_length_than_the_channels_is_refused()
    {
        const string text = "x: Float32[2,3,4] -> y: Float32[2,3,4] { s = Float32[3] ones; b = Float32[3] zeros; y = BatchNormalization(x, s, b, b, s) }";
        Assert.Contains("the input has 3 channels, and its input 1 is [2]", Refused(text, ErrorCode.ChangeRefused, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "s", Value = new double[] { 1, 2 } })).Message, StringComparison.Ordinal);
        Assert.Equal([4f, 5f, 6f], Set(text, new InitializerChangeOptions { Name = "s", Value = new double[] { 4, 5, 6 } }).Body.Find("s")!.Data!.AsSpan<float>().ToArray());
    }

    [Fact]
    public void Another_shape_is_for_the_readers_to_take()
    {
        Assert.Equal("w: Float32[]", Set(Graph, new InitializerChangeOptions { Name = "w", Value = 2.0 }).Initializers[0].ToString());
        Assert.Contains("'a' (Mul)", Refused(Graph, ErrorCode.ChangeRefused, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "w", Value = new double[] { 1, 2, 3, 4 } })).Message, StringComparison.Ordinal);
        // Declared shapes behind it follow.
        OnnxGraph after = Set("x: Float32[2,1] -> y: Float32[2,1] { w = Float32[1] ones; y = Mul(x, w) }", new InitializerChangeOptions { Name = "w", Value = new double[] { 1, 2, 3, 4 } });
        Assert.Equal("y: Float32[2,4]", after.Outputs[0].ToString());
    }

    [Fact]
    public void Numbers_convert_exactly_or_not_at_all()
    {
        const string Ints = "x: Float32[2,3] -> y: Float32[3,2] { s = Int64[2] [3, 2]; y = Reshape(x, s) }";
        Assert.Equal("y: Float32[6,1]", Set(Ints, new InitializerChangeOptions { Name = "s", Value = new double[] { 6, 1 } }).Outputs[0].ToString());
        Refused(Ints, ErrorCode.InputInvalid, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "s", Value = new double[] { 6.5, 1 } }));
        Refused(Ints, ErrorCode.ChangeRefused, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "s", Value = new double[] { 4, 2 } }));
    }

    [Fact]
    public void A_Constant_nodes_content_changes_too()
    {
        OnnxGraph after = Set("x: Float32[3] -> y: Float32[3] { k = Constant(){value_float=2.0}; y = Mul(x, k) }", new InitializerChangeOptions { Name = "k", Value = 3 });
        Assert.Equal("k = Constant(){value=Float32 3.0}; y = Mul(x, k)", TestGraphs.Nodes(after));
    }

    [Fact]
    public void A_new_one_is_added()
    {
        Assert.Equal(["w", "n"], Set(Graph, new InitializerChangeOptions { Name = "n", Value = new[] { 1, 2 }, Add = true }).Initializers.Select(i => i.Name));
        Refused(Graph, ErrorCode.ChangeRefused, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "a", Value = 1, Add = true }));
        Assert.Contains("-Add", Refused(Graph, ErrorCode.ChangeRefused, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "a", Value = 1 })).Message, StringComparison.Ordinal);
        Assert.Contains("'w'", Refused(Graph, ErrorCode.TensorNotFound, g => InitializerChange.Set(g, new InitializerChangeOptions { Name = "ww", Value = 1 })).Message, StringComparison.Ordinal);
    }
}
