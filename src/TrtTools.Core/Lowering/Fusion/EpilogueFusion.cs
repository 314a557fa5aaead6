using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Lets a layer apply the map that alone reads its result, as it writes.</summary>
internal static class EpilogueFusion
{
    public static void Run(OperationGraph graph)
    {
        // Backwards, so that of two layers that a map joins the later one takes it.
        foreach (Operation reader in graph.Operations.Reverse().ToList())
        {
            if (!reader.IsMap()) continue;
            LoopNest map = reader.Nests[0];
            // A layer that ends in integers has done its part: the one beside it takes the sum.
            Operation? producer = Ex.Loads(map.Result).Select(l => l.Source.Storage).Distinct().Select(s => ProducerFor(graph, reader, map, s)).OfType<Operation>()
                .OrderBy(p => !NestFacts.IsQuantized(p.Nests[^1].Target.Type)).ThenBy(graph.PositionOf).LastOrDefault();
            if (producer is not null) Absorb(graph, producer, reader);
        }
    }

    /// <summary>The operation that computes a value by a reduction and whose only reader is this map.</summary>
    private static Operation? ProducerFor(OperationGraph graph, Operation reader, LoopNest map, Storage storage)
    {
        if (storage.Kind != StorageKind.Scratch || graph.WritersOf(storage) is not [{ } producer] || producer.IsHost || producer.Sequence is not null || producer.IsMap() || graph.ReadersOf(storage) is not [{ } only] || only != reader) return null;
        LoopNest last = producer.Nests[^1];
        if (!ReferenceEquals(last.Target.Storage, storage) || !StoresInPlace(last, graph.ValueOf(storage)) || last.ScatterCombine is not null || producer.Nests.Count(n => ReferenceEquals(n.Target.Storage, storage)) != 1) return null;
        if (!ReadsInPlace(map, graph.ValueOf(storage)) || NestFacts.IsDequantizing(map)) return null;
        // A layout that a library's kernel cannot write is another kernel's work.
        if (graph.Scope.Options.ChannelsLast && producer.Kind is RegionKind.Convolution && last.Space.Count == 4 && graph.ValueOf(map.Target.Storage).Storage.Kind == StorageKind.Output && map.Result is LoadExpr) return null;
        // The producer moves to where the reader stands: nobody may need what else it gives before that.
        IEnumerable<Storage> others = producer.Nests.Select(n => n.Target.Storage).Where(s => !ReferenceEquals(s, storage));
        return others.SelectMany(graph.ReadersOf).All(r => r == producer || graph.PositionOf(r) > graph.PositionOf(reader)) ? producer : null;
    }

    /// <summary>Whether some layer could apply this map as it writes.</summary>
    public static bool CanBeAbsorbed(OperationGraph graph, LoopNest map) => graph.WritersOf(map.Target.Storage) is [{ } reader] && CanBeAbsorbed(graph, reader);

    public static bool CanBeAbsorbed(OperationGraph graph, Operation reader) => reader.Nests[0] is var map && Ex.Loads(map.Result).Select(l => l.Source.Storage).Distinct().Any(s => ProducerFor(graph, reader, map, s) is not null);

    /// <summary>Whether a map reads each element of a value just once, at the element's own place up to the order of axes.</summary>
    public static bool ReadsInPlace(LoopNest map, LoweredValue value)
    {
        List<LoadExpr> loads = [.. Ex.Loads(map.Result).Where(l => ReferenceEquals(l.Source.Storage, value.Storage))];
        if (loads.Count == 0 || (map.Place ?? []).SelectMany(Ex.Loads).Any()) return false;
        return PlacesOf(map, loads[0], value) is not null && loads.Skip(1).All(l => l.Index.Zip(loads[0].Index).All(p => ExprEquality.Equal(p.First, p.Second)));
    }

    /// <summary>Whether a nest writes the whole value, each point to an element of its own, axis by axis.</summary>
    private static bool StoresInPlace(LoopNest nest, LoweredValue value)
    {
        if (nest.Place is null) return true;
        HashSet<Axis> used = [];
        for (int d = 0; d < nest.Place.Count; d++)
        {
            bool isAxis = nest.Place[d] is AxisExpr axis && axis.Axis.Extent.Equals(value.Shape[d]) && used.Add(axis.Axis);
            if (!isAxis && !(value.Shape[d] is { IsConstant: true, Value: 1 } && nest.Place[d] is ConstantExpr { Integer: 0 })) return false;
        }
        return nest.Space.All(a => used.Contains(a) || a.Extent is { IsConstant: true, Value: 1 });
    }

    /// <summary>For each axis of the value the map's axis that runs along it, null for an axis of extent 1; null when the load is anything else.</summary>
    public static Axis?[]? PlacesOf(LoopNest map, LoadExpr load, LoweredValue value)
    {
        Axis?[] axes = new Axis?[value.Rank];
        for (int d = 0; d < axes.Length; d++)
        {
            if (load.Index[d] is AxisExpr axis && map.Space.Contains(axis.Axis) && axis.Axis.Extent.Equals(value.Shape[d]) && !axes.Contains(axis.Axis)) axes[d] = axis.Axis;
            else if (!(value.Shape[d] is { IsConstant: true, Value: 1 } && Index.Expand(load.Index[d]) is { IsConstant: true, Constant: { IsConstant: true, Value: 0 } })) return null;
        }
        return map.Space.All(a => axes.Contains(a) || a.Extent is { IsConstant: true, Value: 1 }) ? axes : null;
    }

    private static void Absorb(OperationGraph graph, Operation producer, Operation reader)
    {
        LoopNest map = reader.Nests[0], last = producer.Nests[^1];
        LoweredValue value = graph.ValueOf(last.Target.Storage);
        LoadExpr load = Ex.Loads(map.Result).First(l => ReferenceEquals(l.Source.Storage, value.Storage));
        Axis?[] places = PlacesOf(map, load, value)!;
        Expr[] own = [.. map.Space.Select(axis => Array.IndexOf(places, axis) is >= 0 and var d ? last.Place?[d] ?? Ex.Of(last.Space[d]) : Ex.Zero)];
        Expr Rebase(Expr expr) => NestFacts.Substitute(expr, map.Space, own);
        Expr result = Ex.Rewrite(Rebase(map.Result), e => e is LoadExpr l && ReferenceEquals(l.Source.Storage, value.Storage) ? last.Result : null);
        Expr[] place = [.. (map.Place ?? Ex.Of(map.Space)).Select(Rebase).Select(Index.Simplify)];
        bool inPlace = place.Length == last.Space.Count && place.Zip(last.Space).All(p => p.First is AxisExpr axis ? axis.Axis == p.Second : p.Second.Extent is { IsConstant: true, Value: 1 } && p.First is ConstantExpr { Integer: 0 });
        graph.Change(producer, () =>
        {
            producer.Nests[^1] = last with { Name = map.Name, Result = result, Target = map.Target, Place = inPlace && SameShape(graph.ValueOf(map.Target.Storage), last) ? null : place };
            producer.Operators.AddRange(reader.Operators);
            producer.SourceNodes = [.. producer.SourceNodes.Concat(reader.SourceNodes).Distinct(StringComparer.Ordinal)];
            producer.Precision ??= reader.Precision;
        });
        graph.MoveTo(producer, reader);
    }

    private static bool SameShape(LoweredValue target, LoopNest nest) => target.Rank == nest.Space.Count && target.Shape.Zip(nest.Space).All(p => p.First.Equals(p.Second.Extent));
}
