using TrtTools.Ir;
using TrtTools.Shapes;

namespace TrtTools.Tests.Shapes;

public sealed class ContribRulesTests
{
    [Theory]
    [InlineData("x: Float32[B,S,64], w: Float32[64,192], b: Float32[192] -> y, p { y, p = com.microsoft::Attention(x, w, b){num_heads=4} }", "y: Float32[B,S,64]; p: Float32[2,B,4,S,16]")]
    [InlineData("x: Float32[B,S,64], w: Float32[64,96], b: Float32[96] -> y { y = com.microsoft::Attention(x, w, b){num_heads=4, qkv_hidden_sizes=[32,32,32]} }", "y: Float32[B,S,32]")]
    [InlineData("q: Float16[B,S,64], k: Float16[B,L,64], v: Float16[B,L,32], pk: Float16[B,4,P,16], pv: Float16[B,4,P,8] -> y, a, b { y, a, b = com.microsoft::MultiHeadAttention(q, k, v, _, _, _, pk, pv){num_heads=4} }",
        "y: Float16[B,S,32]; a: Float16[B,4,L+P,16]; b: Float16[B,4,L+P,8]")]
    [InlineData("q: Float16[B,S,64], k: Float16[B,S,32], v: Float16[B,S,32], n: Int32[B], t: Int32[] -> y, a, b { y, a, b = com.microsoft::GroupQueryAttention(q, k, v, _, _, n, t){num_heads=8, kv_num_heads=4} }",
        "y: Float16[B,S,64]; a: Float16[B,4,S,8]; b: Float16[B,4,S,8]")]
    [InlineData("q: Float16[B,S,96], n: Int32[B], t: Int32[] -> y { y = com.microsoft::GroupQueryAttention(q, _, _, _, _, n, t){num_heads=8, kv_num_heads=2} }", "y: Float16[B,S,64]")]
    [InlineData("x: Float32[B,S,8], s: Float32[B,S,8], g: Float32[8] -> y, r { y, _, _, r = com.microsoft::SkipLayerNormalization(x, s, g) }", "y: Float32[B,S,8]; r: Float32[B,S,8]")]
    [InlineData("x: Float16[B,S,64], w: UInt8[32,2,16], s: Float16[64] -> y { y = com.microsoft::MatMulNBits(x, w, s){K=64, N=32, block_size=32} }", "y: Float16[B,S,32]")]
    [InlineData("e: Float32[B,S,16], q: Float16[B,8,S,16], qr: Float16[B,8,S,16], k: Float16[B,8,S,16], kr: Float16[B,8,S,16] -> y, z { y, z = com.microsoft::GemmaRotaryEmbedding(e, q, qr, k, kr) }",
        "y: Float16[B,8,S,16]; z: Float16[B,8,S,16]")]
    [InlineData("x: Float32[T,64], r: Float32[T,4], a: Float32[4,64,128], b: Float32[4,128,64] -> y { y = com.microsoft::MoE(x, r, a, _, b){k=2} }", "y: Float32[T,64]")]
    [InlineData("i: Int32[B,S], g: Int32[B,S], w: Float32[100,16], p: Float32[50,16], t: Float32[2,16], a: Float32[16], b: Float32[16] -> y, m { y, m = com.microsoft::EmbedLayerNormalization(i, g, w, p, t, a, b) }", "y: Float32[B,S,16]; m: Int32[B]")]
    [InlineData("x: Float32[1,3,8,8], w: Float32[4,3,3,3] -> y { y = com.microsoft::FusedConv(x, w){activation=\"Relu\", pads=[1,1,1,1]} }", "y: Float32[1,4,8,8]")]
    [InlineData("s: Float32[], z: UInt8[], a: UInt8[1,2,4], b: UInt8[1,3,4] -> y { y = com.microsoft::QLinearConcat(s, z, a, s, z, b, s, z){axis=1} }", "y: UInt8[1,5,4]")]
    [InlineData("a: Float32[2,3], b: Float32[2,4], i: Int64[] -> y { s = SequenceConstruct(a, b); y = SequenceAt(s, i) }", "y: Float32[2,?]")]
    [InlineData("a: Float32[N,3], i: Int64[] -> y { s = SequenceConstruct(a, a); t = SequenceInsert(s, a); u = SequenceErase(t, i); y = SequenceAt(u, i) }", "y: Float32[N,3]")]
    [InlineData("a: Float32[6,3], i: Int64[] -> y { n = Int64 2; s = SplitToSequence(a, n){axis=0}; y = SequenceAt(s, i) }", "y: Float32[2,3]")]
    [InlineData("a: Float32[6,3], i: Int64[] -> y { s = SplitToSequence(a){axis=1, keepdims=0}; y = SequenceAt(s, i) }", "y: Float32[6]")]
    [InlineData("a: Float32[2,3], b: Float32[4,3] -> y { s = SequenceConstruct(a, b); y = ConcatFromSequence(s){axis=0} }", "y: Float32[?,3]")]
    [InlineData("a: Float32[2,3] -> y { s = SequenceConstruct(a, a); y = ConcatFromSequence(s){axis=0, new_axis=1} }", "y: Float32[?,2,3]")]
    [InlineData("a: Float32[2,3] -> y { o = Optional(a); y = OptionalGetElement(o) }", "y: Float32[2,3]")]
    public void Types_are_found(string text, string expected)
    {
        OnnxGraph graph = TestGraphs.Parse(text);
        ShapeResult result = ShapeInference.Infer(graph);
        Assert.Empty(result.Contradictions);
        Assert.Equal(expected, string.Join("; ", graph.Body.Outputs.Select(o => o.ToString())));
    }
}
