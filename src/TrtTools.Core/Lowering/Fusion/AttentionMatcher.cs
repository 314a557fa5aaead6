using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Joins product, softmax and product to attention: the nests stay what they are, the facts say what they are together.</summary>
internal static class AttentionMatcher
{
    private const string MaskName = "Mask";

    public static void Run(OperationGraph graph)
    {
        foreach (Operation softmax in graph.Operations.ToList())
        {
            if (softmax is not { Kind: RegionKind.Row, Facts: RowFacts { Function: "Softmax", Input: { Rank: 4 } input, FirstRowAxis: 3 } } || softmax.Nests.Count != 3) continue;
            if (Single(graph, input.Storage) is not { Kind: RegionKind.MatMul, Facts: MatMulFacts scores } first || graph.ReadersOf(input.Storage) is not [{ } reader] || reader != softmax) continue;
            Storage weights = softmax.Nests[^1].Target.Storage;
            if (graph.ReadersOf(weights) is not [{ Kind: RegionKind.MatMul, Facts: MatMulFacts product } last] || !ReferenceEquals(product.A.Storage, weights)) continue;
            if (Ex.Loads(last.Nests[^1].Result).Any() || last.Nests[^1].Result is not ReducedExpr || scores.A.Rank != 4 || scores.B.Rank != 4 || product.B.Rank != 4) continue;
            Expr share = softmax.Nests[^1].Result;
            // torch.onnx writes a guard behind softmax: rows that are masked as a whole are NaN there, and count as 0.
            bool guarded = share is SelectExpr { Condition: CallExpr { Function.Name: "isnan" } test, WhenTrue: ConstantExpr { Number: 0 } } choice && ExprEquality.Equal(test.Operands[0], choice.WhenFalse);
            if (guarded) share = ((SelectExpr)share).WhenFalse;
            if (share is not CallExpr { Function.Name: "div" } || first.Nests.Count != 1 || last.Nests.Count != 1) continue;
            if (Parse(graph, first, first.Nests[0]) is not { } epilogue) continue;
            Join(graph, first, softmax, last, scores, product, epilogue, guarded);
        }
    }

    private sealed record Epilogue(double Scale, LoweredValue? Mask, bool Causal, Operation? MakesMask);

    private static Operation? Single(OperationGraph graph, Storage storage) => graph.WritersOf(storage) is [{ } writer] ? writer : null;

    /// <summary>scale · sum + mask, or a choice between that and a number that softmax makes 0.</summary>
    private static Epilogue? Parse(OperationGraph graph, Operation operation, LoopNest nest)
    {
        double scale = 1;
        LoweredValue? mask = null;
        Operation? maker = null;
        bool causal = false;
        Expr at = nest.Result;
        while (at is not ReducedExpr)
        {
            switch (at)
            {
                case CallExpr { Function.Name: "mul", Operands: [ConstantExpr c, var a] }: (at, scale) = (a, scale * c.Number); break;
                case CallExpr { Function.Name: "mul", Operands: [var a, ConstantExpr c] }: (at, scale) = (a, scale * c.Number); break;
                case CallExpr { Function.Name: "div", Operands: [var a, ConstantExpr c] }: (at, scale) = (a, scale / c.Number); break;
                case CallExpr { Function.Name: "add", Operands: [var a, var b] } when mask is null && scale == 1:
                    (Expr sum, Expr added) = Reduces(a) ? (a, b) : (b, a);
                    if (Reduces(added) || MaskOf(graph, operation, nest, added) is not { } made) return null;
                    (at, mask, maker, causal) = (sum, made.Value, made.Maker, made.Causal);
                    break;
                case SelectExpr select when mask is null && scale == 1 && !Reduces(select.Condition) && (Excludes(select.WhenFalse) || Excludes(select.WhenTrue)):
                    bool keepsTrue = Excludes(select.WhenFalse);
                    Expr kept = keepsTrue ? select.WhenTrue : select.WhenFalse, other = keepsTrue ? select.WhenFalse : select.WhenTrue;
                    Expr additive = keepsTrue ? Ex.Select(select.Condition, Ex.Number(0), other) : Ex.Select(select.Condition, other, Ex.Number(0));
                    if (!Reduces(kept) || MaskOf(graph, operation, nest, additive) is not { } chosen) return null;
                    (at, mask, maker, causal) = (kept, chosen.Value, chosen.Maker, chosen.Causal);
                    break;
                default: return null;
            }
        }
        return new Epilogue(scale, mask, causal, maker);
    }

    private static bool Reduces(Expr expr) => Ex.Parts(expr).Any(p => p is ReducedExpr);

    /// <summary>A number so low that its exponential is 0 beside any other.</summary>
    private static bool Excludes(Expr expr) => expr is ConstantExpr { Number: <= -1e9 };

    /// <summary>The value to add, broadcast to the scores: read as it is, or made by a map of its own over the axes that it depends on.</summary>
    private static (LoweredValue? Value, Operation? Maker, bool Causal)? MaskOf(OperationGraph graph, Operation operation, LoopNest nest, Expr added)
    {
        if (IsCausal(nest, added)) return (null, null, true);
        HashSet<Axis> used = [.. Ex.Parts(added).OfType<AxisExpr>().Select(a => a.Axis)];
        if (used.Any(a => !nest.Space.Contains(a))) return null;
        DimExpr[] shape = [.. nest.Space.Select(a => used.Contains(a) ? a.Extent : DimExpr.One)];
        LoopNest made = NodeLowering.Map(new LoweredValue("mask", StorageKind.Scratch, DataType.Float32, shape), index => NestFacts.Substitute(added, nest.Space, index));
        // Layers have one mask.
        foreach (Operation known in graph.Operations)
        {
            if (known is { Operators: [MaskName], Nests: [{ } other] } && other.Space.Select(a => a.Extent).SequenceEqual(shape) && ExprEquality.Equal(NestFacts.Substitute(other.Result, other.Space, Ex.Of(made.Space)), made.Result))
            {
                return (graph.ValueOf(other.Target.Storage), null, false);
            }
        }
        LoweredValue mask = graph.Scope.Scratch($"{graph.ValueOf(nest.Target.Storage).Name}.mask", DataType.Float32, shape);
        mask.KeepsType = true;
        Operation maker = new() { Kind = RegionKind.Map, Operators = [MaskName], SourceNodes = operation.SourceNodes, Nests = [made with { Name = mask.Name, Target = mask.View }] };
        return (mask, maker, false);
    }

    /// <summary>Whether a constant or an index comparison keeps just the keys up to each query's own place.</summary>
    private static bool IsCausal(LoopNest nest, Expr added)
    {
        Axis query = nest.Space[2], key = nest.Space[3];
        if (added is LoadExpr { Source.Storage: { Kind: StorageKind.Weight, Data: { } data, Type: DataType.Float32 } } load)
        {
            if (load.Index.Count < 2 || load.Index[^1] is not AxisExpr last || load.Index[^2] is not AxisExpr before || last.Axis != key || before.Axis != query) return false;
            long rows = data.Shape[^2], columns = data.Shape[^1];
            if (data.ElementCount != rows * columns || rows != columns || rows < 2) return false;
            ReadOnlySpan<float> values = data.AsSpan<float>();
            for (int row = 0; row < rows; row++)
            {
                for (int column = 0; column < columns; column++)
                {
                    float value = values[(int)((row * columns) + column)];
                    if (column <= row ? value != 0 : !(value <= -1e9f)) return false;
                }
            }
            return true;
        }
        if (added is not SelectExpr { Condition: LoadExpr { Source.Storage: { Kind: StorageKind.Weight, Data: { Type: DataType.Bool } flags } } condition } select) return false;
        if (condition.Index.Count < 2 || condition.Index[^1] is not AxisExpr k || condition.Index[^2] is not AxisExpr q || k.Axis != key || q.Axis != query) return false;
        bool keepsTrue = select.WhenTrue is ConstantExpr { Number: 0 };
        long side = flags.Shape[^1];
        if (side < 2 || flags.Shape[^2] != side || flags.ElementCount != side * side) return false;
        ReadOnlySpan<byte> bits = flags.Bytes;
        for (int row = 0; row < side; row++)
        {
            for (int column = 0; column < side; column++)
            {
                if ((bits[(int)((row * side) + column)] != 0) == keepsTrue != (column <= row)) return false;
            }
        }
        return true;
    }

    private static void Join(OperationGraph graph, Operation first, Operation softmax, Operation last, MatMulFacts scores, MatMulFacts product, Epilogue epilogue, bool guarded)
    {
        // Keys as rows: the scores' B is their transpose.
        LoweredValue transposed = graph.ValueOf(scores.B.Storage);
        LoweredValue key = graph.Scope.Scratch($"{transposed.Name}.rows", transposed.Type, [transposed.Shape[0], transposed.Shape[1], transposed.Shape[3], transposed.Shape[2]]);
        Operation swap = new() { Kind = RegionKind.Map, Operators = ["Transpose"], Nests = [NodeLowering.Map(key, index => Ex.Load(transposed, index[0], index[1], index[3], index[2]))] };
        graph.InsertBefore(swap, last);
        if (epilogue.MakesMask is { } maker) graph.InsertBefore(maker, last);
        TensorView? mask = epilogue.Mask?.View;
        Operation attention = new()
        {
            Kind = RegionKind.Attention, Operators = [.. first.Operators, .. softmax.Operators, .. last.Operators], Nests = [.. first.Nests, .. softmax.Nests, .. last.Nests],
            SourceNodes = [.. first.SourceNodes.Concat(softmax.SourceNodes).Concat(last.SourceNodes).Distinct(StringComparer.Ordinal)], Precision = first.Precision ?? softmax.Precision ?? last.Precision,
            Facts = new AttentionFacts(scores.A, key.View, product.B, mask, epilogue.Scale, epilogue.Causal, last.Nests[^1].Target) { ZeroWhereMasked = guarded },
        };
        if (epilogue.Mask is not null)
        {
            // The nests read what the facts say.
            LoopNest nest = attention.Nests[0];
            Expr scaled = epilogue.Scale == 1 ? new ReducedExpr(nest.Body!.Type) : Ex.Call("mul", new ReducedExpr(nest.Body!.Type), Ex.Number(epilogue.Scale));
            attention.Nests[0] = nest with { Result = Ex.Call("add", scaled, NodeLowering.LoadBroadcast(epilogue.Mask!, Ex.Of(nest.Space), [.. nest.Space.Select(a => a.Extent)])) };
        }
        graph.InsertBefore(attention, last);
        graph.Remove(first);
        graph.Remove(softmax);
        graph.Remove(last);
    }
}
