using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Passes.Fusion;

/// <summary>Composites as exporters write them, as text.</summary>
internal static class Composites
{
    private const string Erf = "Add(Erf(Div(x, 1.41421) | Mul(x, 0.707107)), 1)";
    private const string Cube = "Pow(x, 3) | Mul(x, Mul(x, x)) | Mul(x, Pow(x, 2))";
    private const string TanhOf = "Add(Tanh(Mul(Add(x, Mul(0.044715, " + Cube + ")), 0.797885)), 1)";
    private const string Clip6 = "Clip(Add(x, 3))";

    // a and b are the same difference where an exporter computes it twice.
    private const string Variance = "ReduceMean(Pow(d, 2) | Mul(d, d))";
    private const string Deviation = "Sqrt(Add(" + Variance + ", e#))";
    private const string Normalized = "Div(d:Sub(x, m:ReduceMean(x)), " + Deviation + ") | Mul(d:Sub(x, m:ReduceMean(x)), Reciprocal(" + Deviation + "))";

    // x · r + (shift − mean · r) with r = scale / deviation, as TensorFlow writes it.
    private const string Folded = "Add(Mul(x, r:Mul(Reciprocal(Sqrt(Add(ReduceMean(q), e#))), scale)), Sub(shift, Mul(m:ReduceMean(x), r)))";

    private const string MeanSquare = "Sqrt(Add(ReduceMean(Pow(x, 2) | Mul(x, x)), e#))";
    private const string RootNormalized = "Div(x, " + MeanSquare + ") | Mul(x, Reciprocal(" + MeanSquare + ")) | Mul(x, Div(1, " + MeanSquare + "))";

    private const string Scores = "Div(MatMul(q, k), c#) | Mul(MatMul(q, k), c#) | MatMul(q, k)";

    /// <summary>Activations that stand alone or end a convolution or a matrix product.</summary>
    public static IReadOnlyList<Composite> Activations { get; } =
    [
        Of("Gelu", null, $"Mul(Mul(x, {Erf}), 0.5)", $"Mul(Mul(x, 0.5), {Erf})", $"Mul(x, Mul({Erf}, 0.5))", $"Div(Mul(x, {Erf}), 2)"),
        Of("GeluTanh", null, $"Mul(Mul(x, {TanhOf}), 0.5)", $"Mul(Mul(x, 0.5), {TanhOf})", $"Mul(x, Mul({TanhOf}, 0.5))"),
        Of("Silu", null, "Mul(x, Sigmoid(x))"),
        Of("QuickGelu", null, "Mul(x, Sigmoid(Mul(x, 1.702)))"),
        Of("HardSwish", IsHardSwish, "Mul(x, s:HardSigmoid(x))", $"Div(Mul(x, s:{Clip6}), 6)", $"Mul(x, Div(s:{Clip6}, 6))", $"Mul(Mul(x, s:{Clip6}), 0.166667)", $"Mul(x, Mul(s:{Clip6}, 0.166667))"),
        Of("HardSigmoid", IsHardSwish, $"Div(s:{Clip6}, 6)", $"Mul(s:{Clip6}, 0.166667)"),
        Of("Mish", null, "Mul(x, Tanh(Softplus(x)))"),
    ];

    public static Composite LayerNorm { get; } = Of("LayerNorm", ReducesLastAxes, $"Add(Mul({Normalized}, scale), shift)", Folded, $"Mul({Normalized}, scale)", Normalized);

    public static Composite RmsNorm { get; } = Of("RmsNorm", ReducesLastAxes, $"Mul(n:Mul(x, Reciprocal({MeanSquare})) | n:Div(x, {MeanSquare}) | n:Mul(x, Div(1, {MeanSquare})), scale)", RootNormalized);

    public static Composite Softmax { get; } = Of("Softmax", ReducesOneAxis, "Div(e:Exp(Sub(x, ReduceMax(x))), ReduceSum(e))", "Div(e:Exp(x), ReduceSum(e))");

    public static Composite Attention { get; } = Of("Attention", null,
        $"MatMul(Softmax(Add({Scores}, mask)), v)", $"MatMul(Softmax({Scores}), v)", $"MatMul(Softmax(Where(c, a, {Scores}) | Where(c, {Scores}, a)), v)");

    private static Composite Of(string name, Func<TreeMatch, FusionScope, string?>? guard, params string[] shapes) => new(name, [.. shapes.Select(s => new TreePattern(s))], guard);

    /// <summary>The step has the slope and the bounds of the activation: (x + 3) / 6 between 0 and 1.</summary>
    private static string? IsHardSwish(TreeMatch match, FusionScope scope)
    {
        Node step = match["s"]!.Producer!;
        if (step.OpType == "HardSigmoid")
        {
            return Math.Abs(step.Attributes.Float("alpha", 0.2f) - (1 / 6.0)) < 1e-4 && step.Attributes.Float("beta", 0.5f) == 0.5f ? null : $"the slope of '{step.DisplayName}' is not 1/6";
        }
        return scope.View(step).ClipBounds is (0, 6) ? null : $"'{step.DisplayName}' does not clip to 0…6";
    }

    /// <summary>All means are taken over the same trailing axes and keep them.</summary>
    private static string? ReducesLastAxes(TreeMatch match, FusionScope scope)
    {
        if (ReducesSameAxes(match, scope, out long[] axes) is { } reason) return reason;
        if (axes is [-1]) return null;
        int? rank = Types.RankOf(match["x"]);
        if (rank is null) return $"the rank of '{match["x"]!.Name}' is not known";
        long[] sorted = [.. axes.Select(a => a < 0 ? a + rank.Value : a).Order()];
        for (int i = 0; i < sorted.Length; i++)
        {
            if (sorted[i] != rank - sorted.Length + i) return "the mean is not taken over the last axes";
        }
        return null;
    }

    private static string? ReducesOneAxis(TreeMatch match, FusionScope scope) =>
        ReducesSameAxes(match, scope, out long[] axes) ?? (axes.Length == 1 ? null : "it is normalized over several axes");

    private static string? ReducesSameAxes(TreeMatch match, FusionScope scope, out long[] axes)
    {
        axes = [];
        foreach (Node node in match.Nodes.Where(n => n.OpType.StartsWith("Reduce", StringComparison.Ordinal)))
        {
            OperatorView view = scope.View(node);
            if (view.Axes is not { Length: > 0 } own) return $"the axes of '{node.DisplayName}' are not known";
            if (!view.KeepsDimensions) return $"'{node.DisplayName}' drops the axes it reduces";
            if (axes.Length > 0 && !axes.SequenceEqual(own)) return $"'{node.DisplayName}' reduces other axes";
            axes = own;
        }
        return null;
    }
}
