using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>What a region reads and writes.</summary>
internal static class RegionViews
{
    /// <summary>Views that the nests load, each once, in the order of first use; what an earlier nest of the region wrote is left out.</summary>
    public static IReadOnlyList<TensorView> Reads(Region region)
    {
        List<TensorView> reads = [];
        HashSet<Storage> written = [];
        foreach (LoopNest nest in region.Nests)
        {
            foreach (LoadExpr load in Loads(nest))
            {
                if (!written.Contains(load.Source.Storage) && !reads.Contains(load.Source)) reads.Add(load.Source);
            }
            written.Add(nest.Target.Storage);
        }
        return reads;
    }

    public static IReadOnlyList<TensorView> Writes(Region region) => [.. region.Nests.Select(n => n.Target).Distinct()];

    /// <summary>Every load of a nest, a shared one once, in the order of the text.</summary>
    public static IReadOnlyList<LoadExpr> Loads(LoopNest nest) => [.. All(nest).OfType<LoadExpr>()];

    /// <summary>Every expression of a nest, a shared one once, operands before what uses them.</summary>
    public static IReadOnlyList<Expr> All(LoopNest nest)
    {
        List<Expr> all = [];
        HashSet<Expr> seen = new(ReferenceEqualityComparer.Instance);
        foreach (Expr root in new[] { nest.Body, nest.Result }.OfType<Expr>().Concat(nest.Place ?? [])) Visit(root);
        return all;

        void Visit(Expr expr)
        {
            if (!seen.Add(expr)) return;
            foreach (Expr operand in expr.Operands) Visit(operand);
            all.Add(expr);
        }
    }
}
