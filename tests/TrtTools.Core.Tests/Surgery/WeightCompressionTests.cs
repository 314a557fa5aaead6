using TrtTools.Audit;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;
using TrtTools.Surgery;
using TrtTools.Tensors;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class WeightCompressionTests
{
    private const string Model = """
        c: Bool, x: Float32[1,8,6,6] -> y {
          w = Float32[16,8,3,3] random(1); b = Float32[16] random(2); k = Int64[2] [1, 2304]
          a = Conv(x, w, b){pads=[1,1,1,1]}
          i = If(c){then_branch=() -> t: Float32[1,16,6,6] { w = Float32[16,16,3,3] random(3); t = Conv(a, w){pads=[1,1,1,1]} }, else_branch=() -> e: Float32[1,16,6,6] { e = Relu(a) }}
          f = Flatten(i); m = Float32[576,10] random(4); y = MatMul(f, m)
        }
        """;

    private static OnnxGraph Strip(OnnxGraph graph, long smallest = 1024, Func<string, bool>? wanted = null) => WeightStrip.Strip(graph, wanted ?? (_ => true), smallest, Report.None, CancellationToken.None);

    private static OnnxGraph Restore(OnnxGraph graph, OnnxGraph original) => WeightStrip.Restore(graph, original, CancellationToken.None);

    [Fact]
    public void A_stripped_file_is_small_whole_and_says_so()
    {
        using TestFolder folder = new();
        OnnxGraph before = TestGraphs.Parse(Model.Replace("then_branch=() -> t: Float32[1,16,6,6] { w =", "then_branch=() -> t: Float32[1,16,6,6] { v =", StringComparison.Ordinal).Replace("Conv(a, w)", "Conv(a, v)", StringComparison.Ordinal));
        OnnxGraph stripped = On(before, g => Strip(g));
        OnnxFile.Export(before, folder.File("whole.onnx"), new ExportOptions(), Report.None, CancellationToken.None);
        OnnxFile.Export(stripped, folder.File("stripped.onnx"), new ExportOptions(), Report.None, CancellationToken.None);
        Assert.True(new FileInfo(folder.File("stripped.onnx")).Length < new FileInfo(folder.File("whole.onnx")).Length / 10);
        OnnxGraph read = OnnxFile.Import(folder.File("stripped.onnx"), Report.None, CancellationToken.None);
        AssertSound(read);
        Assert.Contains(GraphLint.Check(read), f => f.Code == "WeightsStripped");
        Assert.Equal(3, WeightStrip.Stripped(read).Count);
        Assert.Equal(before.Body.Find("b")!.Data!.ToDouble(), read.Body.Find("b")!.Data!.ToDouble());
        Assert.All(read.Body.Find("w")!.Data!.ToDouble(), v => Assert.Equal(0, v));
        Assert.Throws<TrtToolsException>(() => GraphOptimizer.Optimize(read, new OptimizeOptions(), Report.None, CancellationToken.None));

        OnnxGraph back = On(read, g => Restore(g, before));
        AssertSameResults(before, back);
        Assert.Empty(WeightStrip.Stripped(back));
        Assert.Equal(before.Metadata, back.Metadata);
    }

    [Fact]
    public void Weights_are_found_by_their_content_whatever_their_names()
    {
        OnnxGraph before = TestGraphs.Parse(Model.Replace("{ w = Float32[16,16", "{ v = Float32[16,16", StringComparison.Ordinal).Replace("Conv(a, w)", "Conv(a, v)", StringComparison.Ordinal));
        OnnxGraph renamed = TensorRenaming.Rename(before, [KeyValuePair.Create("w", "weight"), KeyValuePair.Create("m", "w")]);
        AssertSameResults(before, Restore(Strip(before), renamed));
        // Here the stripped graph's names changed.
        AssertSameResults(before, Restore(TensorRenaming.Rename(Strip(before), [KeyValuePair.Create("w", "weight")]), before));
    }

    [Fact]
    public void Another_model_is_refused()
    {
        OnnxGraph before = TestGraphs.Parse("x: Float32[1,64] -> y { w = Float32[64,64] random(1); y = MatMul(x, w) }");
        TrtToolsException other = Assert.Throws<TrtToolsException>(() => Restore(Strip(before), TestGraphs.Parse("x: Float32[1,64] -> y { w = Float32[64,64] random(2); y = MatMul(x, w) }")));
        Assert.Equal(ErrorCode.ChangeRefused, other.Code);
        Assert.Contains("'w' (there, with another content)", other.Message, StringComparison.Ordinal);
        Assert.Throws<TrtToolsException>(() => Restore(before, before));
        Assert.Throws<TrtToolsException>(() => Strip(before, wanted: _ => false));
    }

    [Theory]
    [InlineData("x: Float32[1,8,6,6] -> y { w = Float32[4,8,3,3] random(1); y = Conv(x, w) }", 144)]
    [InlineData("x: Float32[1,8,6,6] -> y { w = Float32[8,3,3,3] random(1); y = ConvTranspose(x, w) }", 108)]
    [InlineData("x: Float32[2,8] -> y { w = Float32[8,3] random(1); y = Gemm(x, w) }", 12)]
    [InlineData("x: Float32[2,8] -> y { w = Float32[3,8] random(1); y = Gemm(x, w){transB=1} }", 12)]
    [InlineData("x: Float32[2,8] -> y { w = Float32[8,3] random(1); y = MatMul(x, w) }", 12)]
    [InlineData("x: Float16[2,8] -> y { w = Float16[8,3] random(1); y = MatMul(x, w) }", 12)]
    [InlineData("x: Float32[2,8] -> y { w = Int8[8,3] random(1); s = Float32[] 0.1; z = Int8[] 0; d = DequantizeLinear(w, s, z); y = MatMul(x, d) }", 12)]
    public void Two_of_four_go_along_the_summed_axis(string text, int zeroed)
    {
        OnnxGraph before = TestGraphs.Parse(text);
        (OnnxGraph after, IReadOnlyList<PrunedWeight> weights) = WeightPruning.Prune(before, _ => true, CancellationToken.None);
        AssertSound(after);
        Assert.True(Assert.Single(SparsityCheck.Check(after, CancellationToken.None)).IsSparse);
        PrunedWeight weight = Assert.Single(weights);
        Assert.True(weight.Pruned, weight.Reason);
        double[] old = before.Body.Find("w")!.Data!.ToDouble(), now = after.Body.Find("w")!.Data!.ToDouble();
        Assert.Equal(weight.ZeroedCount, old.Zip(now).Count(p => p.First != 0 && p.Second == 0));
        Assert.InRange(weight.ZeroedCount, zeroed - 2, zeroed);
        Assert.All(old.Zip(now), p => Assert.True(p.Second == 0 || p.Second == p.First));
        // The smaller half of the magnitudes in each group is less than half of all.
        Assert.InRange(weight.LostMagnitudePercent, 0.1, 50);
        Assert.Equal(100 * old.Zip(now).Sum(p => Math.Abs(p.First - p.Second)) / old.Sum(Math.Abs), weight.LostMagnitudePercent, 6);
        Assert.DoesNotContain(SparsityCheck.Check(before, CancellationToken.None), w => w.IsSparse);
    }

    [Fact]
    public void The_largest_stay_and_of_equal_ones_the_first()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[1,8] -> y { w = Float32[8,1] [1, -3, 2, 0.5, 2, 2, -2, 2]; y = MatMul(x, w) }");
        Assert.Equal([0, -3, 2, 0, 2, 2, 0, 0], WeightPruning.Prune(graph, _ => true, CancellationToken.None).Graph.Body.Find("w")!.Data!.ToDouble());
    }

    [Theory]
    [InlineData("x: Float32[1,3,6,6] -> y { w = Float32[4,3,3,3] random(1); y = Conv(x, w) }", "multiple of 4")]
    [InlineData("x: Float32[8,8] -> y { w = Float32[8,8] random(1); a = Gemm(x, w); y = Gemm(a, w){transB=1} }", "another axis")]
    [InlineData("x: Float32[2,8] -> y { w = UInt8[8,3] random(1); s = Float32[] 0.1; z = UInt8[] 128; d = DequantizeLinear(w, s, z); y = MatMul(x, d) }", "zero point")]
    public void What_cannot_have_the_pattern_is_left_as_it_is(string text, string reason)
    {
        (OnnxGraph after, IReadOnlyList<PrunedWeight> weights) = WeightPruning.Prune(TestGraphs.Parse(text), _ => true, CancellationToken.None);
        Assert.Contains(reason, Assert.Single(weights).Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(0, after.Body.Find("w")!.Data!.ToDouble().Where(v => v == 0 && TestGraphs.Parse(text).Body.Find("w")!.Data!.ToDouble().All(o => o != 0)));
    }
}
