using TrtTools.Lowering;

namespace TrtTools.Tests.Kernels;

/// <summary>Kernels whose time on a GPU says how near their forms come to the speed of memory.</summary>
internal static class TimingCases
{
    public static IEnumerable<KernelCase> All()
    {
        LoweringOptions last = new() { Strict = true, ChannelsLast = true };
        (string Name, string Text, LoweringOptions? Options)[] cases =
        [
            ("map.relu.f16", "x: Float16[64,1048576] -> y: Float16[64,1048576] { y = Relu(x) }", null),
            ("map.relu.f32", "x: Float32[64,1048576] -> y: Float32[64,1048576] { y = Relu(x) }", null),
            ("map.gelu.f16", "<opset 20> x: Float16[16384,3072] -> y: Float16[16384,3072] { y = Gelu(x) }", null),
            ("map.add.f16", "a: Float16[64,256,56,56], b: Float16[64,256,56,56] -> y: Float16[64,256,56,56] { y = Add(a, b) }", null),
            ("map.bias-nchw.f16", "a: Float16[64,256,56,56], b: Float16[256,1,1] -> y: Float16[64,256,56,56] { y = Add(a, b) }", null),
            ("map.bias-nchw7.f16", "a: Float16[256,2048,7,7], b: Float16[2048,1,1] -> y: Float16[256,2048,7,7] { y = Add(a, b) }", null),
            ("map.bias-row.f16", "a: Float16[16384,3072], b: Float16[3072] -> y: Float16[16384,3072] { y = Add(a, b) }", null),
            ("map.cast", "a: Float32[16384,3072] -> y: Float16[16384,3072] { y = Cast(a){to=10} }", null),
            ("map.quantize", "<opset 21> a: Float16[16384,3072], s: Float16[], z: Int8[] -> y: Int8[16384,3072] { y = QuantizeLinear(a, s, z) }", null),
            ("map.small.f16", "a: Float16[128,768], b: Float16[128,768] -> y: Float16[128,768] { y = Add(a, b) }", null),
            ("transpose.f16", "x: Float16[64,3136,256] -> y: Float16[64,256,3136] { y = Transpose(x){perm=[0,2,1]} }", null),
            ("transpose.f32", "x: Float32[64,3136,256] -> y: Float32[64,256,3136] { y = Transpose(x){perm=[0,2,1]} }", null),
            ("transpose.heads.f16", "x: Float16[64,512,12,64] -> y: Float16[64,12,512,64] { y = Transpose(x){perm=[0,2,1,3]} }", null),
            ("softmax.128.f16", "x: Float16[32,12,128,128] -> y: Float16[32,12,128,128] { y = Softmax(x) }", null),
            ("softmax.197.f16", "x: Float16[64,12,197,197] -> y: Float16[64,12,197,197] { y = Softmax(x) }", null),
            ("softmax.1000.f32", "x: Float32[65536,1000] -> y: Float32[65536,1000] { y = Softmax(x) }", null),
            ("softmax.4096.f16", "x: Float16[16384,4096] -> y: Float16[16384,4096] { y = Softmax(x) }", null),
            ("softmax.32768.f16", "x: Float16[2048,32768] -> y: Float16[2048,32768] { y = Softmax(x) }", null),
            ("layernorm.768.f16", "x: Float16[32768,768], s: Float16[768], b: Float16[768] -> y: Float16[32768,768] { y = LayerNormalization(x, s, b) }", null),
            ("layernorm.768.small.f16", "x: Float16[128,768], s: Float16[768], b: Float16[768] -> y: Float16[128,768] { y = LayerNormalization(x, s, b) }", null),
            ("layernorm.4096.f16", "x: Float16[16384,4096], s: Float16[4096], b: Float16[4096] -> y: Float16[16384,4096] { y = LayerNormalization(x, s, b) }", null),
            ("instancenorm.f16", "x: Float16[16,64,128,128], s: Float16[64], b: Float16[64] -> y: Float16[16,64,128,128] { y = InstanceNormalization(x, s, b) }", null),
            ("reduce.rows.f32", "x: Float32[16384,4096] -> y: Float32[16384] { a = Constant{value=Int64[1] [1]}(); y = ReduceSum(x, a){keepdims=0} }", null),
            ("reduce.columns.f16", "x: Float16[16384,1024] -> y: Float16[1024] { a = Constant{value=Int64[1] [0]}(); y = ReduceSum(x, a){keepdims=0} }", null),
            ("reduce.all.f32", "x: Float32[67108864] -> y: Float32[] { y = ReduceSum(x){keepdims=0} }", null),
            ("pool.average.nchw.f16", "x: Float16[256,2048,7,7] -> y: Float16[256,2048,1,1] { y = GlobalAveragePool(x) }", null),
            ("pool.average.nhwc.f16", "x: Float16[256,2048,7,7] -> y: Float16[256,2048,1,1] { r = Relu(x); p = GlobalAveragePool(r); y = Relu(p) }", last),
            ("pool.max.nchw.f16", "x: Float16[64,64,112,112] -> y: Float16[64,64,56,56] { y = MaxPool(x){kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]} }", null),
            ("pool.max.nhwc.f16", "x: Float16[64,64,112,112] -> y: Float16[64,64,56,56] { r = Relu(x); p = MaxPool(r){kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]}; y = Relu(p) }", last),
            ("gather.f16", "w: Float16[30522,768], i: Int64[32768] -> y: Float16[32768,768] { y = Gather(w, i) }", null),
            ("argmax.f32", "x: Float32[65536,1000] -> y: Int64[65536] { y = ArgMax(x){axis=1, keepdims=0} }", null),
            ("matmul.f32", "a: Float32[2048,2048], b: Float32[2048,2048] -> y: Float32[2048,2048] { y = MatMul(a, b) }", null),
            ("conv.nchw.f32", "x: Float32[32,128,28,28], w: Float32[128,128,3,3] -> y: Float32[32,128,28,28] { y = Conv(x, w){pads=[1,1,1,1]} }", null),
            ("depthwise.nhwc.f16", "x: Float16[64,240,28,28], w: Float16[240,1,5,5] -> y: Float16[64,240,28,28] { r = Relu(x); c = Conv(r, w){group=240, pads=[2,2,2,2]}; y = Relu(c) }", last),
            ("gemv.f16", "a: Float16[1,4096], b: Float16[4096,4096] -> y: Float16[1,4096] { y = MatMul(a, b) }", null),
            ("lstm.256", "x: Float32[100,1,64], w: Float32[1,1024,64], r: Float32[1,1024,256], b: Float32[1,2048] -> y: Float32[100,1,1,256] { y, h, c = LSTM{hidden_size=256}(x, w, r, b) }", null),
            ("topk.1000", "x: Float32[64,1000] -> y: Float32[64,5], i: Int64[64,5] { k = Int64[1] [5]; y, i = TopK(x, k) }", null),
            ("topk.8400", "x: Float32[1,8400] -> y: Float32[1,300], i: Int64[1,300] { k = Int64[1] [300]; y, i = TopK(x, k) }", null),
            ("resize.nearest.f16", "x: Float16[16,256,40,40] -> y: Float16[16,256,80,80] { s = Constant{value=Float32[4] [1.0,1.0,2.0,2.0]}(); y = Resize(x, _, s){mode=\"nearest\", nearest_mode=\"floor\", coordinate_transformation_mode=\"asymmetric\"} }", null),
        ];
        foreach ((string name, string text, LoweringOptions? options) in cases) yield return KernelCase.ForTiming("time." + name, text, options);
    }
}
