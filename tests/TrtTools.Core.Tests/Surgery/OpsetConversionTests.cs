using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Surgery;
using TrtTools.Surgery.Opsets;
using TrtTools.Tensors;
using TrtTools.Tests.Passes;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class OpsetConversionTests
{
    private static OnnxGraph Convert(OnnxGraph graph, int opset) => OpsetConversion.Convert(graph, opset, Report.None, CancellationToken.None);

    /// <summary>From, to, and a model of the opset it comes from; each adapter stands here at least once.</summary>
    public static TheoryData<int, int, string> Cases => new()
    {
        // Upwards
        { 7, 9, "x: Float32[1,2,3,4] -> y { y = Upsample(x){mode=\"nearest\", scales=[1.0, 1.0, 2.0, 3.0]} }" },
        { 7, 10, "x: Float32[1,2,3,4] -> y { y = Upsample(x){mode=\"linear\", scales=[1.0, 1.0, 2.0, 2.0]} }" },
        { 7, 25, "x: Float32[1,2,3,4] -> y { y = Upsample(x){mode=\"linear\", scales=[1.0, 1.0, 2.0, 2.0]} }" },
        { 7, 25, "x: Float32[1,2,3,4] -> y { s = Float32[2] random(1); b = Float32[2] random(2); m = Float32[2] random(3); v = Float32[2] ones; y = BatchNormalization(x, s, b, m, v){spatial=1, epsilon=0.001} }" },
        { 8, 25, "x: Float32[4,6] -> y { y = Slice(x){starts=[1, -4], ends=[3, 9223372036854775807], axes=[0, 1]} }" },
        { 7, 25, "x: Float32[4,6] -> y, i { y, i = TopK(x){k=3, axis=1} }" },
        { 9, 25, "x: Float32[4,6] -> y { y = Dropout(x){ratio=0.25} }" },
        { 10, 25, "x: Float32[1,1,4,4] -> y { s = Float32[4] [1, 1, 2, 1.5]; y = Resize(x, s){mode=\"nearest\"} }" },
        { 10, 25, "x: Float32[1,1,4,4] -> y { s = Float32[4] [1, 1, 0.5, 0.75]; y = Resize(x, s){mode=\"nearest\"} }" },
        { 10, 25, "x: Float32[1,1,4,4] -> y { s = Float32[4] [1, 1, 2, 1.5]; y = Resize(x, s){mode=\"linear\"} }" },
        { 7, 25, "x: Float32[2,3] -> y { y = Pad(x){pads=[0, 1, 2, 0], value=3.5} }" },
        { 7, 25, "x: Float32[2,3] -> y { y = Pad(x){pads=[0, 1, 1, 0], mode=\"reflect\"} }" },
        { 7, 25, "x: Float32[2,3] -> y { y = Clip(x){min=-0.5, max=0.25} }" },
        { 9, 25, "x: Float32[2,3], i: Int64[1,3], u: Float32[1,3] -> y { k = Int64[] 0; z = Mul(i, k); y = Scatter(x, z, u){axis=0} }" },
        { 11, 25, "x: Float32[2,3] -> y { y = Dropout(x){ratio=0.5} }" },
        { 9, 25, "x: Float32[2,3,4] -> y { y = Softmax(x){axis=1} }" },
        { 11, 25, "x: Float32[2,3,4] -> y { y = LogSoftmax(x){axis=-1} }" },
        { 9, 25, "x: Float32[2,3,4] -> y { y = Hardmax(x){axis=2} }" },
        { 9, 25, "x: Float32[2,1,4] -> y { a = Squeeze(x){axes=[1]}; b = Unsqueeze(a){axes=[0, 3]}; y = ReduceSum(b){axes=[1], keepdims=0} }" },
        { 9, 25, "x: Float32[2,6] -> y { a, b, c = Split(x){axis=1}; d, e = Split(a){axis=0, split=[1, 1]}; f = Add(b, c); y = Concat(d, f, e){axis=0} }" },
        { 9, 25, "x: Float32[2,3,4] -> y { a = ReduceMean(x){axes=[1, 2]}; b = ReduceL2(x){axes=[2], keepdims=1}; c = ReduceMax(x); d = Add(a, b); y = Mul(d, c) }" },
        { 16, 25, "x: Float32[1,1,4,4], g: Float32[1,2,2,2] -> y { y = GridSample(x, g){mode=\"bilinear\", padding_mode=\"border\"} }" },
        { 17, 25, "x: Float32[1,8,1] -> y { y = DFT(x){axis=1} }" },
        { 8, 25, "x: Float32[3,4], w: Float32[4] -> y { y = Sum(x, w) }" },

        // Downwards
        { 20, 16, "x: Float32[1,1,4,4], g: Float32[1,2,2,2] -> y { y = GridSample(x, g){mode=\"linear\"} }" },
        { 20, 19, "x: Float32[1,8,1] -> y { a = Int64[] -2; y = DFT(x, _, a) }" },
        { 24, 7, "x: Float32[3,4] -> y { a = Cast(x){to=7, saturate=1}; y = Cast(a){to=1} }" },
        { 22, 10, "x: Float32[1,2,6,6] -> y { y = AveragePool(x){kernel_shape=[2, 2], strides=[2, 2], dilations=[1, 1], ceil_mode=1} }" },
        { 22, 7, "x: Float32[1,2,6,6] -> y { y = MaxPool(x){kernel_shape=[2, 2], dilations=[1, 1], storage_order=0, ceil_mode=0} }" },
        { 19, 7, "x: Float32[2,3] -> y { p = Int64[2] [1, 2]; v = Float32[] 7; a = Int64[1] [-1]; y = Pad(x, p, v, a) }" },
        { 19, 12, "x: Float32[1,2,3,3] -> y { s = Float32[2] [2, 2]; y = Resize(x, _, s){mode=\"nearest\", axes=[2, 3], coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\"} }" },
        { 19, 9, "x: Float32[1,2,3,3] -> y { s = Int64[2] [6, 9]; y = Resize(x, _, _, s){mode=\"nearest\", axes=[-2, -1]} }" },
        { 19, 7, "x: Float32[1,2,3,3] -> y { s = Int64[4] [1, 2, 6, 6]; y = Resize(x, _, _, s){mode=\"linear\", coordinate_transformation_mode=\"asymmetric\"} }" },
        { 13, 10, "x: Float32[1,2,4,4] -> y { s = Float32[4] [1, 1, 0.5, 0.5]; y = Resize(x, _, s){mode=\"nearest\", coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\"} }" },
        { 18, 7, "x: Float32[2,3,4] -> y { a = Int64[2] [-1, 1]; b = ReduceMean(x, a){keepdims=1}; c = ReduceMax(x); e = Int64[0] []; d = ReduceMin(x, e){noop_with_empty_axes=1}; f = Add(b, c); y = Mul(d, f) }" },
        { 18, 11, "x: Float32[7,2] -> y { a, b, c = Split(x){axis=0, num_outputs=3}; d = ReduceSum(a); e = ReduceSum(b); f = Sub(d, e); g = ReduceSum(c); y = Mul(f, g) }" },
        { 18, 7, "x: Float32[6,2] -> y { a, b = Split(x){axis=-2, num_outputs=2}; y = Mul(a, b) }" },
        { 15, 7, "x: Float32[2,3,4] -> y { s = Shape(x){start=1}; m = Int64[1] [-1]; t = Concat(m, s){axis=0}; y = Reshape(x, t) }" },
        { 15, 7, "x: Float32[2,3,4] -> y { y = Shape(x){start=-3, end=-1} }" },
        { 15, 7, "x: Float32[2,3,4] -> y { s = Int64[2] [6, 4]; y = Reshape(x, s){allowzero=1} }" },
        { 13, 7, "x: Float32[2,3,4] -> y { a = Softmax(x){axis=1}; b = LogSoftmax(x); c = Hardmax(x){axis=0}; d = Add(a, b); y = Add(d, c) }" },
        { 13, 7, "x: Float32[2,1,4] -> y { i = Int64[1] [-2]; a = Squeeze(x, i); j = Int64[2] [-1, 0]; b = Unsqueeze(a, j); k = Int64[1] [1]; y = ReduceSum(b, k){keepdims=0} }" },
        { 13, 7, "x: Float32[6,2] -> y { s = Int64[2] [3, 3]; a, b = Split(x, s){axis=-2}; y = Mul(a, b) }" },
        { 13, 10, "x: Float32[2,4] -> y { s = Float32[] 0.05; z = Int8[] 3; q = QuantizeLinear(x, s, z){axis=0}; y = DequantizeLinear(q, s, z){axis=0} }" },
        { 13, 7, "x: Float32[2,4] -> y { w = Int8[4,3] random(3); s = Float32[3] [0.1, 0.2, 0.05]; z = Int8[3] [0, 1, -2]; d = DequantizeLinear(w, s, z){axis=-1}; y = MatMul(x, d) }" },
        { 12, 7, "x: Float32[2,4] -> y { w = UInt8[4,3] random(3); s = Float32[] 0.1; d = DequantizeLinear(w, s); y = MatMul(x, d) }" },
        { 12, 7, "x: Float32[2,4] -> y { a = Constant(){value_float=2.5}; b = Constant(){value_ints=[8]}; c = Mul(x, a); y = Reshape(c, b) }" },
        { 13, 7, "x: Float32[2,4] -> y { r = Float32[] 0.5; t = Bool[] 0; y = Dropout(x, r, t) }" },
        { 13, 7, "x: Float32[2,4] -> y { p = Int64[] 2; y = Pow(x, p) }" },
        { 13, 7, "x: Float32[2,4], e: Int32[4] -> y { y = Pow(x, e) }" },
        { 13, 7, "x: Float32[2,4] -> y { h = Float32[] 0.5; a = Clip(x, _, h); l = Float32[] -0.25; y = Clip(a, l) }" },
        { 13, 8, "x: Float32[2,4], l: Float32[], h: Float32[] -> y { y = Clip(x, l, h) }" },
        { 13, 7, "x: Float32[2,3] -> y { p = Int64[4] [0, 1, 2, 0]; y = Pad(x, p) }" },
        { 13, 7, "x: Float32[2,3] -> y { w = Float32[4,3] random(1); y = Gemm(x, w){transB=1, alpha=0.5} }" },
        { 13, 7, "x: Int64[2,3] -> y { z = Int64[] 0; y = Equal(x, z) }" },
        { 13, 9, "x: Float32[2,3], u: Float32[2,1] -> y { i = Int64[2,1] [2, 0]; y = ScatterElements(x, i, u){axis=-1} }" },
        { 13, 7, "x: Float32[2,3] -> y { a = Flatten(x){axis=-1}; b = ArgMax(x){axis=-1, keepdims=1, select_last_index=0}; c = Cast(b){to=1}; y = Concat(a, c){axis=-1} }" },
        { 13, 7, "x: Float32[2,3] -> y { i = Int64[2] [-1, 0]; y = Gather(x, i){axis=-1} }" },
        { 13, 7, "x: Float32[4,6] -> y { s = Int32[1] [-4]; e = Int32[1] [-1]; a = Int32[1] [-1]; t = Int32[1] [1]; y = Slice(x, s, e, a, t) }" },
        { 11, 7, "x: Float32[4,6] -> y, i { k = Int64[1] [2]; y, i = TopK(x, k){axis=1, largest=1, sorted=1} }" },
        { 9, 8, "x: Int64[2] -> y { z = Float32[1] [2.5]; k = Int64[] 0; p = Mul(x, k); t = Int64[] 3; q = Add(p, t); y = ConstantOfShape(q){value=Float32[1] [2.5]} }" },
        { 13, 7, "x: Float32[3,1] -> y { s = Int64[3] [2, 3, 4]; y = Expand(x, s) }" },
        { 13, 7, "x: Float32[3,4], w: Float32[4], v: Float32[3,1] -> y { a = Sum(x, w, v); b = Mean(x, w); c = Max(a, b); y = Min(c, a) }" },
        { 14, 7, "x: Float32[1,2,3,4] -> y { s = Float32[2] random(1); b = Float32[2] random(2); m = Float32[2] random(3); v = Float32[2] ones; y = BatchNormalization(x, s, b, m, v){training_mode=0, momentum=0.8} }" },
        { 22, 7, "x: Float32[3,1,4] -> y { w = Float32[1,8,4] random(1); r = Float32[1,8,2] random(2); y, h, c = LSTM(x, w, r){hidden_size=2, layout=0} }" },
        { 16, 9, "c: Bool, x: Float32[2] -> y: Float32[2] { y = If(c){then_branch=() -> t: Float32[2] { h = Float32[] 0.1; t = Clip(x, _, h) }, else_branch=() -> e: Float32[2] { e = Neg(x) }} }" },
    };

    /// <summary>What the dropped operators computed, in operators of today.</summary>
    private static readonly (string Today, string Old)[] Removed =
    [
        ("x: Float32[1,3,4,5] -> y { a = Float32[] 2; b = Float32[] 0.5; m = Mul(x, a); y = Add(m, b) }", "x: Float32[1,3,4,5] -> y { y = Affine(x){alpha=2.0, beta=0.5} }"),
        ("x: Float32[1,3,4,5] -> y { a = Float32[] 2; b = Float32[1,3,1,1] [1, 2, 3]; m = Mul(x, a); y = Add(m, b) }", "x: Float32[1,3,4,5] -> y { y = ImageScaler(x){scale=2.0, bias=[1.0, 2.0, 3.0]} }"),
        ("x: Float32[1,3,4,5] -> y { y = Slice(x){starts=[2, 1], ends=[4, 4], axes=[2, 3]} }", "x: Float32[1,3,4,5] -> y { y = Crop(x){border=[1, 2, 1, 0]} }"),
        ("x: Float32[1,3,4,5] -> y { y = Slice(x){starts=[1, 2], ends=[3, 5], axes=[2, 3]} }", "x: Float32[1,3,4,5] -> y { y = Crop(x){border=[2, 1, 0, 0], scale=[2, 3]} }"),
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_it_computes_stays_the_same(int from, int to, string text)
    {
        OnnxGraph graph = Graph(from, text);
        OnnxGraph after = On(graph, g => Convert(g, to));
        Assert.Equal(to, after.OnnxOpset);
        Assert.Equal(graph.Inputs.Select(i => i.ToString()), after.Inputs.Select(i => i.ToString()));
        Assert.Equal(graph.Outputs.Select(i => i.Name), after.Outputs.Select(i => i.Name));
        Rewriting.AssertSameResults(graph, after);
    }

    private static OnnxGraph Graph(int opset, string text) => TestGraphs.Parse(FormattableString.Invariant($"<opset {opset}> ") + text);

    [Fact]
    public void Every_adapter_stands_in_a_case()
    {
        HashSet<OpsetAdapter> applied = [];
        foreach (ITheoryDataRow row in Cases)
        {
            object?[] data = row.GetData();
            OpsetConversion.Convert(Graph((int)data[0]!, (string)data[2]!), (int)data[1]!, Report.None, applied, CancellationToken.None);
        }
        foreach ((_, string text) in Removed) OpsetConversion.Convert(Graph(8, text), 13, Report.None, applied, CancellationToken.None);
        string[] onlyRefuse = ["Scan 8 → 9", "GroupNormalization 20 → 21", "GroupNormalization 21 → 20"];
        Assert.Equal(onlyRefuse, OpsetAdapters.All.Except(applied).Select(a => a.ToString()).Order(StringComparer.Ordinal).OrderBy(n => Array.IndexOf(onlyRefuse, n)));
    }

    [Fact]
    public void Operators_that_are_of_no_opset_become_others()
    {
        foreach ((string today, string old) in Removed)
        {
            foreach (int opset in new[] { 7, 8, 9, 10, 13, 25 }) Rewriting.AssertSameResults(Graph(8, today), On(Graph(8, old), g => Convert(g, opset)));
        }
    }

    public static TheoryData<int, int, string, string> Refusals => new()
    {
        { 7, 9, "x: Float32[1,2,3,4] -> y { s = Float32[2,3,4] random(1); y = BatchNormalization(x, s, s, s, s){spatial=0} }", "spatial=0" },
        { 9, 10, "x: Float32[2,3] -> y, m { y, m = Dropout(x) }", "its mask" },
        { 10, 11, "x: Float32[1,1,4,4] -> y { s = Float32[4] [1, 1, 2, 0.5]; y = Resize(x, s){mode=\"nearest\"} }", "shrinks along another" },
        { 12, 11, "x: Float32[2], p: Int64[] -> y { c = Cast(p){to=6}; y = Pow(c, x) }", "Int32" },
        { 12, 10, "x: Int32[2] -> y { l = Int32[] 0; y = Clip(x, l) }", "clips Int32" },
        { 11, 10, "x: Float32[2], z: Float32[] -> y { y = Equal(x, z) }", "compares Float32" },
        { 13, 12, "x: Float32[2,3], a: Int64[1] -> y { y = ReduceSum(x, a) }", "axes are computed ('a')" },
        { 13, 12, "x: Float32[2,3] -> y { s = Float32[3] ones; y = QuantizeLinear(x, s) }", "scales per channel" },
        { 13, 12, "x: Float32[4], s: Int64[n] -> y { r = Reshape(x, s); y = Softmax(r){axis=1} }", "number of dimensions of 'r'" },
        { 14, 13, "x: Float32[0,3] -> y { s = Int64[2] [3, 0]; y = Reshape(x, s){allowzero=1} }", "allowzero" },
        { 18, 17, "x: Float32[n,2] -> y { y, b = Split(x){num_outputs=2} }", "multiple of 2" },
        { 18, 17, "x: Float32[1,1,8,8] -> y { s = Float32[4] [1, 1, 0.5, 0.5]; y = Resize(x, _, s){mode=\"linear\", antialias=1} }", "'antialias'" },
        { 17, 16, "x: Float32[2,3] -> y { s = Float32[3] ones; y = LayerNormalization(x, s) }", "came with opset 17" },
        { 13, 9, "x: Float32[1,1,3,3] -> y { s = Float32[4] [1, 1, 2, 2]; y = Resize(x, _, s){mode=\"linear\"} }", "'half_pixel'" },
        { 13, 9, "x: Float32[1,1,4,4] -> y { s = Float32[4] [1, 1, 0.5, 0.5]; y = Resize(x, _, s){mode=\"linear\", coordinate_transformation_mode=\"asymmetric\"} }", "it shrinks" },
        { 10, 9, "x: Float32[8] -> y { s = Int64[1] [0]; e = Int64[1] [8]; a = Int64[1] [0]; t = Int64[1] [2]; y = Slice(x, s, e, a, t) }", "steps other than 1" },
        { 10, 9, "x: Float32[8] -> y { s = Float32[] 0.1; z = UInt8[] 0; y = QuantizeLinear(x, s, z) }", "came with opset 10" },
        { 13, 7, "x: Float32[2,1], s: Int64[2] -> y { y = Expand(x, s) }", "stretches to is computed" },
        { 13, 7, "x: Float32[2,1], z: Float32[3] -> y { y = Max(x, z) }", "of one shape" },
        { 19, 18, "x: Float32[2,3] -> y { p = Int64[4] [1, 0, 1, 0]; y = Pad(x, p){mode=\"wrap\"} }", "'wrap'" },
        { 13, 12, "x: BFloat16[2] -> y { y = Relu(x) }", "BFloat16" },
        { 14, 13, "x: Float32[3,1,4] -> y { w = Float32[1,8,4] random(1); r = Float32[1,8,2] random(2); y, h, c = LSTM(x, w, r){hidden_size=2, layout=1} }", "'layout'" },
        { 21, 20, "x: Float32[1,4,2] -> y { s = Float32[4] ones; y = GroupNormalization(x, s, s){num_groups=2} }", "per group" },
        { 20, 21, "x: Float32[1,4,2] -> y { s = Float32[2] ones; y = GroupNormalization(x, s, s){num_groups=2} }", "per group" },
        { 13, 14, "x: Float32[2] -> y { y = Nonsense(x) }", "does not know the operator" },
        { 6, 9, "x: Float32[2] -> y { y = Relu(x) }", "7 or later" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void What_cannot_be_said_is_refused_with_node_and_reason(int from, int to, string text, string reason)
    {
        OnnxGraph graph = Graph(from, text);
        string printed = TestGraphs.Print(graph);
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Convert(graph, to));
        Assert.Equal(ErrorCode.ChangeRefused, error.Code);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        if (from >= 7) Assert.Contains($"({graph.Body.Nodes.First(n => error.Message.Contains($"Node '{n.DisplayName}'", StringComparison.Ordinal)).OpType})", error.Message, StringComparison.Ordinal);
        Assert.Equal(printed, TestGraphs.Print(graph));
    }

    [Fact]
    public void The_IR_version_goes_with_the_opset()
    {
        OnnxGraph graph = Graph(9, "x: Float32[2] -> y { w = Float32[2] ones; y = Mul(x, w) }");
        graph.IrVersion = 4;
        OnnxGraph up = Convert(graph, 25);
        Assert.Equal(13, up.IrVersion);
        Assert.Equal(4, Convert(up, 7).IrVersion);
        Assert.Same(graph.Body.Find("w")!.Data, Convert(up, 7).Body.Find("w")!.Data);
    }

    [Fact]
    public void What_nothing_read_before_stays_and_what_became_an_attribute_goes()
    {
        OnnxGraph after = Convert(Graph(13, "x: Float32[2,3] -> y { idle = Float32[1] ones; a = Int64[1] [0]; y = ReduceSum(x, a) }"), 12);
        Assert.Equal(["idle"], after.Initializers.Select(i => i.Name));
        after.ShouldBe("y = ReduceSum(x){axes=[0]}");
    }

    public static TheoryData<string> Models => SharedModels.Exists ? [.. SharedModels.Names] : ["none"];

    /// <summary>Each shared model in each opset that can hold it computes the same; what refuses the others is an operator that came later, or one that says something an
    /// older one cannot.</summary>
    [Theory]
    [MemberData(nameof(Models))]
    public void Shared_models_compute_the_same_in_every_opset_that_holds_them(string name)
    {
        OnnxGraph before = OnnxFile.Import(SharedModels.Path(name), Report.None, TestContext.Current.CancellationToken);
        Dictionary<string, TensorData> inputs = TrtTools.Data.InputSources.FromPath(Path.GetDirectoryName(SharedModels.Path(name))!, before).Read(CancellationToken.None).First().ToDictionary(p => p.Key, p => p.Value.Content);
        // ONNX Runtime does not take style-candy as it is; conversion replaces what ONNX dropped.
        IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(name == "style-candy" ? Convert(before, 8) : before, inputs, CancellationToken.None);
        List<int> held = [];
        for (int opset = OpsetConversion.Least; opset <= OpsetConversion.Greatest; opset++)
        {
            OnnxGraph after;
            try
            {
                after = Convert(before, opset);
            }
            catch (TrtToolsException e) when (e.Code == ErrorCode.ChangeRefused && opset < before.OnnxOpset)
            {
                Assert.StartsWith("Node '", e.Message, StringComparison.Ordinal);
                TestContext.Current.TestOutputHelper!.WriteLine($"{opset}: {e.Message}");
                continue;
            }
            held.Add(opset);
            IReadOnlyDictionary<string, TensorData> actual = ModelRunner.Run(after, inputs, CancellationToken.None);
            foreach (string output in expected.Keys) Results.AssertClose(expected[output], actual[output], 1e-4, $"{name} in opset {opset}, {output}");
        }
        TestContext.Current.TestOutputHelper!.WriteLine($"{name} ({before.OnnxOpset}): {string.Join(' ', held)}");
        // Upwards nothing is in the way.
        Assert.Superset(Enumerable.Range((int)before.OnnxOpset, OpsetConversion.Greatest - (int)before.OnnxOpset + 1).ToHashSet(), held.ToHashSet());
    }
}
