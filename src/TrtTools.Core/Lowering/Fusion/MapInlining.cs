using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Computes maps where they are read, when that costs no more than to store and load what they give.</summary>
internal static class MapInlining
{
    private const int Cheap = 4;
    private const int LargestExpression = 400;

    /// <summary>Views into maps, then maps into maps.</summary>
    public static void IntoMaps(OperationGraph graph)
    {
        foreach (Operation operation in graph.Operations) SeeThrough(graph, operation);
        foreach (Operation operation in graph.Operations.Reverse().ToList())
        {
            if (operation.IsMap() && operation.Nests[0].Target.Storage.Kind == StorageKind.Scratch) RemoveUnread(graph, operation);
        }
        foreach (Operation operation in graph.Operations.ToList())
        {
            if (!operation.IsMap() || graph.DefinitionOf(operation.Nests[0].Target.Storage) is not { } definition || !NestFacts.IsAffineMove(definition)) continue;
            foreach (Operation reader in graph.ReadersOf(definition.Target.Storage).ToList())
            {
                if (reader.IsMap() && !reader.KeepsOrder) Inline(graph, operation, definition, reader, names: false);
            }
            RemoveUnread(graph, operation);
        }
        foreach (Operation operation in graph.Operations.ToList())
        {
            if (!operation.IsMap() || operation.KeepsOrder || graph.DefinitionOf(operation.Nests[0].Target.Storage) is not { } definition || NestFacts.IsAffineMove(definition)) continue;
            List<Operation> readers = [.. graph.ReadersOf(definition.Target.Storage)];
            if (!ShouldInline(graph, definition, readers)) continue;
            foreach (Operation reader in readers) Inline(graph, operation, definition, reader, names: true);
            RemoveUnread(graph, operation);
        }
    }

    /// <summary>Lets a map read what a chain of moves looks at, where a reshape in it alone is no view but the chain is one.</summary>
    private static void SeeThrough(OperationGraph graph, Operation operation)
    {
        if (!operation.IsMap() || operation.KeepsOrder) return;
        LoopNest nest = operation.Nests[0];
        Dictionary<LoadExpr, LoadExpr> found = new(ReferenceEqualityComparer.Instance);
        foreach (LoadExpr load in Ex.Loads(nest.Result))
        {
            if (FarSource(graph, nest, load) is { } far) found.Add(load, far);
        }
        if (found.Count > 0) graph.Change(operation, () => operation.Nests[0] = nest with { Result = Ex.Rewrite(nest.Result, e => e is LoadExpr load ? found.GetValueOrDefault(load) : null) });
    }

    /// <summary>The load behind reshapes and at least one transpose between them; null where there is none at an even distance.</summary>
    private static LoadExpr? FarSource(OperationGraph graph, LoopNest nest, LoadExpr load)
    {
        LoadExpr? best = null;
        LoadExpr at = load;
        bool reshapes = false, turns = false;
        while (graph.DefinitionOf(at.Source.Storage) is { Result: LoadExpr inner } definition)
        {
            if (graph.WritersOf(at.Source.Storage)[0].KeepsOrder) reshapes = true;
            else turns |= reshapes;
            at = new LoadExpr(inner.Source, [.. inner.Index.Select(i => Index.Simplify(NestFacts.Substitute(i, definition.Space, at.Index)))]);
            if (turns && at.Index.All(i => NestFacts.IsAffine(i, nest.Space))) best = at;
        }
        return best;
    }

    /// <summary>Cheap maps into pools, reductions and rows, which would read them once or a few times.</summary>
    public static void IntoReductions(OperationGraph graph)
    {
        foreach (Operation operation in graph.Operations.ToList())
        {
            if (!operation.IsMap() || operation.KeepsOrder || graph.DefinitionOf(operation.Nests[0].Target.Storage) is not { } definition || NestFacts.IsAffineMove(definition)) continue;
            Storage storage = definition.Target.Storage;
            if (graph.ReadersOf(storage) is not [{ } reader] || reader.IsHost) continue;
            bool isRead = reader.Kind is RegionKind.Reduce or RegionKind.Pool or RegionKind.Row;
            int times = reader.Nests.Count(n => NestFacts.Loads(n.Body, storage) || NestFacts.Loads(n.Result, storage));
            if (!isRead || NestFacts.Cost(definition.Result) > (times > 1 ? Cheap : 2 * Cheap)) continue;
            if (reader.Kind == RegionKind.Pool && NestFacts.Cost(definition.Result) > 1) continue;
            // Integers are read again and again more cheaply than floats are written.
            if (!NestFacts.IsDequantizing(definition) && reader.Nests.Any(n => NestFacts.Loads(n.Body, storage) && NestFacts.Volume(n.Space.Concat(n.Reduced)) > 1.5 * NestFacts.Volume(definition.Space))) continue;
            Inline(graph, operation, definition, reader, names: true);
            // A row's input that is computed on the fly has no view.
            if (reader.Facts is RowFacts row && ReferenceEquals(row.Input.Storage, storage)) reader.Facts = null;
            RemoveUnread(graph, operation);
        }
    }

    private static bool ShouldInline(OperationGraph graph, LoopNest definition, List<Operation> readers)
    {
        Storage storage = definition.Target.Storage;
        if (readers.Count == 0 || readers.Any(r => !r.IsMap() || r.KeepsOrder)) return false;
        if (readers.Any(r => Ex.Parts(r.Nests[0].Result).Count + Ex.Parts(definition.Result).Count > LargestExpression)) return false;
        int cost = NestFacts.Cost(definition.Result);
        bool readsMemory = Ex.Loads(definition.Result).Any(l => l.Source.Storage.Kind != StorageKind.Weight);
        if (!readsMemory && cost <= Cheap) return true;
        // What the layer before can compute as it writes should not move behind a reader that it can't take along.
        bool quantizes = NestFacts.IsQuantized(definition.Target.Type) && definition.Result is ConvertExpr { Saturates: true };
        if (EpilogueFusion.CanBeAbsorbed(graph, definition) && (quantizes || readers.Any(r => !EpilogueFusion.ReadsInPlace(r.Nests[0], graph.ValueOf(storage))))) return false;
        if (readers.Count > 1)
        {
            return cost <= 1 && !EpilogueFusion.CanBeAbsorbed(graph, definition) && Ex.Loads(definition.Result).Select(l => l.Source.Storage).Distinct().Count() == 1;
        }
        double times = NestFacts.Volume(readers[0].Nests[0].Space) / Math.Max(1, NestFacts.Volume(definition.Space));
        return cost == 0 || times <= 1.5 || (cost <= Cheap && Ex.Loads(definition.Result).Count() <= 1);
    }

    private static void Inline(OperationGraph graph, Operation operation, LoopNest definition, Operation reader, bool names)
    {
        graph.Change(reader, () =>
        {
            for (int i = 0; i < reader.Nests.Count; i++) reader.Nests[i] = NestFacts.Inline(reader.Nests[i], definition.Target.Storage, definition);
            if (!names) return;
            reader.Operators.InsertRange(0, operation.Operators);
            reader.SourceNodes = [.. operation.SourceNodes.Concat(reader.SourceNodes).Distinct(StringComparer.Ordinal)];
            reader.Precision ??= operation.Precision;
        });
    }

    private static void RemoveUnread(OperationGraph graph, Operation operation)
    {
        if (graph.ReadersOf(operation.Nests[0].Target.Storage).Count == 0) graph.Remove(operation);
    }
}
