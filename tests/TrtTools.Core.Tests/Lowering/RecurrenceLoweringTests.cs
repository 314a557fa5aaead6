namespace TrtTools.Tests.Lowering;

public sealed class RecurrenceLoweringTests
{
    private const string Lstm = "x: Float32[5,2,3], w: Float32[1,16,3], r: Float32[1,16,4]";

    [Theory]
    [InlineData(Lstm + " -> y, h, c { y, h, c = LSTM{hidden_size=4}(x, w, r) }")]
    [InlineData(Lstm + ", b: Float32[1,32], i: Float32[1,2,4], j: Float32[1,2,4], p: Float32[1,12] -> y, h, c { y, h, c = LSTM{hidden_size=4, direction=\"reverse\"}(x, w, r, b, _, i, j, p) }")]
    [InlineData("x: Float32[5,2,3], w: Float32[2,16,3], r: Float32[2,16,4], b: Float32[2,32] -> y, h, c { y, h, c = LSTM{hidden_size=4, direction=\"bidirectional\", clip=0.4}(x, w, r, b) }")]
    [InlineData(Lstm + ", b: Float32[1,32] -> h { _, h, _ = LSTM{hidden_size=4, activations=[\"Sigmoid\", \"Relu\", \"Tanh\"]}(x, w, r, b) }")]
    [InlineData("x: Float32[N,2,3], w: Float32[1,16,3], r: Float32[1,16,4] -> y { y, _, _ = LSTM{hidden_size=4}(x, w, r) }")]
    public void Lstm_is_what_it_is(string graph) => LoweringCheck.Equal(graph);

    [Theory]
    [InlineData("x: Float32[5,2,3], w: Float32[1,12,3], r: Float32[1,12,4] -> y, h { y, h = GRU{hidden_size=4}(x, w, r) }")]
    [InlineData("x: Float32[5,2,3], w: Float32[1,12,3], r: Float32[1,12,4], b: Float32[1,24], i: Float32[1,2,4] -> y, h { y, h = GRU{hidden_size=4, linear_before_reset=1, direction=\"reverse\"}(x, w, r, b, _, i) }")]
    [InlineData("x: Float32[5,2,3], w: Float32[2,12,3], r: Float32[2,12,4], b: Float32[2,24], i: Float32[2,2,4] -> y, h { y, h = GRU{hidden_size=4, direction=\"bidirectional\"}(x, w, r, b, _, i) }")]
    public void Gru(string graph) => LoweringCheck.Equal(graph);

    [Theory]
    [InlineData("x: Float32[5,2,3], w: Float32[1,4,3], r: Float32[1,4,4], b: Float32[1,8] -> y, h { y, h = RNN{hidden_size=4}(x, w, r, b) }")]
    [InlineData("x: Float32[5,2,3], w: Float32[2,4,3], r: Float32[2,4,4] -> y, h { y, h = RNN{hidden_size=4, direction=\"bidirectional\", activations=[\"Relu\", \"Tanh\"]}(x, w, r) }")]
    public void Rnn(string graph) => LoweringCheck.Equal(graph);
}
