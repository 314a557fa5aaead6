namespace TrtTools.Lowering;

/// <summary>Whether two expressions compute the same by the same steps.</summary>
internal static class ExprEquality
{
    public static bool Equal(Expr a, Expr b)
    {
        if (ReferenceEquals(a, b)) return true;
        if (a.Type != b.Type || a.GetType() != b.GetType()) return false;
        bool own = (a, b) switch
        {
            (ConstantExpr x, ConstantExpr y) => x.Integer == y.Integer && x.Number.Equals(y.Number),
            (AxisExpr x, AxisExpr y) => ReferenceEquals(x.Axis, y.Axis),
            (ExtentExpr x, ExtentExpr y) => x.Extent.Equals(y.Extent),
            (LoadExpr x, LoadExpr y) => ReferenceEquals(x.Source.Storage, y.Source.Storage) && (ReferenceEquals(x.Source, y.Source) || SameView(x.Source, y.Source)),
            (CallExpr x, CallExpr y) => ReferenceEquals(x.Function, y.Function),
            (ConvertExpr x, ConvertExpr y) => x.Target == y.Target && x.Saturates == y.Saturates,
            (SelectExpr, SelectExpr) or (ReducedExpr, ReducedExpr) => true,
            _ => false,
        };
        if (!own || a.Operands.Count != b.Operands.Count) return false;
        for (int i = 0; i < a.Operands.Count; i++)
        {
            if (!Equal(a.Operands[i], b.Operands[i])) return false;
        }
        return true;
    }

    private static bool SameView(TensorView a, TensorView b) => a.Offset.Equals(b.Offset) && a.Shape.SequenceEqual(b.Shape) && a.Strides.SequenceEqual(b.Strides);
}
