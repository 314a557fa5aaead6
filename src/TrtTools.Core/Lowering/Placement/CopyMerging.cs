using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Copies that go alike from one storage become one: of slices at even distances (the keys and values of all layers out of a cache), and to several places. Maps that fill one value by parts, or stand
/// side by side and do not need each other, become one region.</summary>
internal sealed class CopyMerging
{
    /// <summary>As many copies out of an input are worth it that what they make stands from the first layer to the last.</summary>
    private const int LeastGathered = 4;

    private const int MostJoined = 12;

    private readonly List<Operation> _operations;

    private CopyMerging(List<Operation> operations) => _operations = operations;

    public static void Run(List<Operation> operations)
    {
        CopyMerging merging = new(operations);
        merging.GatherTargets();
        merging.Roll();
        merging.Pair();
        merging.Join();
    }

    /// <summary>A copy as loops: extents, and how far apart elements lie on both sides.</summary>
    private sealed record Copy(Operation Operation, TensorView From, TensorView To)
    {
        public LoopNest Nest => Operation.Nests[0];

        public bool IsAlike(Copy other) => ReferenceEquals(From.Storage, other.From.Storage) && From.Shape.SequenceEqual(other.From.Shape) && From.Strides.SequenceEqual(other.From.Strides) && To.Strides.SequenceEqual(other.To.Strides);
    }

    private static Copy? CopyOf(Operation operation)
    {
        if (!operation.IsMap() || operation.Nests[0] is not { Place: null, Result: LoadExpr load } nest || Views.Compose(load.Source, nest.Space, load.Index) is not { } from) return null;
        List<int> kept = [];
        for (int d = 0; d < nest.Space.Count; d++)
        {
            if (!(nest.Space[d].Extent is { IsConstant: true, Value: 1 })) kept.Add(d);
        }
        // Neighbouring loops that are one on both sides.
        List<(DimExpr Extent, DimExpr From, DimExpr To)> loops = [];
        foreach (int d in kept)
        {
            (DimExpr extent, DimExpr own, DimExpr other) = (nest.Space[d].Extent, from.Strides[d], nest.Target.Strides[d]);
            if (loops.Count > 0 && loops[^1].From.Equals(own * extent) && loops[^1].To.Equals(other * extent)) loops[^1] = (loops[^1].Extent * extent, own, other);
            else loops.Add((extent, own, other));
        }
        DimExpr[] shape = [.. loops.Select(l => l.Extent)];
        return new Copy(operation, new TensorView(from.Storage, shape, [.. loops.Select(l => l.From)], from.Offset), new TensorView(nest.Target.Storage, shape, [.. loops.Select(l => l.To)], nest.Target.Offset));
    }

    private List<Copy> Copies() => [.. _operations.Select(CopyOf).OfType<Copy>()];

    /// <summary>Groups of copies that are alike, in their order; each copy stands in one.</summary>
    private static List<List<Copy>> Alike(IEnumerable<Copy> copies, Func<Copy, Copy, bool> also)
    {
        List<List<Copy>> groups = [];
        foreach (Copy copy in copies)
        {
            if (groups.Find(g => g[0].IsAlike(copy) && also(g[0], copy)) is { } group) group.Add(copy);
            else groups.Add([copy]);
        }
        return groups;
    }

    /// <summary>The even distance of a run of offsets; null where there is none.</summary>
    private static DimExpr? Distance(IReadOnlyList<DimExpr> offsets)
    {
        DimExpr distance = offsets[1] - offsets[0];
        for (int i = 2; i < offsets.Count; i++)
        {
            if (!(offsets[i] - offsets[i - 1]).Equals(distance)) return null;
        }
        return distance;
    }

    /// <summary>Values that are copied out of an input alike become parts of one storage, so that one copy makes them.</summary>
    private void GatherTargets()
    {
        IEnumerable<Copy> copies = Copies().Where(c => c.From.Storage.Kind == StorageKind.Input && c.To.Storage.Kind == StorageKind.Scratch);
        foreach (List<Copy> group in Alike(copies, (a, b) => a.To.Storage.Type == b.To.Storage.Type && a.To.Storage.ElementCount.Equals(b.To.Storage.ElementCount) && a.To.Offset.Equals(b.To.Offset)))
        {
            List<Storage> targets = [.. group.Select(c => c.To.Storage)];
            if (group.Count < LeastGathered || targets.Distinct().Count() != group.Count || Distance([.. group.Select(c => c.From.Offset)]) is null) continue;
            if (_operations.Any(o => o.IsHost && o.InputViews!.Concat(o.OutputViews!).Any(v => targets.Contains(v.Storage)))) continue;
            DimExpr size = targets[0].ElementCount;
            Storage all = new($"{targets[0].Name}.all", StorageKind.Scratch, targets[0].Type, size * group.Count) { Tensors = [.. targets.SelectMany(t => t.Tensors)] };
            Dictionary<Storage, DimExpr> starts = [];
            for (int i = 0; i < targets.Count; i++) starts.Add(targets[i], size * i);
            Rebase(all, starts);
        }
    }

    private void Rebase(Storage all, Dictionary<Storage, DimExpr> starts)
    {
        TensorView Map(TensorView view) => starts.TryGetValue(view.Storage, out DimExpr? start) ? view with { Storage = all, Offset = view.Offset + start } : view;
        foreach (Operation operation in _operations)
        {
            if (operation.IsHost) continue;
            Ex.Rewriter? self = null;
            Ex.Rewriter rewriter = new(e => e is LoadExpr load ? new LoadExpr(Map(load.Source), [.. load.Index.Select(self!.Apply)]) : null);
            self = rewriter;
            for (int i = 0; i < operation.Nests.Count; i++)
            {
                LoopNest nest = operation.Nests[i];
                if (!Storages.ReadBy(nest).Append(nest.Target.Storage).Any(starts.ContainsKey)) continue;
                operation.Nests[i] = nest with { Body = nest.Body is null ? null : rewriter.Apply(nest.Body), Result = rewriter.Apply(nest.Result), Place = nest.Place?.Select(rewriter.Apply).ToArray(), Target = Map(nest.Target) };
            }
            operation.Facts = NestFacts.MapViews(operation.Facts, Map);
        }
    }

    /// <summary>Slices at even distances, to places at even distances.</summary>
    private void Roll()
    {
        foreach (List<Copy> group in Alike(Copies(), (a, b) => ReferenceEquals(a.To.Storage, b.To.Storage)))
        {
            if (group.Count < 2 || !IsReadyFor(group[0], group[^1])) continue;
            if (Distance([.. group.Select(c => c.From.Offset)]) is not { } from || Distance([.. group.Select(c => c.To.Offset)]) is not { } to) continue;
            Copy first = group[0];
            DimExpr[] shape = [group.Count, .. first.From.Shape];
            Axis[] space = NodeLowering.Space(shape);
            TensorView source = new(first.From.Storage, shape, [from, .. first.From.Strides], first.From.Offset), target = new(first.To.Storage, shape, [to, .. first.To.Strides], first.To.Offset);
            Absorb(group, [first.Nest with { Space = space, Result = new LoadExpr(source, Ex.Of(space)), Target = target }]);
        }
    }

    /// <summary>One read for several places.</summary>
    private void Pair()
    {
        List<List<Copy>> groups = [];
        foreach (Copy copy in Copies())
        {
            // Of one place in memory; loops may have been cut otherwise only where they are one.
            if (groups.Find(g => ReferenceEquals(g[0].From.Storage, copy.From.Storage) && g[0].From.Offset.Equals(copy.From.Offset) && g[0].Nest.Space.Select(a => a.Extent).SequenceEqual(copy.Nest.Space.Select(a => a.Extent)) && SameSource(g[0], copy)) is { } group) group.Add(copy);
            else groups.Add([copy]);
        }
        foreach (List<Copy> group in groups.Where(g => g.Count > 1 && IsReadyFor(g[0], g[^1])))
        {
            LoopNest first = group[0].Nest;
            // All over the same loops.
            Absorb(group, [.. group.Select(c => c.Nest with { Space = first.Space, Result = first.Result })]);
        }
    }

    /// <summary>Each map goes to the next one that writes parts of the same value, or stands next to it, unless something between needs it.</summary>
    private void Join()
    {
        for (int i = 0; i < _operations.Count; i++)
        {
            if (!IsMaps(_operations[i])) continue;
            Operation operation = _operations[i];
            HashSet<Storage> written = [.. operation.Nests.Select(n => n.Target.Storage)];
            for (int j = i + 1; j < _operations.Count; j++)
            {
                Operation next = _operations[j];
                if (next.IsHost || next.Nests.SelectMany(Storages.ReadBy).Any(written.Contains)) break;
                if (!IsMaps(next) || (j > i + 1 && !next.Nests.Any(n => written.Contains(n.Target.Storage)))) continue;
                if (next.Nests.Count + operation.Nests.Count > MostJoined) break;
                next.Nests.InsertRange(0, operation.Nests);
                next.Operators.InsertRange(0, operation.Operators);
                next.KeepsOrder = false;
                next.SourceNodes = [.. operation.SourceNodes.Concat(next.SourceNodes).Distinct(StringComparer.Ordinal)];
                _operations.RemoveAt(i--);
                break;
            }
        }
    }

    private static bool IsMaps(Operation operation) =>
        operation is { IsHost: false, Kind: RegionKind.Map, Facts: null, Sequence: null } && operation.Nests.All(n => n is { Body: null, Place: null, ScatterCombine: null } && n.Target.Type.BitSize() >= 8);

    private static bool SameSource(Copy a, Copy b)
    {
        TensorView? x = Source(a), y = Source(b);
        return x is not null && y is not null && x.Strides.SequenceEqual(y.Strides);

        static TensorView? Source(Copy copy) => copy.Nest.Result is LoadExpr load ? Views.Compose(load.Source, copy.Nest.Space, load.Index) : null;
    }

    /// <summary>Whether what the last of a group reads stands already where the first one stands.</summary>
    private bool IsReadyFor(Copy first, Copy last)
    {
        Storage source = first.From.Storage;
        int from = _operations.IndexOf(first.Operation), to = _operations.IndexOf(last.Operation);
        return !_operations.Skip(from).Take(to - from).Any(o => o.IsHost ? o.OutputViews!.Any(v => ReferenceEquals(v.Storage, source)) : o.Nests.Any(n => ReferenceEquals(n.Target.Storage, source)));
    }

    private void Absorb(List<Copy> group, IReadOnlyList<LoopNest> nests)
    {
        Operation first = group[0].Operation;
        first.Nests.Clear();
        first.Nests.AddRange(nests);
        first.KeepsOrder = false;
        first.SourceNodes = [.. group.SelectMany(c => c.Operation.SourceNodes).Distinct(StringComparer.Ordinal)];
        foreach (Copy other in group.Skip(1)) _operations.Remove(other.Operation);
    }
}
