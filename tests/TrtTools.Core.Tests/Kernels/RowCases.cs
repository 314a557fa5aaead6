using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Softmax and the normalizations as lowered, over rows of many lengths.</summary>
internal static class RowCases
{
    public static IEnumerable<KernelCase> All()
    {
        foreach (DataType type in (DataType[])[DataType.Float32, DataType.Float16, DataType.BFloat16])
        {
            double tolerance = type switch { DataType.Float16 => 2e-3, DataType.BFloat16 => 1.6e-2, _ => 2e-5 };
            foreach (string shape in (string[])["5,10", "3,7,1000", "40,128", "4,197", "2,3,768", "2,4096", "1,20000", "600,64", "70,33"])
            {
                yield return Case($"softmax.{type}.{shape}", $"x: {type}[{shape}] -> y: {type}[{shape}] {{ y = Softmax(x){{axis=-1}} }}", tolerance);
            }
            foreach (string shape in (string[])["6,8", "3,768", "2,9,100", "2,1024", "1,6000", "80,96"])
            {
                string width = shape[(shape.LastIndexOf(',') + 1)..];
                yield return Case($"layernorm.{type}.{shape}",
                    $"x: {type}[{shape}], s: {type}[{width}], b: {type}[{width}] -> y: {type}[{shape}] {{ y = LayerNormalization(x, s, b) }}", tolerance * 4);
                yield return Case($"residual-layernorm.{type}.{shape}",
                    $"x: {type}[{shape}], r: {type}[{shape}], s: {type}[{width}], b: {type}[{width}] -> y: {type}[{shape}] {{ a = Add(x, r); n = LayerNormalization(a, s, b); y = Mul(n, a) }}", tolerance * 8);
            }
            yield return Case($"logsoftmax.{type}", $"x: {type}[20,50] -> y: {type}[20,50] {{ y = LogSoftmax(x){{axis=-1}} }}", tolerance);
            yield return Case($"softmax-middle.{type}", $"x: {type}[3,20,17] -> y: {type}[3,20,17] {{ y = Softmax(x){{axis=1}} }}", tolerance);
            yield return Case($"masked-softmax.{type}", $"x: {type}[2,3,16,40], m: {type}[2,1,1,40] -> y: {type}[2,3,16,40] {{ c = Constant{{value={type} 0.125}}(); d = Mul(x, c); a = Add(d, m); y = Softmax(a){{axis=-1}} }}", tolerance);
            yield return Case($"instancenorm.{type}", $"x: {type}[2,5,9,8], s: {type}[5], b: {type}[5] -> y: {type}[2,5,9,8] {{ y = InstanceNormalization(x, s, b) }}", tolerance * 4);
            yield return Case($"groupnorm.{type}", $"<opset 21> x: {type}[2,12,6,10], s: {type}[12], b: {type}[12] -> y: {type}[2,12,6,10] {{ n = GroupNormalization(x, s, b){{num_groups=3}}; g = Sigmoid(n); y = Mul(n, g) }}", tolerance * 4);
        }
        yield return Case("softmax.dynamic", "x: Float32[n,k] -> y: Float32[n,k] { y = Softmax(x){axis=-1} }", 2e-5, ("n", 37), ("k", 211));
        yield return Case("layernorm.dynamic", "x: Float16[n,384], s: Float16[384], b: Float16[384] -> y: Float16[n,384] { y = LayerNormalization(x, s, b) }", 8e-3, ("n", 21));
        yield return Case("softmax.Float64", "x: Float64[9,70] -> y: Float64[9,70] { y = Softmax(x){axis=-1} }", 1e-11);
        yield return Case("reduce-chain", "x: Float32[8,60] -> y: Float32[8,60] { m = ReduceMax{axes=[1]}(x); d = Sub(x, m); y = Exp(d) }", 2e-5);
        yield return Case("split.sum", "x: Float32[2,600001] -> y: Float32[2] { a = Constant{value=Int64[1] [1]}(); y = ReduceSum(x, a){keepdims=0} }", 1e-4);
        yield return Case("split.maximum", "x: Int32[1100003] -> y: Int32[] { y = ReduceMax(x){keepdims=0} }", 0);
        yield return Case("split.columns", "x: Float16[16400,72] -> y: Float16[72] { a = Constant{value=Int64[1] [0]}(); y = ReduceMean(x){axes=[0], keepdims=0} }", 1e-2);
        yield return Case("flat.bias", "x: Float16[64,512,3,7], b: Float16[512,1,1], c: Float16[512,3,1] -> y: Float16[64,512,3,7] { a = Add(x, b); m = Mul(a, c); y = Relu(m) }", 2e-3);
        yield return Case("joint.transposed", "a: Float32[2,20,33], b: Float32[2,70,33], c: Float32[2,33,5] -> y: Float32[2,33,95] { s = Transpose{perm=[0,2,1]}(a); t = Transpose{perm=[0,2,1]}(b); u = Sigmoid(s); v = Tanh(t); w = Relu(c); y = Concat{axis=2}(u, v, w) }", 2e-5);
        yield return Case("joint.half", "a: Float16[2,64,48], b: Float16[2,64,72], c: Float16[2,64,5] -> y: Float16[2,64,125] { s = Relu(a); t = Neg(b); u = Abs(c); y = Concat{axis=2}(s, t, u) }", 2e-3);
        yield return Case("joint.rolled", "p: Float32[3,5,8], n: Float32[3,1,8] -> y: Float32[3,6,8] { i = Int64[1] [0]; j = Int64[1] [1]; k = Int64[1] [2]; a = Gather(p, i); b = Gather(p, j); c = Gather(p, k); d = Gather(n, i); e = Gather(n, j); f = Gather(n, k); u = Concat{axis=1}(a, d); v = Concat{axis=1}(b, e); w = Concat{axis=1}(c, f); y = Concat{axis=0}(u, v, w) }", 0);
        yield return Case("lstm", "x: Float32[7,3,10], w: Float32[2,128,10], r: Float32[2,128,32], b: Float32[2,256] -> y: Float32[7,2,3,32] { y, h, c = LSTM{hidden_size=32, direction=\"bidirectional\"}(x, w, r, b) }", 2e-5);
        yield return Case("lstm.dynamic", "x: Float32[n,k,10], w: Float32[1,80,10], r: Float32[1,80,20], b: Float32[1,160] -> h: Float32[1,k,20] { y, h, c = LSTM{hidden_size=20}(x, w, r, b) }", 2e-5, ("n", 6), ("k", 2));
        yield return Case("gru", "x: Float32[7,3,10], w: Float32[1,96,10], r: Float32[1,96,32], b: Float32[1,192] -> y: Float32[7,1,3,32] { y, h = GRU{hidden_size=32}(x, w, r, b) }", 2e-5);
        yield return Case("gru.linear", "x: Float32[7,3,10], w: Float32[1,24,10], r: Float32[1,24,8], b: Float32[1,48] -> y: Float32[7,1,3,8] { y, h = GRU{hidden_size=8, linear_before_reset=1, direction=\"reverse\"}(x, w, r, b) }", 2e-5);
        yield return Case("topk", "x: Float32[4,300] -> y: Float32[4,20], i: Int64[4,20] { k = Int64[1] [20]; y, i = TopK(x, k) }", 0);
        yield return Case("cumsum", "x: Float32[4,300] -> y: Float32[4,300] { a = Int64 1; y = CumSum(x, a) }", 2e-5);
        foreach (bool last in (bool[])[false, true])
        {
            yield return KernelCase.OfGraph($"groupnorm.half.last={last}", "<opset 21> x: Float32[2,32,8,8], s: Float32[32], b: Float32[32] -> y: Float32[2,32,8,8] { a = Relu(x); n = GroupNormalization(a, s, b){num_groups=4}; y = Relu(n) }",
                new LoweringOptions { Strict = true, FloatStorage = DataType.Float16, ChannelsLast = last }, 8e-3);
        }
    }

    private static KernelCase Case(string name, string text, double tolerance, params (string Name, long Value)[] symbols) => KernelCase.OfGraph(name, text, null, tolerance, symbols);
}
