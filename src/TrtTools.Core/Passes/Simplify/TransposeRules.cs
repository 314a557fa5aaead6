using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Which operators can work on a value in another order of its axes, and how they are told so.</summary>
internal static class TransposeRules
{
    private static readonly HashSet<string> s_unary = new(StringComparer.Ordinal)
    {
        "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN",
        "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
    };

    private static readonly HashSet<string> s_broadcasting = new(StringComparer.Ordinal)
    {
        "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor",
    };

    private static readonly HashSet<string> s_reductions = new(StringComparer.Ordinal)
    {
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    };

    /// <summary>Whether the operator gives the same in the other order, if its axes are renamed. All it works on must have this rank, or be constants that broadcast to it.</summary>
    public static bool CanMove(Node node, int rank, PassContext context)
    {
        if (node.Domain.Length > 0 || node.Output() is null || node.Attributes.HasGraphs) return false;
        OperatorView view = context.View(node);
        if (s_unary.Contains(node.OpType)) return true;
        if (s_broadcasting.Contains(node.OpType)) return context.Opset >= 7 && node.Inputs.All(i => i is not null && (IsOfRank(i, rank) || PassContext.Constant(i) is { } data && data.Rank <= rank)) && node.Inputs.Any(i => IsOfRank(i, rank));
        if (s_reductions.Contains(node.OpType)) return view.KeepsDimensions && view.Axes is { Length: > 0 } axes && axes.All(a => a >= -rank && a < rank);
        return node.OpType switch
        {
            "Concat" => node.Inputs.All(i => IsOfRank(i, rank)) && IsAxis(view.Axis, rank),
            "Split" => IsAxis(view.Axis, rank),
            "Softmax" or "LogSoftmax" => context.Opset >= 13 && IsAxis(view.Axis, rank),
            "Pad" => context.Opset >= 11 && !view.HasAxes && view.PadAmounts is { } amounts && amounts.Length == rank * 2,
            _ => false,
        };
    }

    /// <summary>The inputs that must come in the other order; the rest are parameters.</summary>
    public static IEnumerable<Value> Moved(Node node)
    {
        int count = s_broadcasting.Contains(node.OpType) || node.OpType == "Concat" ? node.Inputs.Count : 1;
        // Numbers are in every order.
        return node.Inputs.Take(count).OfType<Value>().Where(v => PassContext.Constant(v) is not { ElementCount: 1, Rank: 0 });
    }

    /// <summary>Renames the axes: axis i of what is written is axis order[i] of what it works on now.</summary>
    public static void Turn(Node node, int[] order, PassContext context)
    {
        OperatorView view = context.View(node);
        int rank = order.Length;
        long Rename(long axis) => order[axis < 0 ? axis + rank : axis];
        if (node.OpType is "Concat" or "Split" or "Softmax" or "LogSoftmax")
        {
            node.Attributes.Set(Attribute.Int("axis", Rename(view.Axis)));
        }
        else if (s_reductions.Contains(node.OpType))
        {
            long[] axes = [.. view.Axes!.Select(Rename).Order()];
            if (node.Inputs.Count > 1) node.SetInput(1, node.Graph.AddConstant(node.Output()!.Name + "_axes", TensorData.Vector<long>(axes)));
            else node.Attributes.Set(Attribute.Ints("axes", axes));
        }
        else if (node.OpType == "Pad")
        {
            long[] amounts = view.PadAmounts!, turned = new long[rank * 2];
            for (int i = 0; i < rank; i++) (turned[order[i]], turned[order[i] + rank]) = (amounts[i], amounts[i + rank]);
            node.SetInput(1, node.Graph.AddConstant(node.Output()!.Name + "_pads", TensorData.Vector<long>(turned)));
        }
    }

    /// <summary>A constant in the other order, with ones in front of its shape up to the rank; null when it is the same in every order.</summary>
    public static TensorData? Broadcastable(TensorData data, int rank, long[] inverse)
    {
        if (data.ElementCount == 1) return data.Rank == 0 ? null : data.Reshape([.. Enumerable.Repeat(1L, rank)]);
        if (data.Type == DataType.String || data.Type.BitSize() < 8) return null;
        long[] shape = [.. Enumerable.Repeat(1L, rank - data.Rank), .. data.Shape];
        long[] target = [.. inverse.Select(p => shape[p])];
        int size = data.Type.BitSize() / 8;
        byte[] result = new byte[data.ByteCount];
        ReadOnlySpan<byte> source = data.Bytes;
        long[] strides = new long[rank];
        for (long d = rank - 1, stride = 1; d >= 0; d--)
        {
            strides[d] = stride;
            stride *= shape[d];
        }
        long[] index = new long[rank];
        for (int at = 0; at < result.Length / size; at++)
        {
            long offset = 0;
            for (int d = 0; d < rank; d++) offset += index[d] * strides[inverse[d]];
            source.Slice((int)offset * size, size).CopyTo(result.AsSpan(at * size));
            for (int d = rank - 1; d >= 0 && ++index[d] == target[d]; d--) index[d] = 0;
        }
        return TensorData.FromBytes(data.Type, target, result);
    }

    private static bool IsOfRank(Value? value, int rank) => value is not null && PassContext.Constant(value) is null && Types.RankOf(value) == rank;

    private static bool IsAxis(long axis, int rank) => axis >= -rank && axis < rank;
}
