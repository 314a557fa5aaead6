using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

public sealed class SortLoweringTests
{
    [Theory]
    [InlineData("x: Float32[3,17] -> y, i { k = Int64[1] [5]; y, i = TopK(x, k) }")]
    [InlineData("x: Float32[3,17] -> y, i { k = Int64[1] [4]; y, i = TopK{axis=0, largest=0}(x, k) }", 4)]
    [InlineData("x: Float32[2,9,4] -> y, i { k = Int64[1] [9]; y, i = TopK{axis=1}(x, k) }")]
    [InlineData("x: Int64[40] -> y, i { k = Int64[1] [7]; y, i = TopK{largest=0}(x, k) }")]
    [InlineData("x: Float32[N,9] -> i, y { k = Int64[1] [2]; y, i = TopK(x, k) }")]
    public void TopK(string graph, int rows = 3)
    {
        // Equal elements keep their order, so a tensor of few different integers tells.
        if (graph.Contains("axis=0", StringComparison.Ordinal)) graph = graph.Replace("[3,17]", $"[{rows},17]", StringComparison.Ordinal);
        LoweringCheck.Equal(graph);
    }

    [Fact]
    public void Equal_elements_keep_their_order() =>
        LoweringCheck.Equal("x: Float32[2,8] -> y, i { k = Int64[1] [8]; y, i = TopK(x, k) }", inputs: new Dictionary<string, TensorData> { ["x"] = TensorData.From<float>([1, 2, 1, 3, 2, 1, 3, 3, 0, 0, 0, 0, -0f, 0, 0, float.NegativeInfinity], 2, 8) });

    [Theory]
    [InlineData("x: Float32[3,10] -> y { a = Int64 1; y = CumSum(x, a) }")]
    [InlineData("x: Float32[3,10] -> y { a = Int64 -2; y = CumSum{exclusive=1}(x, a) }")]
    [InlineData("x: Int32[3,10] -> y { a = Int64 1; y = CumSum{reverse=1}(x, a) }")]
    [InlineData("x: Float64[N,10] -> y { a = Int64 0; y = CumSum{reverse=1, exclusive=1}(x, a) }")]
    public void CumSum(string graph) => LoweringCheck.Equal(graph);
}
