using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Regions with facts, as lowering gives them, over random inputs: what hand-made kernels are for.</summary>
internal static class HandMadeCases
{
    private const DataType F16 = DataType.Float16, BF16 = DataType.BFloat16, F32 = DataType.Float32, I8 = DataType.Int8;

    private static readonly int[] s_last = [0, 2, 3, 1];

    /// <summary>A case and the region that it is about.</summary>
    internal sealed record Made(KernelCase Case, Region Region);

    public static IEnumerable<Made> All =>
    [
        Product("bias-relu", F16, F16, [], 70, 136, 72, Bias(relu: true)), Product("gelu", F16, F16, [], 130, 72, 136, Gelu), Product("residual", F16, F16, [], 40, 96, 64, Residual), Product("transposed weights", BF16, BF16, [], 67, 80, 48, Bias(), transposedB: true),
        Product("odd columns", F16, F16, [], 33, 51, 40, Bias()), Product("odd depth", F16, F16, [], 33, 50, 41, Bias()), Product("float result", BF16, F32, [], 65, 40, 64, Bias()), Product("tf32", F32, F32, [], 65, 40, 64, Bias()),
        Product("batches", F16, F16, [2, 3], 40, 48, 24, null), Product("one batch axis, residual", F16, F16, [3], 40, 48, 24, Residual, transposedB: true), Product("rows by scale", F16, F16, [], 40, 64, 64, RowScale), Product("one row", F16, F16, [], 1, 104, 64, Bias()),
        Product("one row, much depth", F16, F16, [], 1, 70, 3080, Residual), Product("a few rows", BF16, BF16, [], 3, 51, 1544, Gelu, transposedB: true), Product("a row of single precision", F32, F32, [], 2, 33, 260, Bias(relu: true)), Product("rows of batches", F16, F16, [2, 3], 2, 40, 72, Residual, transposedB: true),
        Product("integers", I8, I8, [], 70, 64, 96, Requantize, transposedB: true), Product("dynamic rows", F16, F16, [], 60, 64, 64, Bias(), rows: DimExpr.Symbol("n") * 4),
        Convolution("3x3", F16, F16, 2, 9, 11, 16, 24, 3, 1, 1, 1, ChannelBias), Convolution("3x3 stride 2, residual", F16, F16, 2, 10, 12, 64, 40, 3, 2, 1, 1, ChannelResidual), Convolution("1x1 stride 2", F16, F16, 1, 9, 9, 32, 16, 1, 2, 0, 1, ChannelBias),
        Convolution("1x1", BF16, BF16, 2, 5, 7, 48, 32, 1, 1, 0, 1, ChannelResidual), Convolution("5x5 dilated", F16, F16, 1, 12, 12, 8, 16, 5, 1, 4, 2, ChannelBias), Convolution("odd channels", F16, F16, 1, 8, 8, 10, 20, 3, 1, 1, 1, ChannelBias),
        Convolution("integers 3x3", I8, I8, 1, 8, 8, 32, 16, 3, 1, 1, 1, ChannelRequantize), Convolution("integers, residual", I8, I8, 2, 9, 7, 64, 96, 1, 1, 0, 1, ChannelSum), Convolution("integers 3x3 stride 2", I8, I8, 2, 11, 12, 64, 128, 3, 2, 1, 1, ChannelSum),
        Convolution("integers to half", I8, F16, 1, 9, 9, 48, 40, 3, 1, 1, 1, ChannelDequantize), Product("integers, residual", I8, I8, [], 130, 192, 96, RowSum, transposedB: true), Convolution("filters channels first", F16, F16, 1, 8, 8, 16, 16, 3, 1, 1, 1, ChannelBias, weightsLast: false),
        Convolution("stem", F16, F16, 1, 23, 30, 3, 24, 7, 2, 3, 1, ChannelBias, image: F32, weightsLast: false), Convolution("stem 3x3", F16, F16, 2, 17, 17, 3, 16, 3, 2, 1, 1, ChannelBias, image: F16, weightsLast: false), Convolution("stem of one channel", F16, F16, 1, 20, 20, 1, 70, 5, 1, 2, 1, ChannelBias, image: F16, weightsLast: false),
        Convolution("stem to integers", F16, I8, 2, 23, 30, 3, 64, 7, 2, 3, 1, ChannelQuantize, image: F32, weightsLast: false), Convolution("stem to integers, odd channels", F32, I8, 1, 20, 20, 3, 21, 3, 2, 1, 1, ChannelQuantize, image: F32, weightsLast: false),
        Convolution("depthwise to integers", F16, I8, 2, 9, 11, 24, 24, 3, 1, 1, 1, 24, ChannelQuantize, null, false),
        Convolution("stem, rows of four", F16, F16, 2, 18, 24, 3, 40, 3, 2, 1, 1, ChannelBias, image: F32, weightsLast: false),
        Depthwise("depthwise 3x3", 2, 9, 11, 24, 3, 1, 1, 1), Depthwise("depthwise 5x5 stride 2", 1, 14, 13, 40, 5, 2, 2, 1), Depthwise("depthwise dilated", 1, 9, 9, 8, 3, 1, 2, 2),
        Attention("attention", F16, 2, 3, 3, 33, 33, 64, false, null), Attention("cross, padded", F16, 2, 2, 2, 20, 41, 32, false, [2, 1, 1, 41]), Attention("grouped, causal", BF16, 1, 4, 2, 18, 30, 40, true, null), Attention("one query", F16, 2, 4, 1, 1, 70, 64, false, [1, 4, 1, 70]),
        Attention("two hundred", F16, 1, 1, 1, 197, 197, 64, false, null), Attention("many heads", F16, 23, 12, 12, 70, 70, 64, false, null), Attention("16-bit mask", F16, 3, 4, 4, 72, 72, 64, false, [3, 1, 72, 72], maskType: F16),
        Attention("pairs of a mask", BF16, 90, 4, 4, 40, 38, 64, false, [1, 4, 1, 38], maskType: BF16),
    ];

    private delegate Expr Epilogue(KernelCase made, CaseRandom random, Expr sum, Axis[] space);

    private static TensorView Tensor(KernelCase made, CaseRandom random, string name, DataType type, IReadOnlyList<DimExpr> shape, IReadOnlyList<int>? order = null, bool weight = false)
    {
        long count = shape.Aggregate(DimExpr.One, (a, b) => a * b).Evaluate(made.Symbols)!.Value;
        TensorData data = random.Tensor(type, count);
        Storage storage = weight ? new Storage(name, StorageKind.Weight, type, count) { Data = data } : made.Input(name, data, shape.Aggregate(DimExpr.One, (a, b) => a * b));
        return TensorView.Dense(storage, shape, order);
    }

    private static Expr Load(TensorView view, params Axis[] axes) => Ex.Load(view, Ex.Of(axes));

    private static Expr Relu(Expr x) => Ex.Call("max", x, Ex.Number(0));

    private static Epilogue Bias(bool relu = false) => (made, random, sum, space) =>
    {
        Expr x = Ex.Call("add", sum, Load(Tensor(made, random, "bias", F32, [space[^1].Extent], weight: true), space[^1]));
        return relu ? Relu(x) : x;
    };

    private static Expr Gelu(KernelCase made, CaseRandom random, Expr sum, Axis[] space)
    {
        Expr x = Ex.Call("add", sum, Load(Tensor(made, random, "bias", F16, [space[^1].Extent], weight: true), space[^1]));
        return Ex.Call("mul", Ex.Call("mul", Ex.Number(0.5), x), Ex.Call("add", Ex.Number(1), Ex.Call("erf", Ex.Call("div", x, Ex.Number(Math.Sqrt(2))))));
    }

    private static Expr Residual(KernelCase made, CaseRandom random, Expr sum, Axis[] space)
    {
        // The residual is not what the epilogue reads first.
        Expr bias = Load(Tensor(made, random, "bias", F16, [space[^1].Extent], weight: true), space[^1]);
        TensorView residual = Tensor(made, random, "residual", F16, [.. space.Select(a => a.Extent)]);
        return Relu(Ex.Call("add", Ex.Call("add", sum, bias), Load(residual, space)));
    }

    private static Expr RowScale(KernelCase made, CaseRandom random, Expr sum, Axis[] space) =>
        Ex.Call("tanh", Ex.Call("mul", Ex.Call("mul", sum, Ex.Number(0.05)), Load(Tensor(made, random, "scale", F32, [space[^2].Extent]), space[^2])));

    private static Expr Requantize(KernelCase made, CaseRandom random, Expr sum, Axis[] space)
    {
        Expr scaled = Ex.Call("mul", Ex.Convert(sum, ScalarType.Float32), Ex.Call("mul", Load(Tensor(made, random, "scale", F32, [space[^1].Extent], weight: true), space[^1]), Ex.Number(0.0008)));
        return new ConvertExpr(I8, Ex.Call("round", scaled), saturates: true);
    }

    private static Expr ChannelBias(KernelCase made, CaseRandom random, Expr sum, Axis[] space) => Relu(Ex.Call("add", sum, Load(Tensor(made, random, "bias", F32, [space[1].Extent], weight: true), space[1])));

    private static Expr ChannelResidual(KernelCase made, CaseRandom random, Expr sum, Axis[] space)
    {
        Expr x = Ex.Call("add", sum, Load(Tensor(made, random, "bias", F16, [space[1].Extent], weight: true), space[1]));
        return Relu(Ex.Call("add", x, Load(Tensor(made, random, "residual", made.Output.Type, [.. space.Select(a => a.Extent)], s_last), space)));
    }

    private static Expr ChannelRequantize(KernelCase made, CaseRandom random, Expr sum, Axis[] space) =>
        new ConvertExpr(I8, Ex.Call("round", Ex.Call("mul", Ex.Convert(sum, ScalarType.Float32), Ex.Call("mul", Load(Tensor(made, random, "scale", F32, [space[1].Extent], weight: true), space[1]), Ex.Number(0.0006)))), saturates: true);

    private static Expr ChannelQuantize(KernelCase made, CaseRandom random, Expr sum, Axis[] space) => new ConvertExpr(I8, Ex.Call("round", Ex.Div(ChannelBias(made, random, sum, space), Ex.Number(0.06))), saturates: true);

    private static Expr Scaled(KernelCase made, CaseRandom random, Expr sum, Axis channel)
    {
        Expr scaled = Ex.Call("mul", Ex.Call("mul", Ex.Convert(sum, ScalarType.Float32), Load(Tensor(made, random, "scale", F32, [channel.Extent], weight: true), channel)), Ex.Number(0.0004));
        return Ex.Call("add", scaled, Load(Tensor(made, random, "bias", F32, [channel.Extent], weight: true), channel));
    }

    private static Expr ChannelDequantize(KernelCase made, CaseRandom random, Expr sum, Axis[] space) => Relu(Scaled(made, random, sum, space[1]));

    /// <summary>The end of a bottleneck: scaled sum, bias, residual, rectifier, quantized.</summary>
    private static Expr ChannelSum(KernelCase made, CaseRandom random, Expr sum, Axis[] space) => Sum(made, random, Scaled(made, random, sum, space[1]), space, s_last);

    private static Expr RowSum(KernelCase made, CaseRandom random, Expr sum, Axis[] space) => Sum(made, random, Scaled(made, random, sum, space[^1]), space, null);

    private static ConvertExpr Sum(KernelCase made, CaseRandom random, Expr scaled, Axis[] space, int[]? order)
    {
        Expr residual = Ex.Call("mul", Ex.Convert(Load(Tensor(made, random, "residual", I8, [.. space.Select(a => a.Extent)], order), space), ScalarType.Float32), Ex.Number(0.011));
        Expr total = Ex.Call("add", residual, scaled);
        return new ConvertExpr(I8, Ex.Call("round", Ex.Div(Ex.Select(Ex.Less(total, Ex.Number(0)), Ex.Number(0), total), Ex.Number(0.02))), saturates: true);
    }

    private static double ToleranceOf(DataType type) => type switch { F16 => 2e-3, BF16 => 1.6e-2, I8 => 1.01 / 127, _ => 2e-3 };

    private static Made Product(string name, DataType type, DataType outType, long[] batch, long m, long n, long k, Epilogue? epilogue, bool transposedB = false, DimExpr? rows = null)
    {
        KernelCase made = new("product: " + name) { Kind = RegionKind.MatMul, Tolerance = ToleranceOf(outType) };
        CaseRandom random = new((ulong)name.Length + (ulong)m);
        if (rows is not null) made.Symbols.Add("n", m / 4);
        DimExpr[] outer = [.. batch.Select(b => (DimExpr)b)];
        DimExpr r = rows ?? m;
        TensorView a = Tensor(made, random, "a", type, [.. outer, r, k]), b = Tensor(made, random, "b", type, [.. outer, k, n], transposedB ? [.. Enumerable.Range(0, batch.Length), batch.Length + 1, batch.Length] : null, weight: batch.Length == 0);
        Axis[] space = [.. outer.Append(r).Append(n).Select((e, i) => new Axis($"i{i}", e))];
        Axis inner = new("k", k);
        made.Output = TensorView.Dense(new Storage("y", StorageKind.Output, outType, space.Aggregate(DimExpr.One, (p, s) => p * s.Extent)) { Binding = 0 }, [.. space.Select(s => s.Extent)]);
        Axis[] batches = space[..^2];
        Expr body = Ex.Call("mul", Load(a, [.. batches, space[^2], inner]), Load(b, [.. batches, inner, space[^1]]));
        Expr sum = new ReducedExpr(body.Type);
        made.Nests.Add(new LoopNest { Name = name, Space = space, Reduced = [inner], Combine = Combiner.Sum, Body = body, Result = epilogue?.Invoke(made, random, sum, space) ?? sum, Target = made.Output });
        return new Made(made, new Region { Name = name, Kind = RegionKind.MatMul, Operators = "MatMul", Nests = made.Nests, Facts = new MatMulFacts(a, b, 0) });
    }

    private static Made Convolution(string name, DataType type, DataType outType, long n, long h, long w, long c, long k, long r, long stride, long pad, long dilation, Epilogue epilogue, DataType? image = null, bool weightsLast = true) =>
        Convolution(name, type, outType, n, h, w, c, k, r, stride, pad, dilation, 1, epilogue, image, weightsLast);

    private static Made Depthwise(string name, long n, long h, long w, long c, long r, long stride, long pad, long dilation) =>
        Convolution(name, F16, F16, n, h, w, c, c, r, stride, pad, dilation, c, ChannelBias, null, false);

    private static Made Convolution(string name, DataType type, DataType outType, long n, long h, long w, long c, long k, long r, long stride, long pad, long dilation, long group, Epilogue epilogue, DataType? image, bool weightsLast)
    {
        KernelCase made = new("convolution: " + name) { Kind = RegionKind.Convolution, Tolerance = ToleranceOf(outType) };
        CaseRandom random = new((ulong)name.Length + (ulong)h);
        long p = ((h + (2 * pad) - (dilation * (r - 1)) - 1) / stride) + 1, q = ((w + (2 * pad) - (dilation * (r - 1)) - 1) / stride) + 1;
        TensorView x = Tensor(made, random, "x", image ?? type, [n, c, h, w], image is null ? s_last : null), filter = Tensor(made, random, "w", type, [k, c / group, r, r], weightsLast ? s_last : null, weight: true);
        Axis[] space = [new("n", n), new("k", k), new("p", p), new("q", q)];
        Axis channel = new("c", c / group), fr = new("r", r), fs = new("s", r);
        made.Output = TensorView.Dense(new Storage("y", StorageKind.Output, outType, n * k * p * q) { Binding = 0 }, [n, k, p, q], s_last);
        Expr Place(Axis at, Axis filterAxis) => Ex.Sub(Ex.Add(Ex.Mul(Ex.Of(at), Ex.Int(stride)), Ex.Mul(Ex.Of(filterAxis), Ex.Int(dilation))), Ex.Int(pad));
        Expr ih = Place(space[2], fr), iw = Place(space[3], fs);
        Expr inside = Ex.And([Ex.GreaterOrEqual(ih, Ex.Zero), Ex.Less(ih, Ex.Int(h)), Ex.GreaterOrEqual(iw, Ex.Zero), Ex.Less(iw, Ex.Int(w))]);
        Expr from = group == 1 ? Ex.Of(channel) : Ex.Add(Ex.Mul(Ex.FloorDiv(Ex.Of(space[1]), k / group), Ex.Int(c / group)), Ex.Of(channel));
        Expr value = Ex.Load(x, [Ex.Of(space[0]), from, ih, iw]);
        Expr body = Ex.Select(inside, Ex.Call("mul", value, Load(filter, space[1], channel, fr, fs)), Ex.Constant(0, value.Type));
        made.Nests.Add(new LoopNest { Name = name, Space = space, Reduced = [channel, fr, fs], Combine = Combiner.Sum, Body = body, Result = epilogue(made, random, new ReducedExpr(value.Type), space), Target = made.Output });
        ConvolutionFacts facts = new(x, filter, 0, [stride, stride], [pad, pad], [pad, pad], [dilation, dilation], group);
        return new Made(made, new Region { Name = name, Kind = RegionKind.Convolution, Operators = "Conv", Nests = made.Nests, Facts = facts });
    }

    private static Made Attention(string name, DataType type, long batch, long heads, long keyHeads, long queries, long keys, long size, bool causal, long[]? maskShape, DataType maskType = F32)
    {
        KernelCase made = new("attention: " + name) { Kind = RegionKind.Attention, Tolerance = ToleranceOf(type) * 2 };
        CaseRandom random = new((ulong)name.Length + (ulong)keys);
        // Stored [batch, rows, heads, size], as a projection leaves it.
        TensorView Rows(string tensor, long own, long rows) => Tensor(made, random, tensor, type, [batch, own, rows, size], [0, 2, 1, 3]);
        TensorView q = Rows("q", heads, queries), k = Rows("k", keyHeads, keys), v = Rows("v", keyHeads, keys);
        TensorView? mask = maskShape is null ? null : Tensor(made, random, "mask", maskType, [.. maskShape.Select(d => (DimExpr)d)]);
        double scale = 1 / Math.Sqrt(size);
        Axis b = new("b", batch), h = new("h", heads), i = new("i", queries), j = new("j", keys), d = new("d", size);
        TensorView scores = TensorView.Dense(new Storage("scores", StorageKind.Scratch, F32, batch * heads * queries * keys), [batch, heads, queries, keys]);
        TensorView most = TensorView.Dense(new Storage("most", StorageKind.Scratch, F32, batch * heads * queries), [batch, heads, queries]), total = TensorView.Dense(new Storage("total", StorageKind.Scratch, F32, batch * heads * queries), [batch, heads, queries]);
        made.Output = TensorView.Dense(new Storage("y", StorageKind.Output, type, batch * heads * queries * size) { Binding = 0 }, [batch, heads, queries, size], [0, 2, 1, 3]);
        Expr shared = Ex.FloorDiv(Ex.Of(h), heads / keyHeads);
        Expr score = Ex.Call("mul", new ReducedExpr(ScalarType.Float32), Ex.Number(scale));
        if (mask is not null) score = Ex.Call("add", score, Ex.Load(mask, [.. new[] { b, h, i, j }.Select((axis, at) => maskShape![at] == 1 ? Ex.Zero : Ex.Of(axis))]));
        if (causal) score = Ex.Select(Ex.LessOrEqual(Ex.Of(j), Ex.Add(Ex.Of(i), Ex.Int(keys - queries))), score, Ex.Number(double.NegativeInfinity));
        made.Nests.Add(new LoopNest { Name = "scores", Space = [b, h, i, j], Reduced = [d], Combine = Combiner.Sum, Body = Ex.Call("mul", Load(q, b, h, i, d), Ex.Load(k, [Ex.Of(b), shared, Ex.Of(j), Ex.Of(d)])), Result = score, Target = scores });
        made.Nests.Add(new LoopNest { Name = "most", Space = [b, h, i], Reduced = [j], Combine = Combiner.Maximum, Body = Load(scores, b, h, i, j), Result = new ReducedExpr(ScalarType.Float32), Target = most });
        Expr Power() => Ex.Call("exp", Ex.Call("sub", Load(scores, b, h, i, j), Load(most, b, h, i)));
        made.Nests.Add(new LoopNest { Name = "total", Space = [b, h, i], Reduced = [j], Combine = Combiner.Sum, Body = Power(), Result = new ReducedExpr(ScalarType.Float32), Target = total });
        made.Nests.Add(new LoopNest { Name = "values", Space = [b, h, i, d], Reduced = [j], Combine = Combiner.Sum, Body = Ex.Call("mul", Power(), Ex.Load(v, [Ex.Of(b), shared, Ex.Of(j), Ex.Of(d)])), Result = Ex.Call("div", new ReducedExpr(ScalarType.Float32), Load(total, b, h, i)), Target = made.Output });
        return new Made(made, new Region { Name = name, Kind = RegionKind.Attention, Operators = "Attention", Nests = made.Nests, Facts = new AttentionFacts(q, k, v, mask, scale, causal, made.Output) });
    }
}
