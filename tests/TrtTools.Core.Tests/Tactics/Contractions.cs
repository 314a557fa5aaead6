using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Regions of products for tests.</summary>
internal static class Contractions
{
    public static TensorView View(string name, DataType type, StorageKind kind, IReadOnlyList<DimExpr> shape, IReadOnlyList<int>? order = null) =>
        TensorView.Dense(new Storage(name, kind, type, shape.Aggregate(DimExpr.One, (a, b) => a * b)), shape, order);

    /// <summary>y[…, m, n] = result(Σ a[…, m, k] · b[…, k, n]); views of two axes repeat over the batch.</summary>
    public static Region MatMul(TensorView a, TensorView b, TensorView y, Func<Expr, Axis[], Expr>? result = null)
    {
        Axis[] space = [.. y.Shape.Select((extent, i) => new Axis($"i{i}", extent))];
        Axis k = new("k", a.Shape[^1]);
        Expr[] Index(TensorView view, Expr first, Expr second) => [.. space.Take(space.Length - 2).Skip(space.Length - view.Rank).Select(s => (Expr)new AxisExpr(s)), first, second];
        LoopNest nest = new()
        {
            Name = "matmul", Space = space, Reduced = [k], Combine = Combiner.Sum, Target = y,
            Body = ScalarFunctions.Call("mul", new LoadExpr(a, Index(a, new AxisExpr(space[^2]), new AxisExpr(k))), new LoadExpr(b, Index(b, new AxisExpr(k), new AxisExpr(space[^1])))),
            Result = result?.Invoke(new ReducedExpr(ScalarType.Float32), space) ?? new ReducedExpr(ScalarType.Float32),
        };
        return new Region { Name = "matmul", Kind = RegionKind.MatMul, Operators = "MatMul", Nests = [nest], Facts = new MatMulFacts(a, b, 0) };
    }

    /// <summary>A 1×1 convolution with stride 1.</summary>
    public static Region Pointwise(TensorView x, TensorView w, TensorView y, Func<Expr, Axis[], Expr>? result = null)
    {
        Axis[] space = [.. y.Shape.Select((extent, i) => new Axis($"i{i}", extent))];
        Axis c = new("c", w.Shape[1]), r = new("r", 1), s = new("s", 1);
        Expr At(Axis axis) => new AxisExpr(axis);
        LoopNest nest = new()
        {
            Name = "conv", Space = space, Reduced = [c, r, s], Combine = Combiner.Sum, Target = y,
            Body = ScalarFunctions.Call("mul", new LoadExpr(x, [At(space[0]), At(c), At(space[2]), At(space[3])]), new LoadExpr(w, [At(space[1]), At(c), At(r), At(s)])),
            Result = result?.Invoke(new ReducedExpr(ScalarType.Float32), space) ?? new ReducedExpr(ScalarType.Float32),
        };
        return new Region { Name = "conv", Kind = RegionKind.Convolution, Operators = "Conv", Nests = [nest], Facts = new ConvolutionFacts(x, w, 0, [1, 1], [0, 0], [0, 0], [1, 1], 1) };
    }

    public static Expr Load(TensorView view, params Axis[] axes) => new LoadExpr(view, [.. axes.Select(a => (Expr)new AxisExpr(a))]);

    public static Expr Add(Expr a, Expr b) => ScalarFunctions.Call("add", a, b);

    public static Expr Relu(Expr a) => ScalarFunctions.Call("max", a, new ConstantExpr(0.0));

    public static Expr Mul(Expr a, Expr b) => ScalarFunctions.Call("mul", a, b);

    public static Expr Number(double value) => new ConstantExpr(value);

    public static Expr GeluErf(Expr x) => Mul(Mul(Number(0.5), x), Add(Number(1), ScalarFunctions.Call("erf", ScalarFunctions.Call("div", x, Number(Math.Sqrt(2))))));

    public static Expr GeluTanh(Expr x) => Mul(Mul(x, Number(0.5)), Add(ScalarFunctions.Call("tanh", Mul(Add(x, Mul(Number(0.044715), ScalarFunctions.Call("pow", x, Number(3)))), Number(0.7978845608028654))), Number(1)));

    public static Expr Silu(Expr x) => ScalarFunctions.Call("div", x, Add(Number(1), ScalarFunctions.Call("exp", ScalarFunctions.Call("neg", x))));
}
