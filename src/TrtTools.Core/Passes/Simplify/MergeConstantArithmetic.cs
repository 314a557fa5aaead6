using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Two steps with constants are one: (x · a) · b, (x · a) / b, (x + a) + b, (x + a) − b and their mirror images, in floating point.
/// The constants' product or sum is a new constant that FoldConstants computes.</summary>
internal sealed class MergeConstantArithmetic : NodePass
{
    private const int LargestCopy = 64;

    public override string Name => "merge-constant-arithmetic";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Add", "Sub", "Mul", "Div"];

    public override bool Apply(Node node, PassContext context)
    {
        if (context.Opset < 7 || Read(node) is not { } outer || outer.Kept is not { HasSingleUse: true, Producer: { } inner } || inner.Graph != node.Graph || Read(inner) is not { } first) return false;
        if (!IsSum(node) && MayEndActivation(first.Kept)) return false;
        if (IsSum(node) != IsSum(inner) || node.Output() is not { } output) return false;
        DataType type = outer.Constant.Type;
        if (first.Constant.Type != type || type is not (DataType.Float32 or DataType.Float64)) return false;
        if (Broadcast(first.Constant.Shape, outer.Constant.Shape) is not { } shape) return false;
        // The file must not grow: a large constant is merged into where nobody else needs it as it is.
        long count = TensorData.CountElements(shape);
        if (count > LargestCopy && !(first.Constant.ElementCount == count && inner.Input(first.Side)!.HasSingleUse) && !(outer.Constant.ElementCount == count && node.Input(outer.Side)!.HasSingleUse)) return false;
        double[] a = Spread(first.Constant, shape), b = Spread(outer.Constant, shape), merged = new double[a.Length];
        for (int i = 0; i < a.Length; i++)
        {
            double x = inner.OpType switch { "Sub" => -a[i], "Div" => 1 / a[i], _ => a[i] }, y = node.OpType switch { "Sub" => -b[i], "Div" => 1 / b[i], _ => b[i] };
            merged[i] = IsSum(node) ? x + y : x * y;
            // Where the steps would pass the type's range on the way, or come near its end, they stay apart.
            double size = Math.Abs(merged[i]);
            if (!double.IsFinite(merged[i]) || !double.IsFinite(x) || !double.IsFinite(y) || (!IsSum(node) && (size is > 1e30 or < 1e-30 || Math.Abs(x) is > 1e15 or < 1e-15))) return false;
        }
        // x + 1e10 − 1e10 loses x's digits on purpose or by accident; as one sum it would keep them.
        if (IsSum(node) && a.Zip(b).Any(p => Math.Abs(p.First) > 1e4 || Math.Abs(p.Second) > 1e4)) return false;
        Node result = context.AddNode(IsSum(node) ? "Add" : "Mul", [first.Kept, node.Graph.AddConstant(output.Name + "_merged", TensorMath.FromDouble(type, shape, merged))],
            output.Name + "_once", node, PassContext.SourcesOf(inner, node));
        context.SetInput(node, 1 - outer.Side, null);
        context.Reproduce(output, result);
        return true;
    }

    /// <summary>x · clip(x + 3) / 6: the 6 belongs to the activation, which must still be known for one. A factor on such a value stays.</summary>
    internal static bool MayEndActivation(Value kept) => kept.Producer is { Domain.Length: 0, OpType: "Mul" or "Div" or "Add" or "Clip" or "Where" };

    private static bool IsSum(Node node) => node.OpType is "Add" or "Sub";

    /// <summary>The side that is a constant, its content and the other side; null unless there is one of each, or a constant minuend or dividend.</summary>
    private static (Value Kept, TensorData Constant, int Side)? Read(Node node)
    {
        if (node.Domain.Length > 0 || node.OpType is not ("Add" or "Sub" or "Mul" or "Div") || node.Inputs.Count != 2) return null;
        if (PassContext.Constant(node.Input(1)) is { ElementCount: > 0 } right && node.Input(0) is { } left && PassContext.Constant(left) is null) return (left, right, 1);
        if (node.OpType is "Add" or "Mul" && PassContext.Constant(node.Input(0)) is { ElementCount: > 0 } constant && node.Input(1) is { } kept && PassContext.Constant(kept) is null) return (kept, constant, 0);
        return null;
    }

    private static long[]? Broadcast(ReadOnlySpan<long> a, ReadOnlySpan<long> b)
    {
        long[] shape = new long[Math.Max(a.Length, b.Length)];
        for (int i = 1; i <= shape.Length; i++)
        {
            long x = i <= a.Length ? a[^i] : 1, y = i <= b.Length ? b[^i] : 1;
            if (x != y && x != 1 && y != 1) return null;
            shape[^i] = x == 1 ? y : x;
        }
        return shape;
    }

    private static double[] Spread(TensorData data, long[] shape)
    {
        double[] source = data.ToDouble();
        if (source.Length == TensorData.CountElements(shape)) return source;
        double[] result = new double[TensorData.CountElements(shape)];
        long[] index = new long[shape.Length];
        for (int at = 0; at < result.Length; at++)
        {
            long offset = 0;
            for (int d = 0; d < data.Rank; d++) offset = (offset * data.Shape[d]) + (data.Shape[d] == 1 ? 0 : index[shape.Length - data.Rank + d]);
            result[at] = source[offset];
            for (int d = shape.Length - 1; d >= 0 && ++index[d] == shape[d]; d--) index[d] = 0;
        }
        return result;
    }
}
