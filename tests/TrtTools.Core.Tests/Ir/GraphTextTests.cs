using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Tests.Ir;

public sealed class GraphTextTests
{
    [Fact]
    public void Reads_types_tensors_attributes_and_names()
    {
        OnnxGraph graph = TestGraphs.Parse("""
            <opset 13, com.microsoft 1, ir 7>
            x: Float32[1,N,?,8], "in:2" -> y: Float32[1,4], y2 {
              w = Float32[4,3,3,3] random(1)
              k = Int64 9007199254740993; e = Int64[0] []
              names = String[2] ["a", "b\"c"]
              c = Conv(x, w){pads=[1,1,1,1], auto_pad="NOTSET"} @"conv/1"   # a comment
              y, _ = com.microsoft::Two(c, _, "in:2", k, e, names){alpha=0.5, scales=[1.0, 2], value=Int8[2] [-1, 1]}
              y2 = Relu(c)
            }
            """);
        Assert.Equal(7, graph.IrVersion);
        Assert.Equal(13, graph.OnnxOpset);
        Assert.Equal(["x", "in:2"], graph.Inputs.Select(i => i.Name));
        Assert.Equal("Float32[1,N,?,8]", graph.Body.Inputs[0].Type!.ToString());
        Assert.Null(graph.Body.Inputs[1].Type);
        Assert.Equal(9007199254740993, graph.Body.Find("k")!.Data!.ToInt64()[0]);
        Node conv = graph.Body.First!;
        Assert.Equal("conv/1", conv.Name);
        Assert.Equal([1L, 1, 1, 1], conv.Attributes.Ints("pads")!);
        Node two = conv.Next!;
        Assert.Null(two.Inputs[1]);
        Assert.Null(two.Outputs[1]);
        Assert.Equal("y", two.Name);
        Assert.Equal([1f, 2f], two.Attributes.Floats("scales")!);
        Assert.Equal(DataType.Int8, two.Attributes.Tensor("value")!.Type);
        Assert.Equal("b\"c", graph.Body.Find("names")!.Data!.Strings[1]);
    }

    [Fact]
    public void Without_a_signature_unknown_names_are_inputs_and_unread_values_outputs()
    {
        OnnxGraph graph = TestGraphs.Parse("y = Transpose{perm=[1,0]}(x); z = Transpose(y){perm=[1,0]}; a = Add(z, b)");
        Assert.Equal(["x", "b"], graph.Inputs.Select(i => i.Name));
        Assert.Equal(["a"], graph.Outputs.Select(o => o.Name));
        graph.ShouldBe("y = Transpose(x){perm=[1, 0]}; z = Transpose(y){perm=[1, 0]}; a = Add(z, b)");
    }

    [Fact]
    public void Subgraphs_see_outer_values_and_functions_take_attributes()
    {
        const string Text = """
            <ir 8, opset 17, trt.tools 1>
            c: Bool[], x: Float32[2] -> y {
              y = If(c){else_branch=() -> e {
                e = Neg(x)
              }, then_branch=() -> t {
                t = trt.tools::Scale(x){by=2.0}
              }}
            }
            function trt.tools::Scale<by, more=1>(v) -> r {
              k = Constant(){value_float=$by:Float}
              r = Mul(v, k)
            }

            """;
        OnnxGraph graph = TestGraphs.Parse(Text);
        Assert.Equal(2, graph.Body.Inputs[1].Uses.Count);
        Assert.Equal(Text, TestGraphs.Print(graph));
        Assert.Equal(Text, TestGraphs.Print(graph.Copy()));
    }

    [Theory]
    [InlineData("x -> y { y = Relu(z) }", "Line 1, column 19: nothing defines 'z' up to here.")]
    [InlineData("x -> y { z = Relu(x) }", "Line 1, column 6: nothing defines the output 'y'.")]
    [InlineData("x -> y {\n y = Relu(x", "Line 2, column 12: ')' was expected, not 'the end'.")]
    [InlineData("y = Float32[2] [1]", "Line 1, column 16: Float32[2] holds 2 elements, not 1.")]
    public void Faults_are_located(string text, string message) => Assert.Equal(message, Assert.Throws<FormatException>(() => TestGraphs.Parse(text)).Message);

    [Fact]
    public void Random_tensors_are_the_same_everywhere()
    {
        Assert.Equal([0.133123145f, 0.491563529f], GraphText.Random(DataType.Float32, [2], 1).AsSpan<float>().ToArray());
        Assert.True(GraphText.Random(DataType.Int8, [4], 2).ContentEquals(GraphText.Random(DataType.Int8, [4], 2)));
    }
}
