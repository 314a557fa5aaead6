using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Values that several operations write by parts (a Concat's), or read by parts.</summary>
internal static class PartFusion
{
    /// <summary>A map over a value that is joined of parts becomes a map over each part, where each is computed anyway: what computes it can then do both and write where the map writes.</summary>
    public static void Distribute(OperationGraph graph)
    {
        foreach (Operation reader in graph.Operations.ToList())
        {
            if (!reader.IsMap() || reader.KeepsOrder || !reader.Nests[0].Place.IsAffineIn(reader.Nests[0].Space)) continue;
            LoopNest map = reader.Nests[0];
            if (Ex.Loads(map.Result).Select(l => l.Source.Storage).Distinct().FirstOrDefault(s => IsJoined(graph, s, reader)) is { } joined) Distribute(graph, reader, map, graph.ValueOf(joined));
        }
    }

    private static bool IsJoined(OperationGraph graph, Storage storage, Operation reader)
    {
        if (storage.Kind != StorageKind.Scratch || graph.WritersOf(storage) is not { Count: > 1 } writers || graph.ReadersOf(storage) is not [{ } only] || only != reader) return false;
        if (writers.Any(w => !w.IsMap() || w.Nests[0].Place is not { } place || !place.IsAffineIn(w.Nests[0].Space)) || !EpilogueFusion.ReadsInPlace(reader.Nests[0], graph.ValueOf(storage))) return false;
        return writers.All(w => IsComputed(graph, w));
    }

    /// <summary>Whether a part is a kernel as it is, or something that the kernel before it can write.</summary>
    private static bool IsComputed(OperationGraph graph, Operation writer)
    {
        LoopNest part = writer.Nests[0];
        if (part.Result is not LoadExpr || !Ex.Loads(part.Result).Any(l => l.Source.Storage.Kind != StorageKind.Weight)) return true;
        return EpilogueFusion.CanBeAbsorbed(graph, writer) || (part.Result is LoadExpr { Source.Storage: { } source } && graph.ReadersOf(source).Count == 1 && graph.DefinitionOf(source) is { } definition && !NestFacts.IsAffineMove(definition) && !graph.WritersOf(source)[0].KeepsOrder);
    }

    /// <summary>A copy of a joined value to a place of another type becomes copies of its parts from where they come from: as many bytes, and nothing is rounded on a detour.</summary>
    public static void DistributeConversions(OperationGraph graph, Func<Storage, DataType> typeOf)
    {
        foreach (Operation reader in graph.Operations.ToList())
        {
            if (!reader.IsMap() || reader.KeepsOrder || reader.Nests[0] is not { Result: LoadExpr { Source.Storage: { Kind: StorageKind.Scratch } joined } } map || !map.Place.IsAffineIn(map.Space)) continue;
            if (typeOf(joined) == typeOf(map.Target.Storage) || graph.WritersOf(joined) is not { Count: > 1 } writers || !EpilogueFusion.ReadsInPlace(map, graph.ValueOf(joined))) continue;
            if (writers.All(w => w.IsMap() && w.Nests[0] is { Result: LoadExpr, Place: { } place } part && place.IsAffineIn(part.Space))) Distribute(graph, reader, map, graph.ValueOf(joined), keepsWriters: true);
        }
    }

    private static void Distribute(OperationGraph graph, Operation reader, LoopNest map, LoweredValue joined, bool keepsWriters = false)
    {
        Axis?[] places = EpilogueFusion.PlacesOf(map, Ex.Loads(map.Result).First(l => ReferenceEquals(l.Source.Storage, joined.Storage)), joined)!;
        foreach (Operation writer in graph.WritersOf(joined.Storage).OrderBy(graph.PositionOf).ToList())
        {
            LoopNest part = writer.Nests[0];
            Expr[] own = [.. map.Space.Select(axis => Array.IndexOf(places, axis) is >= 0 and var d ? part.Place![d] : Ex.Zero)];
            Expr result = Ex.Rewrite(NestFacts.Substitute(map.Result, map.Space, own), e => e is LoadExpr load && ReferenceEquals(load.Source.Storage, joined.Storage) ? part.Result : null);
            Expr[] place = [.. (map.Place ?? Ex.Of(map.Space)).Select(p => Index.Simplify(NestFacts.Substitute(p, map.Space, own)))];
            graph.InsertBefore(new Operation
            {
                Kind = RegionKind.Map, Operators = [.. writer.Operators.Where(o => o != "Concat"), .. reader.Operators, .. writer.Operators.Where(o => o == "Concat")],
                Nests = [part with { Name = map.Name, Result = result, Target = map.Target, Place = place }],
                SourceNodes = [.. writer.SourceNodes.Concat(reader.SourceNodes).Distinct(StringComparer.Ordinal)], Precision = writer.Precision ?? reader.Precision,
            }, reader);
            if (!keepsWriters) graph.Remove(writer);
        }
        graph.Remove(reader);
    }

    /// <summary>Maps that read a layer's result slice by slice, and write side by side into one value, become one map, which the layer can apply as it writes.</summary>
    public static void JoinReaders(OperationGraph graph)
    {
        foreach (Operation producer in graph.Operations.ToList())
        {
            if (producer.IsHost || producer.IsMap() || producer.Sequence is not null) continue;
            LoweredValue value = graph.ValueOf(producer.Nests[^1].Target.Storage);
            if (value.Storage.Kind != StorageKind.Scratch || graph.ReadersOf(value.Storage) is not { Count: 2 } readers || readers[0] == readers[1]) continue;
            Slice?[] slices = [.. readers.OrderBy(graph.PositionOf).Select(r => SliceOf(r, value))];
            if (slices[0] is not { } first || slices[1] is not { } second || first.Axis != second.Axis) continue;
            if (second.Start.Equals(DimExpr.Zero)) (first, second) = (second, first);
            if (Join(first, second, value) is { } joined) Replace(graph, first.Reader, second.Reader, joined);
        }
    }

    /// <summary>A map that reads a run of a value along one axis, and all of it along the others.</summary>
    private sealed record Slice(Operation Reader, int Axis, DimExpr Start, Axis Loop);

    private static Slice? SliceOf(Operation reader, LoweredValue value)
    {
        if (!reader.IsMap() || reader.KeepsOrder || reader.Nests[0] is not { Place: { } place } nest || !place.IsAffineIn(nest.Space)) return null;
        List<LoadExpr> loads = [.. Ex.Loads(nest.Result).Where(l => ReferenceEquals(l.Source.Storage, value.Storage))];
        if (loads.Count == 0 || loads.Skip(1).Any(l => !l.Index.Zip(loads[0].Index).All(p => ExprEquality.Equal(p.First, p.Second)))) return null;
        Slice? found = null;
        HashSet<Axis> used = [];
        for (int d = 0; d < value.Rank; d++)
        {
            Index.Sum at = Index.Expand(loads[0].Index[d]);
            if (value.Shape[d] is { IsConstant: true, Value: 1 } && at is { IsConstant: true, Constant: { IsConstant: true, Value: 0 } }) continue;
            if (at.Terms is not [(AxisExpr { Axis: { } axis }, { IsConstant: true, Value: 1 })] || !nest.Space.Contains(axis) || !used.Add(axis)) return null;
            if (axis.Extent.Equals(value.Shape[d]) && at.Constant.Equals(DimExpr.Zero)) continue;
            if (found is not null) return null;
            found = new Slice(reader, d, at.Constant, axis);
        }
        return found is not null && nest.Space.All(a => used.Contains(a) || a.Extent is { IsConstant: true, Value: 1 }) ? found : null;
    }

    private static LoopNest? Join(Slice first, Slice second, LoweredValue value)
    {
        LoopNest a = first.Reader.Nests[0], b = second.Reader.Nests[0];
        if (!first.Start.Equals(DimExpr.Zero) || !second.Start.Equals(first.Loop.Extent) || !(first.Loop.Extent + second.Loop.Extent).Equals(value.Shape[first.Axis])) return null;
        if (!ReferenceEquals(a.Target.Storage, b.Target.Storage) || a.Space.Count != b.Space.Count || a.Result.Type != b.Result.Type) return null;
        Axis both = new(first.Loop.Name, value.Shape[first.Axis]);
        Axis[] space = [.. a.Space.Select(axis => axis == first.Loop ? both : axis)];
        Expr before = Ex.Sub(Ex.Of(both), Ex.Extent(first.Loop.Extent));
        Expr[] ofA = Ex.Of(space), ofB = new Expr[space.Length];
        for (int d = 0; d < space.Length; d++)
        {
            if ((a.Space[d] == first.Loop) != (b.Space[d] == second.Loop) || (a.Space[d] != first.Loop && !a.Space[d].Extent.Equals(b.Space[d].Extent))) return null;
            ofB[d] = b.Space[d] == second.Loop ? before : ofA[d];
        }
        Expr[] place = [.. a.Place!.Select(p => Index.Simplify(NestFacts.Substitute(p, a.Space, ofA)))], other = [.. b.Place!.Select(p => Index.Simplify(NestFacts.Substitute(p, b.Space, ofB)))];
        if (!place.Zip(other).All(p => Index.Combine(Index.Expand(p.First), Index.Expand(p.Second), -1) is { IsConstant: true } difference && difference.Constant.Equals(DimExpr.Zero))) return null;
        Expr result = Ex.Select(Ex.Less(Ex.Of(both), Ex.Extent(first.Loop.Extent)), NestFacts.Substitute(a.Result, a.Space, ofA), NestFacts.Substitute(b.Result, b.Space, ofB));
        return a with { Space = space, Result = result, Place = place };
    }

    private static void Replace(OperationGraph graph, Operation first, Operation second, LoopNest joined)
    {
        Operation later = graph.PositionOf(first) > graph.PositionOf(second) ? first : second;
        graph.InsertBefore(new Operation
        {
            Kind = RegionKind.Map, Operators = [.. first.Operators.Where(o => o != "Concat"), .. second.Operators], Nests = [joined],
            SourceNodes = [.. first.SourceNodes.Concat(second.SourceNodes).Distinct(StringComparer.Ordinal)], Precision = first.Precision ?? second.Precision,
        }, later);
        graph.Remove(first);
        graph.Remove(second);
    }

    /// <summary>A reduction of what a row's last map gives, over the row, is one more of the row's reductions.</summary>
    public static void RowsIntoReductions(OperationGraph graph)
    {
        foreach (Operation row in graph.Operations.ToList())
        {
            if (row is not { IsHost: false, Kind: RegionKind.Row, Sequence: null } || row.Nests is not [.., { Place: null, Body: null, Target.Storage: { Kind: StorageKind.Scratch } storage } last]) continue;
            if (graph.ReadersOf(storage) is not [{ Kind: RegionKind.Reduce, Nests: [{ Body: { } body, ScatterCombine: null } sum] } reader] || NestFacts.Loads(sum.Result, storage)) continue;
            List<LoadExpr> loads = [.. Ex.Loads(body)];
            // Each element is read once, and nothing else that has the size of the row.
            if (loads.Count(l => ReferenceEquals(l.Source.Storage, storage)) != 1 || NestFacts.Volume(sum.Space.Concat(sum.Reduced)) > NestFacts.Volume(last.Space)) continue;
            if (!ReducesAlike(row, sum)) continue;
            graph.Change(row, () =>
            {
                row.Nests[^1] = NestFacts.Inline(sum, storage, last);
                row.Operators.AddRange(reader.Operators);
                row.SourceNodes = [.. row.SourceNodes.Concat(reader.SourceNodes).Distinct(StringComparer.Ordinal)];
                row.Precision ??= reader.Precision;
                row.Facts = null;
            });
            graph.MoveTo(row, reader);
        }
    }

    private static bool ReducesAlike(Operation row, LoopNest sum) =>
        row.Nests.FirstOrDefault(n => n.Reduced.Count > 0) is { } statistic && statistic.Reduced.Select(a => a.Extent).SequenceEqual(sum.Reduced.Select(a => a.Extent))
        && statistic.Space.Where(a => a.Extent is not { IsConstant: true, Value: 1 }).Select(a => a.Extent).SequenceEqual(sum.Space.Where(a => a.Extent is not { IsConstant: true, Value: 1 }).Select(a => a.Extent));
}
