using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>What fusion asks of nests.</summary>
internal static class NestFacts
{
    public static bool IsMap(this Operation operation) => !operation.IsHost && operation.Kind == RegionKind.Map && operation.Nests is [{ Body: null, ScatterCombine: null }];

    /// <summary>The nest that alone defines every element of a value.</summary>
    public static LoopNest? DefinitionOf(this OperationGraph graph, Storage storage) =>
        storage.Kind == StorageKind.Scratch && graph.WritersOf(storage) is [{ } writer] && writer.IsMap() && writer.Nests[0] is { Place: null } nest ? nest : null;

    /// <summary>A map that moves elements by an index that is a sum of multiples of its axes: a view.</summary>
    public static bool IsAffineMove(LoopNest nest) => nest is { Body: null, Result: LoadExpr load } && load.Index.All(i => IsAffine(i, nest.Space));

    /// <summary>Integers that stand for floats.</summary>
    public static bool IsQuantized(DataType type) => type is DataType.Int8 or DataType.UInt8;

    /// <summary>A map that makes floats of the integers that stand for them, and does nothing else: whoever reads it can do that as well, and memory holds a quarter.</summary>
    public static bool IsDequantizing(LoopNest map) => map.Target.Type.IsFloatingPoint() && Ex.Loads(map.Result).Where(l => l.Source.Storage.Kind != StorageKind.Weight).ToList() is [{ } load] && IsQuantized(load.Source.Type)
        && map.Result is CallExpr { Function.Name: "mul" } scaled && scaled.Operands.Any(o => o is ConvertExpr { Value: LoadExpr or CallExpr { Function.Name: "sub" } });

    public static bool IsAffine(Expr index, IReadOnlyList<Axis> space) => Index.Expand(index).Terms.All(t => t.Term is AxisExpr axis && space.Contains(axis.Axis));

    public static bool IsAffineIn(this IReadOnlyList<Expr>? place, IReadOnlyList<Axis> space) => place is null || place.All(i => IsAffine(i, space));

    /// <summary>Work for one element: 1 for an addition, more for what takes longer.</summary>
    public static int Cost(Expr root)
    {
        int cost = 0;
        foreach (Expr part in Ex.Parts(root))
        {
            if (part is CallExpr call && call.Type != ScalarType.Int64)
            {
                cost += call.Function.Name switch
                {
                    "add" or "sub" or "mul" or "min" or "max" or "neg" or "abs" or "lt" or "le" or "gt" or "ge" or "eq" or "ne" or "and" or "or" or "not" or "floor" or "ceil" or "round" => 1,
                    "div" or "sqrt" or "rsqrt" => 3,
                    _ => 8,
                };
            }
        }
        return cost;
    }

    /// <summary>How many elements there are, about: symbols count 16.</summary>
    public static double Volume(IEnumerable<DimExpr> extents) => extents.Aggregate(1.0, (product, extent) => product * (extent.Evaluate(new AnySymbol()) ?? 16));

    public static double Volume(IEnumerable<Axis> axes) => Volume(axes.Select(a => a.Extent));

    private sealed class AnySymbol : IReadOnlyDictionary<string, long>
    {
        public long this[string key] => 16;

        public IEnumerable<string> Keys => [];

        public IEnumerable<long> Values => [];

        public int Count => 0;

        public bool ContainsKey(string key) => true;

        public IEnumerator<KeyValuePair<string, long>> GetEnumerator() => Enumerable.Empty<KeyValuePair<string, long>>().GetEnumerator();

        public bool TryGetValue(string key, out long value)
        {
            value = 16;
            return true;
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>An expression with a nest's axes replaced.</summary>
    public static Expr Substitute(Expr expr, IReadOnlyList<Axis> axes, IReadOnlyList<Expr> values)
    {
        Dictionary<Axis, Expr> map = [];
        for (int i = 0; i < axes.Count; i++) map[axes[i]] = values[i];
        return Ex.Rewrite(expr, e => e is AxisExpr axis && map.TryGetValue(axis.Axis, out Expr? value) ? value : null);
    }

    /// <summary>A nest with each load of a value replaced by what defines it.</summary>
    public static LoopNest Inline(LoopNest reader, Storage storage, LoopNest definition)
    {
        // One replacement for each distinct index, so that what is loaded twice is computed once.
        List<(IReadOnlyList<Expr> Index, Expr Value)> done = [];
        Expr? Replace(Expr expr)
        {
            if (expr is not LoadExpr load || !ReferenceEquals(load.Source.Storage, storage)) return null;
            Expr[] index = [.. load.Index.Select(i => Ex.Rewrite(i, Replace))];
            foreach ((IReadOnlyList<Expr> known, Expr value) in done)
            {
                if (known.Zip(index).All(p => ExprEquality.Equal(p.First, p.Second))) return value;
            }
            Expr made = Substitute(definition.Result, definition.Space, index);
            done.Add((index, made));
            return made;
        }
        Ex.Rewriter rewriter = new(Replace);
        return reader with { Body = reader.Body is null ? null : rewriter.Apply(reader.Body), Result = rewriter.Apply(reader.Result), Place = reader.Place?.Select(rewriter.Apply).ToArray() };
    }

    public static bool Loads(Expr? expr, Storage storage) => Ex.Loads(expr).Any(l => ReferenceEquals(l.Source.Storage, storage));

    /// <summary>A region's facts over other views.</summary>
    public static object? MapViews(object? facts, Func<TensorView, TensorView> map) => facts switch
    {
        ConvolutionFacts f => f with { Input = map(f.Input), Weight = map(f.Weight) },
        MatMulFacts f => f with { A = map(f.A), B = map(f.B) },
        RowFacts f => f with { Input = map(f.Input) },
        AttentionFacts f => f with { Query = map(f.Query), Key = map(f.Key), Value = map(f.Value), Mask = f.Mask is null ? null : map(f.Mask), Output = map(f.Output) },
        _ => facts,
    };

    /// <summary>Storages that a region's facts name.</summary>
    public static IEnumerable<Storage> FactOperands(object? facts) => facts switch
    {
        ConvolutionFacts f => [f.Input.Storage, f.Weight.Storage],
        MatMulFacts f => [f.A.Storage, f.B.Storage],
        RowFacts f => [f.Input.Storage],
        AttentionFacts f => f.Mask is null ? [f.Query.Storage, f.Key.Storage, f.Value.Storage] : [f.Query.Storage, f.Key.Storage, f.Value.Storage, f.Mask.Storage],
        _ => [],
    };
}
