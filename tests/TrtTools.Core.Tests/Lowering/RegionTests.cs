using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>What becomes one region, what does not, and that it still computes the same.</summary>
public sealed class RegionTests
{
    private const string Bottleneck = """
        x: Float32[1,16,8,8] -> y {
          w1 = Float32[4,16,1,1] random(1); s1 = Float32[4] random(11); b1 = Float32[4] random(12); m1 = Float32[4] random(13); v1 = Float32[4] ones
          w2 = Float32[4,4,3,3] random(2); b2 = Float32[4] random(22)
          w3 = Float32[16,4,1,1] random(3); b3 = Float32[16] random(32)
          c1 = Conv(x, w1); n1 = BatchNormalization(c1, s1, b1, m1, v1); r1 = Relu(n1)
          c2 = Conv{pads=[1,1,1,1]}(r1, w2, b2); r2 = Relu(c2)
          c3 = Conv(r2, w3, b3); a = Add(c3, x); y = Relu(a)
        }
        """;

    private const string TransformerLayer = """
        x: Float32[B,S,8], mask: Float32[B,1,1,S] -> y {
          wq = Float32[8,8] random(1); wk = Float32[8,8] random(2); wv = Float32[8,8] random(3); wo = Float32[8,8] random(4)
          bq = Float32[8] random(5); bk = Float32[8] random(6); bv = Float32[8] random(7); bo = Float32[8] random(8)
          w1 = Float32[8,16] random(9); b1 = Float32[16] random(10); w2 = Float32[16,8] random(11); b2 = Float32[8] random(12)
          g1 = Float32[8] random(13); h1 = Float32[8] random(14); g2 = Float32[8] random(15); h2 = Float32[8] random(16)
          split = Int64[4] [0, 0, 2, 4]; merge = Int64[3] [0, 0, 8]; two = Float32 2.0; half = Float32 0.5; one = Float32 1.0; root = Float32 1.4142135
          q0 = MatMul(x, wq); q1 = Add(q0, bq); q2 = Reshape(q1, split); q = Transpose{perm=[0,2,1,3]}(q2)
          k0 = MatMul(x, wk); k1 = Add(k0, bk); k2 = Reshape(k1, split); k = Transpose{perm=[0,2,3,1]}(k2)
          v0 = MatMul(x, wv); v1 = Add(v0, bv); v2 = Reshape(v1, split); v = Transpose{perm=[0,2,1,3]}(v2)
          s0 = MatMul(q, k); s1 = Div(s0, two); s2 = Add(s1, mask); p = Softmax(s2); o0 = MatMul(p, v)
          o1 = Transpose{perm=[0,2,1,3]}(o0); o2 = Reshape(o1, merge); o3 = MatMul(o2, wo); o4 = Add(o3, bo); o5 = Add(o4, x)
          n1 = LayerNormalization(o5, g1, h1)
          f0 = MatMul(n1, w1); f1 = Add(f0, b1); e0 = Div(f1, root); e1 = Erf(e0); e2 = Add(e1, one); e3 = Mul(f1, e2); e4 = Mul(e3, half)
          f2 = MatMul(e4, w2); f3 = Add(f2, b2); f4 = Add(f3, n1)
          y = LayerNormalization(f4, g2, h2)
        }
        """;

    [Fact]
    public void A_bottleneck_is_three_convolutions() => Outline(Bottleneck, "Convolution Conv + Relu", "Convolution Conv + Relu", "Convolution Conv + Add + Relu");

    [Fact]
    public void A_transformer_layer_is_seven_regions() => Outline(TransformerLayer, "MatMul MatMul + Add", "Attention MatMul + Div + Add + Softmax + MatMul", "MatMul MatMul + Add + Add", "Row LayerNormalization",
        "MatMul MatMul + Add + Div + Erf + Add + Mul + Mul", "MatMul MatMul + Add + Add", "Row LayerNormalization");

    [Fact]
    public void Concat_is_written_in_place_by_what_it_joins() => Outline("""
        x: Float32[1,4,6,6] -> y {
          w1 = Float32[3,4,1,1] random(1); w2 = Float32[5,4,3,3] random(2); w3 = Float32[2,8,1,1] random(3)
          a = Conv(x, w1); b = Conv{pads=[1,1,1,1]}(x, w2); s = Sigmoid(b); m = Mul(b, s); c = Concat{axis=1}(a, m); y = Conv(c, w3)
        }
        """, "Convolution Conv", "Convolution Conv + Sigmoid + Mul", "Convolution Conv");

    [Fact]
    public void A_part_of_a_concat_that_others_read_stands_in_it_too() => Outline("""
        x: Float32[1,4,6,6] -> y, z {
          w1 = Float32[3,4,1,1] random(1); w2 = Float32[3,3,3,3] random(2)
          a = Conv(x, w1); b = Conv{pads=[1,1,1,1]}(a, w2); y = Concat{axis=1}(a, b); z = Relu(a)
        }
        """, "Convolution Conv", "Convolution Conv", "Map Relu");

    [Fact]
    public void Squeeze_and_excite_keeps_its_gate_small() => Outline("""
        x: Float32[1,8,6,6] -> y {
          w1 = Float32[2,8,1,1] random(1); w2 = Float32[8,2,1,1] random(2); w3 = Float32[8,8,1,1] random(3)
          c = Conv(x, w3); p = GlobalAveragePool(c); a = Conv(p, w1); r = Relu(a); b = Conv(r, w2); g = Sigmoid(b); y = Mul(c, g)
        }
        """, "Convolution Conv", "Reduce GlobalAveragePool", "Convolution Conv + Relu", "Convolution Conv + Sigmoid", "Map Mul");

    [Fact]
    public void A_value_that_is_an_output_is_stored() => Outline("x: Float32[4,4] -> y, z { w = Float32[4,4] random(1); y = MatMul(x, w); z = Relu(y) }", "MatMul MatMul", "Map Relu");

    [Fact]
    public void An_expensive_map_is_not_computed_twice() => Outline("""
        x: Float32[4,4] -> y, z { w = Float32[4,4] random(1); e = Exp(x); t = Tanh(e); y = MatMul(t, w); z = Add(t, e) }
        """, "Map Exp", "Map Tanh", "MatMul MatMul", "Map Add");

    [Fact]
    public void Views_cost_nothing() => Outline("""
        x: Float32[2,6,4] -> y {
          s = Int64[3] [2, 3, 8]; a = Int64[1] [1]; b = Int64[1] [3]; c = Int64[1] [1]; w = Float32[3,5] random(1)
          r = Reshape(x, s); t = Transpose{perm=[0,2,1]}(r); l = Slice(t, a, b, c); y = MatMul(l, w)
        }
        """, "MatMul MatMul");

    [Fact]
    public void Quantized_layers_sum_integers_and_hand_on_integers()
    {
        const string text = """
            x: Float32[1,4,6,6] -> y {
              sx = Float32 0.01; zx = Int8 0; sw = Float32[3] [0.01, 0.02, 0.03]; zw = Int8[3] zeros; w1 = Int8[3,4,3,3] random(1); sy = Float32 0.05; v = Int8[5,3,1,1] random(2); b = Float32[3] random(3)
              q = QuantizeLinear(x, sx, zx); d = DequantizeLinear(q, sx, zx); e = DequantizeLinear{axis=0}(w1, sw, zw)
              c = Conv{pads=[1,1,1,1]}(d, e, b); r = Relu(c); q2 = QuantizeLinear(r, sy, zx); d2 = DequantizeLinear(q2, sy, zx); f = DequantizeLinear(v, sx, zx); y = Conv(d2, f)
            }
            """;
        LoweredProgram program = Outline(text, "Map QuantizeLinear", "Convolution Conv + Relu + QuantizeLinear", "Convolution Conv");
        foreach (ConvolutionFacts facts in program.Steps.OfType<RegionStep>().Select(s => s.Region.Facts).OfType<ConvolutionFacts>())
        {
            Assert.True(facts.Integer);
            Assert.Equal(DataType.Int8, facts.Input.Type);
            Assert.Equal(DataType.Int8, facts.Weight.Type);
        }
    }

    [Fact]
    public void Causal_attention_is_seen_in_its_constant_mask()
    {
        const string text = """
            q: Float32[1,2,3,4], k: Float32[1,2,3,4], v: Float32[1,2,3,4] -> y {
              mask = Float32[1,1,3,3] [0.0, -inf, -inf, 0.0, 0.0, -inf, 0.0, 0.0, 0.0]; c = Float32 0.5
              t = Transpose{perm=[0,1,3,2]}(k); s = MatMul(q, t); m = Mul(s, c); a = Add(m, mask); p = Softmax(a); y = MatMul(p, v)
            }
            """;
        LoweredProgram program = Outline(text, "Attention MatMul + Mul + Add + Softmax + MatMul");
        AttentionFacts facts = Assert.IsType<AttentionFacts>(((RegionStep)program.Steps[0]).Region.Facts);
        Assert.True(facts.Causal);
        Assert.Null(facts.Mask);
        Assert.Equal(0.5, facts.Scale);
        Assert.Equal("k", facts.Key.Storage.Name);
        Assert.Equal([1L, 2, 3, 4], facts.Key.Shape.Select(d => d.Value));
    }

    [Fact]
    public void Raw_optimized_and_fused_graphs_give_one_program()
    {
        foreach (string text in new[] { Bottleneck, TransformerLayer })
        {
            OnnxGraph raw = TestGraphs.Parse(text);
            OnnxGraph optimized = GraphOptimizer.Optimize(raw, new OptimizeOptions(), Report.None, CancellationToken.None);
            OnnxGraph fused = LayerFusion.Fuse(raw, new FusionOptions(), Report.None, CancellationToken.None);
            string expected = ProgramText.Of(Lower(raw));
            Assert.Equal(expected, ProgramText.Of(Lower(optimized)));
            Assert.Equal(expected, ProgramText.Of(Lower(fused)));
        }
    }

    private static LoweredProgram Lower(OnnxGraph graph) => GraphLowering.Lower(graph, new LoweringOptions { Strict = true }, Report.None, CancellationToken.None);

    /// <summary>Checks the regions' kinds and operators, then the numbers, in both layouts and in half precision.</summary>
    private static LoweredProgram Outline(string text, params string[] regions)
    {
        LoweredProgram program = Lower(TestGraphs.Parse(text));
        Assert.Equal(regions, program.Steps.Select(s => s is RegionStep { Region: { } r } ? $"{r.Kind} {Plain(r.Operators)}" : "host"));
        LoweringCheck.Equal(text);
        OnnxGraph graph = TestGraphs.Parse(text);
        IReadOnlyDictionary<string, TensorData> inputs = LoweringCheck.Inputs(graph, 3);
        IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(graph, inputs, CancellationToken.None);
        LoweringOptions half = new() { FloatStorage = DataType.Float16, ChannelsLast = true };
        LoweringCheck.Compare("half", GraphLowering.Lower(graph, half, Report.None, CancellationToken.None), inputs, expected, LoweringCheck.Float16);
        return program;
    }

    // Copies to outputs and views that a layer writes through say nothing of what it computes.
    private static string Plain(string operators) => string.Join(" + ", operators.Split(" + ").Where(o => o is not ("Identity" or "Transpose" or "Concat")));
}
