using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Tests.Ops;

public sealed class OperatorCatalogTests
{
    [Fact]
    public void Versions_ascend_and_arities_make_sense()
    {
        Assert.True(OperatorCatalog.All.Count(d => d.Domain.Length == 0) > 200);
        foreach (OperatorDefinition definition in OperatorCatalog.All)
        {
            Assert.Equal(definition.Versions.Order(), definition.Versions);
            foreach (int version in definition.Versions)
            {
                (int min, int max) = definition.InputsAt(version);
                Assert.InRange(min, 0, max);
                Assert.True(definition.OutputsAt(version).Max > 0, definition.ToString());
                Assert.All(definition.QuantizableInputs, i => Assert.InRange(i, 0, max - 1));
            }
            Assert.Equal(definition.Attributes.Count, definition.Attributes.Select(a => (a.Name, a.First)).Distinct().Count());
        }
    }

    [Theory]
    [InlineData("Conv", 10, 1)]
    [InlineData("Conv", 11, 11)]
    [InlineData("Conv", 30, 22)]
    [InlineData("Upsample", 9, 9)]
    [InlineData("Upsample", 10, null)]
    [InlineData("Resize", 9, null)]
    public void The_version_at_an_opset(string opType, long opset, int? expected) => Assert.Equal(expected, OperatorCatalog.Find("", opType)!.VersionAt(opset));

    [Theory]
    [InlineData("Clip", 10, 1, 1)]
    [InlineData("Clip", 11, 1, 3)]
    [InlineData("Pad", 18, 2, 4)]
    [InlineData("Squeeze", 11, 1, 1)]
    [InlineData("Sum", 13, 1, int.MaxValue)]
    public void Numbers_of_inputs_follow_the_version(string opType, long opset, int min, int max) => Assert.Equal((min, max), OperatorCatalog.Find("", opType)!.InputsAt(opset));

    [Fact]
    public void Attributes_know_their_versions()
    {
        AttributeDefinition axes = Assert.Single(OperatorCatalog.Find("", "ReduceSum")!.Attributes, a => a.Name == "axes");
        Assert.True(axes.AppliesTo(12));
        Assert.False(axes.AppliesTo(13));
        AttributeDefinition group = Assert.Single(OperatorCatalog.Find("", "Conv")!.Attributes, a => a.Name == "group");
        Assert.Equal((AttributeKind.Int, false, "1"), (group.Kind, group.IsRequired, group.Default));
        Assert.True(Assert.Single(OperatorCatalog.Find("", "Gather")!.Attributes).AppliesTo(1));
    }

    [Fact]
    public void Traits_say_what_passes_rely_on()
    {
        Assert.True(OperatorCatalog.Find("", "RandomNormal")!.Is(OperatorTraits.Random));
        Assert.True(OperatorCatalog.Find("", "NonZero")!.Is(OperatorTraits.DataDependentOutput));
        Assert.True(OperatorCatalog.Find("", "Add")!.Is(OperatorTraits.Commutative));
        Assert.True(OperatorCatalog.Find("", "Reshape")!.Is(OperatorTraits.ScalePreserving | OperatorTraits.View));
        Assert.True(OperatorCatalog.Find("", "Crop")!.Is(OperatorTraits.Removed));
        Assert.Equal([1], OperatorCatalog.Find("", "Reshape")!.ShapeInputs);
        Assert.Equal([0, 1], OperatorCatalog.Find("", "Conv")!.QuantizableInputs);
        Assert.Null(OperatorCatalog.Find("", "NoSuchOperator"));
    }

    [Theory]
    [InlineData("<opset 11> x -> y { y = Squeeze{axes=[1]}(x) }")]
    [InlineData("<opset 13> x -> y { a = Int64[1] [1]; y = Squeeze(x, a) }")]
    [InlineData("<opset 13> x -> y { a = Constant{value_ints=[1]}(); y = Squeeze(x, a) }")]
    [InlineData("<opset 13> x -> y { y = ReduceMax{axes=[1]}(x) }")]
    [InlineData("<opset 18> x -> y { a = Int64[1] [1]; y = ReduceMax(x, a) }")]
    [InlineData("<opset 9> x -> y { y = Slice{axes=[1], starts=[0], ends=[2]}(x) }")]
    [InlineData("<opset 10> x -> y { s = Int64[1] [0]; e = Int64[1] [2]; a = Int64[1] [1]; y = Slice(x, s, e, a) }")]
    public void Axes_come_from_wherever_the_version_keeps_them(string text) => Assert.Equal([1], Last(text).Axes!);

    [Theory]
    [InlineData("<opset 6> x -> y { y = Clip{min=0.0, max=6.0}(x) }", 0.0, 6.0)]
    [InlineData("<opset 11> x -> y { a = Float32 0.0; b = Float32 6.0; y = Clip(x, a, b) }", 0.0, 6.0)]
    [InlineData("<opset 11> x -> y { b = Float32 6.0; y = Clip(x, _, b) }", double.NegativeInfinity, 6.0)]
    [InlineData("<opset 6> x -> y { y = Clip{min=0.0}(x) }", 0.0, double.PositiveInfinity)]
    [InlineData("<opset 13> x, a -> y { y = Clip(x, a) }", null, double.PositiveInfinity)]
    public void Clip_bounds(string text, double? min, double? max) => Assert.Equal((min, max), Last(text).ClipBounds);

    [Theory]
    [InlineData("<opset 12> x -> y { y = Softmax(x) }", 1, true)]
    [InlineData("<opset 13> x -> y { y = Softmax(x) }", -1, false)]
    public void Softmax_changed_its_axis(string text, long axis, bool trailing)
    {
        OperatorView view = Last(text);
        Assert.Equal((axis, trailing), (view.Axis, view.NormalizesTrailingAxes));
    }

    [Theory]
    [InlineData("<opset 7> x -> y { y = Dropout{ratio=0.5}(x) }", true)]
    [InlineData("<opset 6> x -> y { y = Dropout{ratio=0.5}(x) }", false)]
    [InlineData("<opset 6> x -> y { y = Dropout{is_test=1}(x) }", true)]
    [InlineData("<opset 13> x -> y { r = Float32 0.5; t = Bool false; y = Dropout(x, r, t) }", true)]
    [InlineData("<opset 13> x -> y { r = Float32 0.5; t = Bool true; y = Dropout(x, r, t) }", false)]
    public void Dropout_in_inference(string text, bool inactive) => Assert.Equal(inactive, Last(text).IsDropoutInactive);

    [Fact]
    public void Old_casts_name_their_type() => Assert.Equal(DataType.Float32, Last("<opset 1> x -> y { y = Cast{to=\"FLOAT\"}(x) }").CastTarget);

    private static OperatorView Last(string text)
    {
        OnnxGraph graph = TestGraphs.Parse(text);
        return OperatorView.Of(graph, graph.Body.Last!);
    }
}
