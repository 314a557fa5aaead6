using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Surgery;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class TensorRenamingTests
{
    private static KeyValuePair<string, string>[] Names(params string[] pairs) => [.. pairs.Select(p => p.Split('=')).Select(p => KeyValuePair.Create(p[0], p[1]))];

    private static OnnxGraph Rename(string text, params string[] pairs) => On(text, g => TensorRenaming.Rename(g, Names(pairs)));

    [Theory]
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", "a=b", "b = Relu(x); y = Exp(b)")]
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", "x=image;y=score", "a = Relu(image); score = Exp(a)")]
    // Two change places.
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", "a=y;y=a", "y = Relu(x); a = Exp(y)")]
    [InlineData("x: Float32[2] -> y: Float32[2] { w = Float32[2] ones; a = Mul(x, w); y = Add(a, w) }", "w=weight", "a = Mul(x, weight); y = Add(a, weight)")]
    // An output that is an input.
    [InlineData("x: Float32[2] -> x, y: Float32[2] { y = Exp(x) }", "x=z", "y = Exp(z)")]
    [InlineData("x: Float32[2] -> y: Float32[2] { \"a*\" = Relu(x); ab = Neg(\"a*\"); y = Exp(ab) }", "a*=c", "c = Relu(x); ab = Neg(c); y = Exp(ab)")]
    public void Everything_that_reads_it_follows(string graph, string names, string expected) => Assert.Equal(expected, TestGraphs.Nodes(Rename(graph, names.Split(';'))));

    [Fact]
    public void Subgraphs_follow_and_their_own_tensors_can_be_renamed()
    {
        const string Graph = "c: Bool, x: Float32[2] -> y: Float32[2] { r = Relu(x); y = If(c){then_branch=() -> t: Float32[2] { t = Neg(r) }, else_branch=() -> e: Float32[2] { e = Abs(r) }} }";
        string text = TestGraphs.Print(Rename(Graph, "r=rect", "t=then"));
        Assert.Contains("then: Float32[2] = Neg(rect)", text, StringComparison.Ordinal);
        Assert.Contains("Abs(rect)", text, StringComparison.Ordinal);
        Refused(Graph, ErrorCode.ChangeRefused, g => TensorRenaming.Rename(g, Names("r=t")));
        Refused(Graph, ErrorCode.ChangeRefused, g => TensorRenaming.Rename(g, Names("t=r")));
    }

    [Fact]
    public void Names_that_are_taken_or_empty_are_refused()
    {
        const string Graph = "x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }";
        Assert.Contains("'y'", Refused(Graph, ErrorCode.ChangeRefused, g => TensorRenaming.Rename(g, Names("a=y"))).Message, StringComparison.Ordinal);
        Refused(Graph, ErrorCode.OptionInvalid, g => TensorRenaming.Rename(g, Names("a=")));
        Refused(Graph, ErrorCode.OptionInvalid, g => TensorRenaming.Rename(g, Names("a=b", "a=c")));
        Assert.Contains("'a'", Refused(Graph, ErrorCode.TensorNotFound, g => TensorRenaming.Rename(g, Names("aa=b"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_calibration_cache_finds_the_tensor_by_its_first_name()
    {
        OnnxGraph after = Rename("x: Float32[2] -> y: Float32[2] { a = Relu(x); y = Exp(a) }", "a=b");
        Assert.Equal(["a"], after.Body.Find("b")!.Origin.TensorNames);
        Assert.Equal(["a"], TensorRenaming.Rename(after, Names("b=c")).Body.Find("c")!.Origin.TensorNames);
    }

    [Fact]
    public void What_the_file_says_of_the_tensor_stays_with_it()
    {
        ModelProto model = ModelProto.Parser.ParseFrom(OnnxFile.Serialize(TestGraphs.Parse("x: Float32[2] -> y: Float32[2] { w = Float32[2] ones; a = Mul(x, w); y = Exp(a) }")));
        model.Graph.Output[0].DocString = "the result";
        TensorAnnotation annotation = new() { TensorName = "a" };
        annotation.QuantParameterTensorNames.Add(new StringStringEntryProto { Key = "SCALE_TENSOR", Value = "w" });
        model.Graph.QuantizationAnnotation.Add(annotation);
        byte[] file = Google.Protobuf.MessageExtensions.ToByteArray(model);
        OnnxGraph before = OnnxFile.Parse(file, "m");
        OnnxGraph after = TensorRenaming.Rename(before, Names("y=z", "a=b", "w=scale"));
        GraphProto written = ModelProto.Parser.ParseFrom(OnnxFile.Serialize(after)).Graph;
        Assert.Equal("the result", written.Output[0].DocString);
        Assert.Equal("z", written.Output[0].Name);
        Assert.Equal("b", written.QuantizationAnnotation[0].TensorName);
        Assert.Equal("scale", written.QuantizationAnnotation[0].QuantParameterTensorNames[0].Value);
        // The graph it came from still writes the old names.
        Assert.Equal("a", ModelProto.Parser.ParseFrom(OnnxFile.Serialize(before)).Graph.QuantizationAnnotation[0].TensorName);
    }
}
