using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Shapes;

/// <summary>One line a rule: a graph and the type of its output y.</summary>
public sealed class ShapeInferenceTests
{
    [Theory]
    // pointwise and broadcasting
    [InlineData("x: Float32[b,3] -> y { c = Float32[3] ones; y = Add(x, c) }", "Float32[b,3]")]
    [InlineData("x: Float32[b,1,3], z: Float32[4,1] -> y { y = Mul(x, z) }", "Float32[b,4,3]")]
    [InlineData("x: Float32[a], z: Float32[b] -> y { y = Mul(x, z) }", "Float32[broadcast(a,b)]")]
    [InlineData("x: Float32[a], z: Float32 -> y { y = Mul(x, z) }", "Float32[?…]")]
    [InlineData("x: Float32[b,3] -> y { c = Float32[3] ones; y = Greater(x, c) }", "Bool[b,3]")]
    [InlineData("x: Float32[b,3], c: Bool[1,3] -> y { z = Float32 0.0; y = Where(c, x, z) }", "Float32[b,3]")]
    [InlineData("x: Float32[b,3] -> y { y = Cast{to=7}(x) }", "Int64[b,3]")]
    [InlineData("<opset 6> x: Float32[2,3,4,5], z: Float32[3] -> y { y = Add{axis=1, broadcast=1}(x, z) }", "Float32[2,3,4,5]")]
    // windows
    [InlineData("x: Float32[b,3,h,w] -> y { k = Float32[8,3,3,3] ones; y = Conv{strides=[2,2], pads=[1,1,1,1]}(x, k) }", "Float32[b,8,floor((h+1)/2),floor((w+1)/2)]")]
    [InlineData("x: Float32[1,4,10] -> y { k = Float32[8,2,3] ones; y = Conv{group=2, dilations=[2]}(x, k) }", "Float32[1,8,6]")]
    [InlineData("x: Float32[1,3,7,7] -> y { k = Float32[8,3,3,3] ones; y = Conv{auto_pad=\"SAME_UPPER\", strides=[2,2]}(x, k) }", "Float32[1,8,4,4]")]
    [InlineData("x: Float32[1,3,7,7] -> y { y = MaxPool{kernel_shape=[2,2], strides=[2,2], ceil_mode=1}(x) }", "Float32[1,3,4,4]")]
    [InlineData("x: Float32[1,3,5] -> y { y = MaxPool{kernel_shape=[3], strides=[3], pads=[0,2], ceil_mode=1}(x) }", "Float32[1,3,2]")]
    [InlineData("x: Float32[b,3,h,w] -> y { y = GlobalAveragePool(x) }", "Float32[b,3,1,1]")]
    [InlineData("x: Float32[b,4,h,h] -> y { k = Float32[4,3,2,2] ones; y = ConvTranspose{strides=[2,2], group=2}(x, k) }", "Float32[b,6,2*h,2*h]")]
    [InlineData("x: Float32[b,4,5,5] -> y { k = Float32[4,3,3,3] ones; y = ConvTranspose{strides=[2,2], output_padding=[1,1], pads=[1,1,1,1]}(x, k) }", "Float32[b,3,10,10]")]
    // products
    [InlineData("x: Float32[b,5,3], z: Float32[3,7] -> y { y = MatMul(x, z) }", "Float32[b,5,7]")]
    [InlineData("x: Float32[b,1,5,3], z: Float32[4,3,7] -> y { y = MatMul(x, z) }", "Float32[b,4,5,7]")]
    [InlineData("x: Float32[3], z: Float32[2,3,7] -> y { y = MatMul(x, z) }", "Float32[2,7]")]
    [InlineData("x: Float32[3], z: Float32[3] -> y { y = MatMul(x, z) }", "Float32[]")]
    [InlineData("x: Float32[3,b], z: Float32[7,3] -> y { y = Gemm{transA=1, transB=1}(x, z) }", "Float32[b,7]")]
    [InlineData("x: Float32[b,i,k], z: Float32[b,k,j] -> y { y = Einsum{equation=\"bik,bkj->bij\"}(x, z) }", "Float32[b,i,j]")]
    [InlineData("x: Float32[2,b,3,4] -> y { y = Einsum{equation=\"...ij->...ji\"}(x) }", "Float32[2,b,4,3]")]
    // movement
    [InlineData("x: Float32[b,8,h,w] -> y { s = Int64[3] [0,8,-1]; y = Reshape(x, s) }", "Float32[b,8,h*w]")]
    [InlineData("x: Float32[b,6,4] -> y { s = Int64[3] [-1,2,12]; y = Reshape(x, s) }", "Float32[b,2,12]")]
    [InlineData("x: Float32[?,6,4] -> y { s = Int64[2] [0,-1]; y = Reshape(x, s) }", "Float32[x.0,24]")]
    [InlineData("<opset 14> x: Float32[0,3] -> y { s = Int64[2] [3,0]; y = Reshape{allowzero=1}(x, s) }", "Float32[3,0]")]
    [InlineData("x: Float32[b,3,4] -> y { s = Shape(x); y = Reshape(x, s) }", "Float32[b,3,4]")]
    [InlineData("x: Float32[b,3,4] -> y { y = Flatten(x) }", "Float32[b,12]")]
    [InlineData("x: Float32[b,3,4] -> y { y = Flatten{axis=0}(x) }", "Float32[1,12*b]")]
    [InlineData("x: Float32[b,3,4] -> y { y = Transpose{perm=[2,0,1]}(x) }", "Float32[4,b,3]")]
    [InlineData("x: Float32[b,3,4] -> y { y = Transpose(x) }", "Float32[4,3,b]")]
    [InlineData("x: Float32[1,b,1] -> y { a = Int64[1] [0]; y = Squeeze(x, a) }", "Float32[b,1]")]
    [InlineData("<opset 11> x: Float32[1,b,1] -> y { y = Squeeze{axes=[-1]}(x) }", "Float32[1,b]")]
    [InlineData("x: Float32[b,3] -> y { a = Int64[2] [0,-1]; y = Unsqueeze(x, a) }", "Float32[1,b,3,1]")]
    [InlineData("x: Float32[b,3], z: Float32[b,5] -> y { y = Concat{axis=-1}(x, z) }", "Float32[b,8]")]
    [InlineData("x: Float32[a,?], z: Float32[b,5] -> y { y = Concat{axis=0}(x, z) }", "Float32[a+b,5]")]
    [InlineData("x: Float32[b,7] -> y { y, z = Split{axis=1, num_outputs=2}(x) }", "Float32[b,4]", 18)]
    [InlineData("x: Float32[b,7] -> y { z, y = Split{axis=1, num_outputs=2}(x) }", "Float32[b,3]", 18)]
    [InlineData("<opset 11> x: Float32[b,7] -> y { z, y = Split{axis=1, split=[2,5]}(x) }", "Float32[b,5]")]
    [InlineData("x: Float32[h,9] -> y { s = Int64[2] [1,-3]; e = Int64[2] [9223372036854775807,9223372036854775807]; y = Slice(x, s, e) }", "Float32[max(0,h-1),3]")]
    [InlineData("x: Float32[9] -> y { s = Int64[1] [-1]; e = Int64[1] [-9223372036854775807]; a = Int64[1] [0]; t = Int64[1] [-2]; y = Slice(x, s, e, a, t) }", "Float32[5]")]
    [InlineData("<opset 9> x: Float32[9,4] -> y { y = Slice{starts=[2], ends=[-1], axes=[0]}(x) }", "Float32[6,4]")]
    [InlineData("x: Float32[h,3] -> y { p = Int64[4] [1,0,2,0]; y = Pad(x, p) }", "Float32[h+3,3]")]
    [InlineData("<opset 18> x: Float32[h,3] -> y { p = Int64[2] [1,2]; a = Int64[1] [-1]; y = Pad(x, p, _, a) }", "Float32[h,6]")]
    [InlineData("<opset 2> x: Float32[h,3] -> y { y = Pad{pads=[1,0,2,0]}(x) }", "Float32[h+3,3]")]
    [InlineData("x: Float32[3,1] -> y { s = Int64[3] [2,1,6]; y = Expand(x, s) }", "Float32[2,3,6]")]
    [InlineData("x: Float32[h,3] -> y { r = Int64[2] [2,3]; y = Tile(x, r) }", "Float32[2*h,9]")]
    [InlineData("x: Float32[b,12,h,w] -> y { y = DepthToSpace{blocksize=2}(x) }", "Float32[b,3,2*h,2*w]")]
    [InlineData("x: Float32[b,3,h,w] -> y { y = SpaceToDepth{blocksize=2}(x) }", "Float32[b,12,floor(h/2),floor(w/2)]")]
    // indexing and selection
    [InlineData("x: Float32[b,3,4], i: Int64[5,n] -> y { y = Gather{axis=1}(x, i) }", "Float32[b,5,n,4]")]
    [InlineData("x: Float32[b,3,4], i: Int64[7,2] -> y { y = GatherND(x, i) }", "Float32[7,4]")]
    [InlineData("x: Int64[b,3] -> y { d = Int64 10; v = Float32[2] [0.0,1.0]; y = OneHot(x, d, v) }", "Float32[b,3,10]")]
    [InlineData("x: Float32[b,30] -> y { k = Int64[1] [5]; z, y = TopK(x, k) }", "Int64[b,5]")]
    [InlineData("x: Float32[b,30] -> y { y = NonZero(x) }", "Int64[2,y.1]")]
    [InlineData("x: Float32[b,30] -> y { y = ArgMax{axis=1, keepdims=0}(x) }", "Int64[b]")]
    // reductions
    [InlineData("x: Float32[b,3,h] -> y { y = ReduceMean{axes=[-1]}(x) }", "Float32[b,3,1]")]
    [InlineData("<opset 18> x: Float32[b,3,h] -> y { a = Int64[1] [1]; y = ReduceMean{keepdims=0}(x, a) }", "Float32[b,h]")]
    [InlineData("x: Float32[b,3,h] -> y { y = ReduceSum{keepdims=0}(x) }", "Float32[]")]
    [InlineData("x: Float32[b,3,h] -> y { y = ReduceSum{noop_with_empty_axes=1}(x) }", "Float32[b,3,h]")]
    // resampling
    [InlineData("x: Float32[1,3,h,w] -> y { s = Float32[4] [1.0,1.0,2.0,0.5]; y = Resize(x, _, s) }", "Float32[1,3,2*h,floor(w/2)]")]
    [InlineData("x: Float32[1,3,h,w] -> y { s = Int64[4] [1,3,20,30]; y = Resize(x, _, _, s) }", "Float32[1,3,20,30]")]
    [InlineData("<opset 9> x: Float32[1,3,5,7] -> y { s = Float32[4] [1.0,1.0,2.0,2.0]; y = Upsample(x, s) }", "Float32[1,3,10,14]")]
    // recurrence, quantization, the rest
    [InlineData("x: Float32[s,b,4] -> y { w = Float32[2,12,4] ones; r = Float32[2,12,3] ones; y = LSTM{hidden_size=3, direction=\"bidirectional\"}(x, w, r) }", "Float32[s,2,b,3]")]
    [InlineData("x: Float32[b,3] -> y { s = Float32 0.1; z = Int8 0; y = QuantizeLinear(x, s, z) }", "Int8[b,3]")]
    [InlineData("x: Int8[b,3] -> y { s = Float32 0.1; y = DequantizeLinear(x, s) }", "Float32[b,3]")]
    [InlineData("x: UInt8[b,3], z: Int8[3,4] -> y { y = MatMulInteger(x, z) }", "Int32[b,4]")]
    [InlineData("x: Float32[b,3,8] -> y { s = Float32[8] ones; z, y = LayerNormalization(x, s) }", "Float32[b,3,1]")]
    [InlineData("s: Int64[1] -> y { y = ConstantOfShape(s) }", "Float32[?]")]
    [InlineData("x: Float32[n,2] -> y { s = Shape(x); z = Int64 0; i = Gather(s, z); o = Int64 1; y = Range(z, i, o) }", "Int64[n]")]
    public void Gives(string text, string expected, long opset = 0)
    {
        using OnnxGraph graph = TestGraphs.Parse(opset == 0 ? text : $"<opset {opset}> {text}");
        ShapeResult result = ShapeInference.Infer(graph);
        Assert.Empty(result.Contradictions);
        Assert.Equal(expected, graph.Body.Find("y")!.Type?.ToString());
    }

    [Fact]
    public void Shape_arithmetic_reaches_a_reshape()
    {
        // What torch writes for x.view(x.size(0), -1, 2, 4).
        using OnnxGraph graph = TestGraphs.Parse("""
            x: Float32[batch,seq,8] -> y {
              s = Shape(x); zero = Int64 0; one = Int64 1; b = Gather(s, zero); n = Gather(s, one); axes = Int64[1] [0]
              bu = Unsqueeze(b, axes); nu = Unsqueeze(n, axes); rest = Int64[2] [2,4]
              t = Concat{axis=0}(bu, nu, rest); r = Reshape(x, t); y = Transpose{perm=[0,2,1,3]}(r)
            }
            """);
        ShapeResult result = ShapeInference.Infer(graph);
        Assert.Equal("Float32[batch,2,seq,4]", graph.Body.Find("y")!.Type!.ToString());
        Assert.Equal(["batch", "seq", "2", "4"], result.ContentOf(graph.Body.Find("t")!)!.Select(e => e!.ToString()));
    }

    [Theory]
    [InlineData("y = Transpose(c)", "0,3,1,4,2,5")]
    [InlineData("a = Int64[1] [1]; y = Gather{axis=1}(c, a)", "1,4")]
    [InlineData("s = Int64[2] [0,1]; e = Int64[2] [2,3]; y = Slice(c, s, e)", "1,2,4,5")]
    [InlineData("s = Int64[1] [-1]; e = Int64[1] [-100]; a = Int64[1] [1]; t = Int64[1] [-1]; y = Slice(c, s, e, a, t)", "2,1,0,5,4,3")]
    [InlineData("s = Int64[2] [3,2]; y = Reshape(c, s)", "0,1,2,3,4,5")]
    [InlineData("d = Int64[3] [10,20,30]; y = Add(c, d)", "10,21,32,13,24,35")]
    [InlineData("d = Int64[2,1] [2,3]; y = Mul(c, d)", "0,2,4,9,12,15")]
    [InlineData("d = Int64 2; y = Equal(c, d)", "0,0,1,0,0,0")]
    [InlineData("d = Int64 2; m = Less(c, d); n = Int64 -1; y = Where(m, n, c)", "-1,-1,2,3,4,5")]
    [InlineData("d = Int64 -2; y = Div(c, d)", "0,0,-1,-1,-2,-2")]
    [InlineData("y = ReduceProd{keepdims=0}(c)", "0")]
    [InlineData("y = ReduceMax{keepdims=0}(c)", "5")]
    [InlineData("y = Size(c)", "6")]
    [InlineData("f = Cast{to=1}(c); y = Neg(f)", "0,-1,-2,-3,-4,-5")]
    public void Elements_keep_their_places(string body, string expected)
    {
        using OnnxGraph graph = TestGraphs.Parse($"-> y {{ c = Int64[2,3] range; {body} }}");
        ShapeResult result = ShapeInference.Infer(graph);
        Assert.Equal(expected, string.Join(',', result.ConstantOf(graph.Body.Find("y")!)!));
    }

    [Theory]
    [InlineData("x: Float32[2,3], z: Float32[4,5] -> y { y = MatMul(x, z) }", "inner dimensions")]
    [InlineData("x: Float32[2,3], z: Float32[4] -> y { y = Add(x, z) }", "don't broadcast")]
    [InlineData("x: Float32[2,3] -> y { s = Int64[1] [7]; y = Reshape(x, s) }", "6 elements")]
    [InlineData("x: Float32[2,3] -> y { s = Int64[2] [4,-1]; y = Reshape(x, s) }", "can't be divided")]
    [InlineData("x: Float32[1,3,8,8] -> y { k = Float32[4,5,3,3] ones; y = Conv(x, k) }", "3 channels")]
    [InlineData("x: Float32[2,3] -> y { y = Softmax(x); z = Transpose{perm=[0,0]}(x) }", "no permutation")]
    [InlineData("x: Float32[2,3] -> y: Float32[2,4] { y = Relu(x) }", "declared 4")]
    [InlineData("x: Float32[2,3], z: Float32[2,3,1] -> y { y = Concat{axis=0}(x, z) }", "differ in rank")]
    [InlineData("x: Float32[2,3] -> y { y = Concat{axis=5}(x, x) }", "out of range")]
    public void Contradictions_are_told_with_the_node(string text, string expected)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        string told = Assert.Single(ShapeInference.Infer(graph).Contradictions);
        Assert.Contains(expected, told, StringComparison.Ordinal);
        Assert.Contains("Node '", told, StringComparison.Ordinal);
    }

    [Fact]
    public void Declared_extents_are_kept_where_inference_knows_less()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32, s: Int64[2] -> y: Float32[b,5] { y = Reshape(x, s) }");
        ShapeInference.Infer(graph);
        Assert.Equal("Float32[b,5]", graph.Body.Find("y")!.Type!.ToString());
    }

    [Fact]
    public void Given_shapes_decide_symbols_everywhere()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[batch,3], z: Float32[batch,1], q: Float32[?,4] -> y, r { y = Add(x, z); r = Relu(q) }");
        ShapeResult result = ShapeInference.Infer(graph, new Dictionary<string, long[]> { ["x"] = [8, 3], ["q"] = [-1, 4] });
        Assert.Equal("Float32[8,3]", graph.Body.Find("y")!.Type!.ToString());
        Assert.Equal("Float32[8,1]", graph.Body.Find("z")!.Type!.ToString());
        Assert.Equal("Float32[q.0,4]", graph.Body.Find("r")!.Type!.ToString());
        Assert.Equal(8, result.Symbols["batch"]);
    }

    [Fact]
    public void An_unnamed_extent_stays_one_extent()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[?,3] -> y { a = Relu(x); b = Exp(x); y = Add(a, b) }");
        ShapeInference.Infer(graph);
        Assert.Equal("Float32[x.0,3]", graph.Body.Find("y")!.Type!.ToString());
        Assert.True(graph.Body.Find("y")!.Type!.Shape![0]!.HasGeneratedSymbol);
    }

    [Theory]
    [InlineData("""x: Float32[2,3], c: Bool[] -> y { y = If{then_branch= -> t { t = Relu(x) }, else_branch= -> e { e = Exp(x) }}(c) }""", "Float32[2,3]")]
    [InlineData("""x: Float32[2,3], z: Float32[5,3], c: Bool[] -> y { y = If{then_branch= -> t { t = Relu(x) }, else_branch= -> e { e = Exp(z) }}(c) }""", "Float32[?,3]")]
    [InlineData("""x: Float32[2,3], z: Float32[5,3] -> y { c = Bool true; y = If{then_branch= -> t { t = Relu(x) }, else_branch= -> e { e = Exp(z) }}(c) }""", "Float32[2,3]")]
    [InlineData("""x: Float32[2,3] -> y { m = Int64 4; z, y = Loop{body=(i: Int64[], c: Bool[], s) -> k, o, u { k = Identity(c); o = Relu(s); u = Exp(s) }}(m, _, x) }""", "Float32[4,2,3]")]
    [InlineData("""x: Float32[2,3] -> y { m = Int64 4; y = Loop{body=(i: Int64[], c: Bool[], s) -> k, o { k = Identity(c); o = Concat{axis=0}(s, s) }}(m, _, x) }""", "Float32[?,3]")]
    [InlineData("""x: Float32[7,3], h: Float32[3] -> y { z, y = Scan{num_scan_inputs=1, body=(s, e) -> o, u { o = Add(s, e); u = Relu(o) }}(h, x) }""", "Float32[7,3]")]
    public void Subgraphs_are_followed(string text, string expected)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        Assert.Empty(ShapeInference.Infer(graph).Contradictions);
        Assert.Equal(expected, graph.Body.Find("y")!.Type?.ToString());
    }

    [Fact]
    public void Function_calls_are_followed_each_for_itself()
    {
        using OnnxGraph graph = TestGraphs.Parse("""
            <trt.tools 1> a: Float32[2,3], b: Float32[n,3] -> y, z { y = trt.tools::F{axis=0}(a); z = trt.tools::F{axis=1}(b) }
            function trt.tools::F<axis> (x) -> r { t = Relu(x); r = Concat{axis=$axis:Int}(t, x) }
            """);
        Assert.Empty(ShapeInference.Infer(graph).Contradictions);
        Assert.Equal("Float32[4,3]", graph.Body.Find("y")!.Type!.ToString());
        Assert.Equal("Float32[n,6]", graph.Body.Find("z")!.Type!.ToString());
        Assert.Equal("Float32[?,3]", graph.FunctionTable.Values.Single().Body.Find("t")!.Type!.ToString());
    }

    [Theory]
    [InlineData("x: Float32[1] -> y { s = Int64[3] [9223372036854775807,9223372036854775807,4]; y = Expand(x, s) }")]
    [InlineData("-> y { s = Int64[4] [3000000000,3000000000,3000000000,3000000000]; y = ConstantOfShape(s); z = Reshape(y, s); q = Size(y) }")]
    [InlineData("-> y { a = Int64 0; b = Int64 9223372036854775807; c = Int64 1; y = Range(a, b, c) }")]
    [InlineData("x: Float32[9223372036854775807,9223372036854775807] -> y { t = Flatten(x); y = Concat{axis=0}(x, x, x) }")]
    [InlineData("x: Float32[1,1,9223372036854775807] -> y { k = Float32[1,1,3] ones; y = Conv{pads=[9223372036854775807,9223372036854775807], dilations=[9223372036854775807]}(x, k) }")]
    [InlineData("x: Float32[4] -> y { s = Int64[1] [-9223372036854775808]; e = Int64[1] [9223372036854775807]; a = Int64[1] [0]; t = Int64[1] [-9223372036854775808]; y = Slice(x, s, e, a, t) }")]
    [InlineData("x: Float32[4] -> y { a = Int64[1] [-9223372036854775808]; y = Unsqueeze(x, a) }")]
    [InlineData("x: Float32[4] -> y { y = Concat{axis=-9223372036854775808}(x, x) }")]
    [InlineData("x: Int64[1] -> y { m = Int64[1] [-9223372036854775808]; o = Int64[1] [-1]; y = Div(m, o) }")]
    public void Absurd_shapes_do_no_harm(string text)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        ShapeInference.Infer(graph);
    }

    [Fact]
    public void Nested_loops_and_doubling_functions_end()
    {
        string body = "o = Concat{axis=0}(s, s)";
        for (int i = 0; i < 12; i++) body = $"o = Loop{{body=(i: Int64[], c: Bool[], s) -> k, o {{ k = Identity(c); {body} }}}}(m, _, s)";
        using OnnxGraph loops = TestGraphs.Parse($"s: Float32[2,3] -> o {{ m = Int64 2; {body} }}");
        ShapeInference.Infer(loops);
        string functions = string.Join('\n', Enumerable.Range(1, 24).Select(i => $"function trt.tools::F{i} (x) -> r {{ a = trt.tools::F{i - 1}(x); b = Concat{{axis=0}}(a, a); r = trt.tools::F{i - 1}(b) }}"));
        using OnnxGraph doubling = TestGraphs.Parse($"<trt.tools 1> x: Float32[n] -> y {{ y = trt.tools::F24(x) }}\nfunction trt.tools::F0 (x) -> r {{ r = Relu(x) }}\n{functions}");
        ShapeInference.Infer(doubling);
        Assert.NotNull(doubling.Body.Find("y"));
    }
}
