using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Decides what becomes of a node: known content, nests, or a step of the host.</summary>
internal static class NodeDispatch
{
    private const int LargestKnownContent = 64;

    /// <summary>Null when the node is lowered; otherwise why the host runs it.</summary>
    public static string? Lower(LoweringScope scope, Node node)
    {
        if (node.Is("Constant")) return null;
        if (LowerKnown(scope, node)) return null;
        string? reason = WhyUnknown(node) ?? OperatorLowerings.Lower(new NodeLowering(scope, node));
        if (reason is not null) HostNodes.Add(scope, node);
        return reason;
    }

    private static string? WhyUnknown(Node node)
    {
        foreach (Value? input in node.Inputs)
        {
            if (input is not null && !LoweringScope.IsKnown(input)) return $"nothing is known of the shape of its input '{input.Name}'";
        }
        foreach (Value? output in node.Outputs)
        {
            if (output is null) continue;
            if (!LoweringScope.IsKnown(output)) return $"nothing is known of the shape of '{output.Name}'";
            if (LoweringScope.ShapeOf(output).Where((extent, axis) => UnknownExtents.IsNamedAfter(extent, output, axis)).Any()) return $"how large '{output.Name}' is only the run tells";
            if (output.Type!.DataType is DataType.String or DataType.Complex64 or DataType.Complex128) return $"'{output.Name}' is {output.Type.DataType}";
        }
        return null;
    }

    /// <summary>Integers that follow from shapes are written from the shapes.</summary>
    private static bool LowerKnown(LoweringScope scope, Node node)
    {
        foreach (Value? output in node.Outputs)
        {
            if (output is null || !output.HasUses) continue;
            if (!LoweringScope.IsKnown(output) || scope.ContentOf(output) is not { Length: <= LargestKnownContent } content || content.Any(e => e is null)) return false;
            if (!output.Type!.DataType.IsInteger() && output.Type.DataType != DataType.Bool && !output.Type.DataType.IsFloatingPoint()) return false;
        }
        NodeLowering lowering = new(scope, node);
        for (int i = 0; i < node.Outputs.Count; i++)
        {
            if (node.Outputs[i] is not { HasUses: true } output) continue;
            DimExpr[] content = [.. scope.ContentOf(output)!.Select(e => e!)];
            LoweredValue target = lowering.Output(i);
            lowering.Emit(RegionKind.Map, NodeLowering.Map(target, index => Choose(content, Linear(index, target.Shape), 0, content.Length, target.Type.ScalarType())));
        }
        return true;
    }

    private static Expr Linear(Expr[] index, IReadOnlyList<DimExpr> shape)
    {
        Expr linear = Ex.Zero;
        for (int axis = 0; axis < index.Length; axis++) linear = Ex.Add(Ex.Mul(linear, Ex.Extent(shape[axis])), index[axis]);
        return linear;
    }

    private static Expr Choose(DimExpr[] content, Expr index, int from, int to, ScalarType type)
    {
        if (to - from <= 1) return Ex.Convert(to > from ? Ex.Extent(content[from]) : Ex.Zero, type);
        int middle = (from + to) / 2;
        return Ex.Select(Ex.Less(index, Ex.Int(middle)), Choose(content, index, from, middle, type), Choose(content, index, middle, to, type));
    }
}
