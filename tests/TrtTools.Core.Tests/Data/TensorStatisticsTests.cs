using TrtTools.Data;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Tests.Data;

public sealed class TensorStatisticsTests
{
    [Fact]
    public void Figures_are_those_of_NumPy()
    {
        // numpy: a = np.array([[3, -1, 0, 7], [2, 2, 5, -4]], np.float32)
        TensorStatistic s = TensorStatistics.Of(new Tensor("a", TensorData.From<float>([3, -1, 0, 7, 2, 2, 5, -4], 2, 4)), bins: 4);
        Assert.Equal((1.75, 10.4375, 2.0, -4.0, 7.0), (s.Mean, s.Variance, s.Median, s.Minimum, s.Maximum));
        Assert.Equal(Math.Sqrt(10.4375), s.StandardDeviation, 12);
        Assert.Equal([1L, 3], s.MinimumAt);
        Assert.Equal([0L, 3], s.MaximumAt);
        Assert.Equal((3.0, 5.6, 6.3, 6.86), (s.MeanMagnitude, Math.Round(s.P90, 9), Math.Round(s.P95, 9), Math.Round(s.P99, 9)));
        Assert.Equal([1L, 2, 3, 2], s.Histogram.Select(b => b.Count));
        Assert.Equal((-4.0, -1.25), (s.Histogram[0].From, s.Histogram[0].To));
        Assert.Equal((1L, 0L, 0L), (s.ZeroCount, s.NaNCount, s.InfinityCount));
    }

    [Fact]
    public void What_is_not_finite_is_counted_and_left_out()
    {
        TensorStatistic s = TensorStatistics.Of(new Tensor("a", TensorData.From<float>([float.NaN, 1, float.PositiveInfinity, 3, float.NegativeInfinity], 5)));
        Assert.Equal((1L, 2L, 2.0, 1.0, 3.0), (s.NaNCount, s.InfinityCount, s.Mean, s.Minimum, s.Maximum));
        Assert.Equal([1L], s.MinimumAt);
        TensorStatistic none = TensorStatistics.Of(new Tensor("a", TensorData.From<float>([float.NaN], 1)));
        Assert.Empty(none.MinimumAt);
        Assert.Empty(none.Histogram);
        Assert.Equal(0, TensorStatistics.Of(new Tensor("a", TensorData.From<float>([], 0))).ElementCount);
    }

    [Fact]
    public void Equal_values_make_one_bar_around_them()
    {
        HistogramBin[] bars = TensorStatistics.Of(new Tensor("a", TensorData.From<long>([4, 4, 4], 3)), bins: 2).Histogram;
        Assert.Equal((3.5, 4.5, 3L), (bars[0].From, bars[1].To, bars.Sum(b => b.Count)));
    }

    [Fact]
    public void Text_has_no_statistics() =>
        Assert.Equal(ErrorCode.DataInvalid, Assert.Throws<TrtToolsException>(() => TensorStatistics.Of(new Tensor("a", TensorData.FromStrings([1], ["x"])))).Code);

    [Fact]
    public void Activations_are_those_of_the_graph()
    {
        InputSource data = InputSources.FromDictionaries([new System.Collections.Hashtable { ["x"] = new float[] { -2, 1 } }, new System.Collections.Hashtable { ["x"] = new float[] { 4, 4 } }], [new InputInfo("x", DataType.Float32, [2])]);
        OnnxGraph graph = TestGraphs.Parse("x: Float32[2] -> y { w = Float32[2] [1, 1]; a = Relu(x); y = Add(a, w) }");
        TensorStatistic[] found = [.. GraphStatistics.OfActivations(graph, data, n => true, 0, Report.None, CancellationToken.None)];
        Assert.Equal(["a 0.5", "y 1.5", "a 4", "y 5"], found.Select(f => FormattableString.Invariant($"{f.Name} {f.Mean}")));
        Assert.EndsWith("sample 1", found[^1].Source, StringComparison.Ordinal);
        Assert.Equal(["w 1"], GraphStatistics.OfWeights(graph, n => n == "w", 0).Select(f => FormattableString.Invariant($"{f.Name} {f.Mean}")));
    }
}
