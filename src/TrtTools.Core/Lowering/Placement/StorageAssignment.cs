using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Decides where each value stands: as a view of another, as a part of what it is concatenated to, or in a storage of its own, in some order of axes and some type.</summary>
internal sealed class StorageAssignment
{
    private static readonly int[] LastOrder = [0, 2, 3, 1];

    private readonly OperationGraph _graph;
    private readonly LoweringOptions _options;
    private readonly TypeChoice _types;
    private readonly HashSet<Storage> _channelsLast;
    private readonly Dictionary<Storage, TensorView> _views = [];
    private readonly Dictionary<Storage, (LoopNest Copy, bool KeepsOrder)> _aliases = [];
    private readonly HashSet<Operation> _gone = [];
    private readonly HashSet<Storage> _resolving = [];

    private StorageAssignment(OperationGraph graph)
    {
        _graph = graph;
        _options = graph.Scope.Options;
        _types = new TypeChoice(_options);
        _channelsLast = _options.ChannelsLast ? LayoutChoice.ChannelsLast(graph) : [];
    }

    public static void Run(LoweringScope scope) => new StorageAssignment(new OperationGraph(scope)).Run();

    private void Run()
    {
        new OperandConversion(_graph, _types, _channelsLast).Run();
        PartFusion.DistributeConversions(_graph, storage => _types.Of(_graph, storage));
        foreach (Operation operation in _graph.Operations) FindAlias(operation);
        foreach (Operation operation in _graph.Operations)
        {
            if (operation.IsHost) continue;
            foreach (Storage storage in operation.Nests.Select(n => n.Target.Storage)) ViewOf(storage);
        }
        _graph.Scope.Operations.RemoveAll(_gone.Contains);
        foreach (Operation operation in _graph.Scope.Operations) Rewrite(operation);
        RemoveUnread();
        CopyMerging.Run(_graph.Scope.Operations);
    }

    /// <summary>Moves that all readers see through.</summary>
    private void RemoveUnread()
    {
        List<Operation> operations = _graph.Scope.Operations;
        HashSet<Storage> read = [];
        for (int i = operations.Count - 1; i >= 0; i--)
        {
            Operation operation = operations[i];
            if (operation.IsMap() && operation.Nests[0].Target.Storage is { Kind: StorageKind.Scratch } target && !read.Contains(target)) operations.RemoveAt(i);
            else if (operation.IsHost) read.UnionWith(operation.InputViews!.Select(v => v.Storage));
            else read.UnionWith(operation.Nests.SelectMany(Storages.ReadBy));
        }
    }

    /// <summary>A copy of a whole value to a part of another: what computes the value can write it there.</summary>
    private void FindAlias(Operation operation)
    {
        if (!operation.IsMap() || operation.Nests[0] is not { Result: LoadExpr load } copy) return;
        if (!IsWhole(copy, load)) return;
        Storage source = load.Source.Storage, target = copy.Target.Storage;
        bool keepsOrder = !load.Source.Shape.SequenceEqual(copy.Space.Select(a => a.Extent));
        // What a move makes of all of a value is a view of that.
        if (copy.Place is null && target.Kind == StorageKind.Scratch) return;
        // Through reshapes to what is written. Into a part of something only such that every part of it has that shape too: axes that were merged.
        while (_graph.WritersOf(source) is [{ KeepsOrder: true } reshape] && reshape.Nests[0] is { Result: LoadExpr inner, Place: null } && inner.Source.Storage.Kind == StorageKind.Scratch)
        {
            if (copy.Place is not null && !MergesAxes(inner.Source.Shape, load.Source.Shape)) return;
            (source, keepsOrder) = (inner.Source.Storage, true);
        }
        if (source.Kind != StorageKind.Scratch || _aliases.ContainsKey(source) || _graph.WritersOf(source).Any(w => w.IsHost) || !copy.Place.IsAffineIn(copy.Space)) return;
        if (_graph.WritersOf(source) is [{ } writer] && writer.IsMap() && (writer.KeepsOrder || NestFacts.IsAffineMove(writer.Nests[0]))) return;
        if (_types.Of(_graph, source) != _types.Of(_graph, target) || _channelsLast.Contains(source) != IsLast(target)) return;
        // Nothing may stand in the target before the value's writers, which is so unless they read it.
        if (_graph.WritersOf(source).Any(w => HostNodes.Reads(w).Contains(target)) || LeadsTo(target, source)) return;
        if (_graph.ReadersOf(source).Any(r => r.IsHost) && copy.Place is not null) return;
        _aliases.Add(source, (copy, keepsOrder));
        _gone.Add(operation);
    }

    /// <summary>Whether a copy goes over all of a value, axis by axis; axes of extent 1 may have come or gone. The rest of a larger value would stand on its neighbours.</summary>
    private static bool IsWhole(LoopNest copy, LoadExpr load)
    {
        List<Axis> loops = [.. copy.Space.Where(a => a.Extent is not { IsConstant: true, Value: 1 })];
        int next = 0;
        for (int d = 0; d < load.Index.Count; d++)
        {
            if (load.Source.Shape[d] is { IsConstant: true, Value: 1 }) continue;
            if (next == loops.Count || load.Index[d] is not AxisExpr { Axis: { } axis } || axis != loops[next] || !axis.Extent.Equals(load.Source.Shape[d])) return false;
            next++;
        }
        return next == loops.Count;
    }

    private static bool MergesAxes(IReadOnlyList<DimExpr> from, IReadOnlyList<DimExpr> to) =>
        ReshapeGroups.Of(from, to).All(g => Enumerable.Range(g.To.Start.Value, g.To.End.Value - g.To.Start.Value).Count(d => to[d] is not { IsConstant: true, Value: 1 }) <= 1);

    private bool IsLast(Storage target) => target.Kind == StorageKind.Scratch && _channelsLast.Contains(target);

    private bool LeadsTo(Storage from, Storage to)
    {
        for (Storage at = from; ; at = _aliases[at].Copy.Target.Storage)
        {
            if (ReferenceEquals(at, to)) return true;
            if (!_aliases.ContainsKey(at)) return false;
        }
    }

    private TensorView ViewOf(Storage storage)
    {
        if (_views.TryGetValue(storage, out TensorView? known)) return known;
        LoweredValue value = _graph.ValueOf(storage);
        if (!_resolving.Add(storage)) throw new InvalidOperationException($"{storage} stands in itself.");
        TensorView view = storage.Kind switch
        {
            StorageKind.Weight => Weight(value),
            StorageKind.Scratch => AsAlias(value) ?? AsView(value) ?? Own(value),
            _ => value.View,
        };
        _resolving.Remove(storage);
        return _views[storage] = view;
    }

    private TensorView? AsAlias(LoweredValue value)
    {
        if (!_aliases.TryGetValue(value.Storage, out (LoopNest Copy, bool KeepsOrder) alias)) return null;
        TensorView target = ViewOf(alias.Copy.Target.Storage);
        TensorView part = alias.Copy.Place is null ? target : Views.Compose(target, alias.Copy.Space, alias.Copy.Place)!;
        return !alias.KeepsOrder ? part with { Shape = value.Shape } : Views.Reshape(part, value.Shape) ?? throw new InvalidOperationException($"{value} does not fit into {part}.");
    }

    private TensorView? AsView(LoweredValue value)
    {
        if (_graph.WritersOf(value.Storage) is not [{ } writer] || !writer.IsMap() || writer.Nests[0] is not { Place: null, Result: LoadExpr load } nest) return null;
        bool isAffine = NestFacts.IsAffineMove(nest);
        if (_types.Copies.Contains(value.Storage)) return null;
        TensorView? view = AsFarView(nest, load);
        if (view is null && !isAffine && !writer.KeepsOrder) return null;
        view ??= isAffine ? Views.Compose(ViewOf(load.Source.Storage), nest.Space, load.Index) : Views.Reshape(ViewOf(load.Source.Storage), value.Shape);
        if (view is null || (_graph.ReadersOf(value.Storage).Any(r => r.IsHost) && (!Views.IsDense(view) || view.Type != value.Type))) return null;
        _gone.Add(writer);
        return view;
    }

    /// <summary>What a chain of moves looks at, where their indices together are even though one alone is not: a reshape that another undoes behind a transpose. Null where the next value is as good.</summary>
    private TensorView? AsFarView(LoopNest nest, LoadExpr load)
    {
        LoadExpr? best = null;
        LoadExpr at = load;
        while (!_types.Copies.Contains(at.Source.Storage) && _graph.DefinitionOf(at.Source.Storage) is { Result: LoadExpr inner } definition)
        {
            at = new LoadExpr(inner.Source, [.. inner.Index.Select(i => Index.Simplify(NestFacts.Substitute(i, definition.Space, at.Index)))]);
            if (at.Index.All(i => NestFacts.IsAffine(i, nest.Space))) best = at;
        }
        return best is null ? null : Views.Compose(ViewOf(best.Source.Storage), nest.Space, best.Index);
    }

    private TensorView Own(LoweredValue value)
    {
        Storage storage = new(value.Name, StorageKind.Scratch, _types.Of(_graph, value.Storage), value.Storage.ElementCount) { Tensors = value.Storage.Tensors };
        return TensorView.Dense(storage, value.Shape, _channelsLast.Contains(value.Storage) && !_graph.ReadersOf(value.Storage).Any(r => r.IsHost) && !_graph.WritersOf(value.Storage).Any(w => w.IsHost) ? LastOrder : null);
    }

    private TensorView Weight(LoweredValue value)
    {
        DataType type = _types.OfWeight(_graph, value.Storage);
        bool isPacked = _options.ChannelsLast && value.Rank == 4 && _graph.ReadersOf(value.Storage) is { Count: > 0 } readers && readers.All(r => r.Facts is ConvolutionFacts f && ReferenceEquals(f.Weight.Storage, value.Storage));
        if (type == value.Type && !isPacked) return value.View;
        TensorData data = type == value.Type ? value.Data! : WeightLayout.Convert(value.Data!, type);
        if (isPacked) data = WeightLayout.Reorder(data, LastOrder);
        Storage storage = new(value.Name, StorageKind.Weight, type, value.Storage.ElementCount) { Data = data, Tensors = value.Storage.Tensors };
        return TensorView.Dense(storage, value.Shape, isPacked ? LastOrder : null);
    }

    /// <summary>A copy that only reshapes goes over the source's axes: strides instead of divisions.</summary>
    private LoopNest? InSourceShape(LoopNest nest, TensorView target)
    {
        if (nest is not { Place: null, Result: LoadExpr load }) return null;
        TensorView source = ViewOf(load.Source.Storage);
        if (Views.Reshape(target, source.Shape) is not { } part) return null;
        Axis[] space = NodeLowering.Space(source.Shape);
        return nest with { Space = space, Result = new LoadExpr(source, Ex.Of(space)), Target = part };
    }

    private void Rewrite(Operation operation)
    {
        if (operation.IsHost)
        {
            operation.InputViews = [.. operation.HostInputs.Select(i => ViewOf(i.Lowered.Storage))];
            operation.OutputViews = [.. operation.HostOutputs.Select(o => ViewOf(o.Lowered.Storage))];
            return;
        }
        Ex.Rewriter? self = null;
        Ex.Rewriter rewriter = new(e => e is LoadExpr load ? new LoadExpr(ViewOf(load.Source.Storage), [.. load.Index.Select(self!.Apply)]) : null);
        self = rewriter;
        for (int i = 0; i < operation.Nests.Count; i++)
        {
            LoopNest nest = operation.Nests[i];
            TensorView target = ViewOf(nest.Target.Storage);
            // Of what several write, or write piece by piece, no one has the whole.
            if (nest is { Place: null, Target.Storage.Tensors.Count: > 0 } && _graph.WritersOf(nest.Target.Storage) is [_]) operation.Values.Add(new LayerValue(nest.Target.Storage.Tensors, target));
            if (operation.KeepsOrder && InSourceShape(nest, target) is { } copy)
            {
                operation.Nests[i] = copy;
                continue;
            }
            IReadOnlyList<Expr>? place = nest.Place?.Select(rewriter.Apply).ToArray();
            if (place is not null && nest.ScatterCombine is null && Views.Compose(target, nest.Space, place) is { } part) (target, place) = (part, null);
            operation.Nests[i] = nest with { Body = nest.Body is null ? null : rewriter.Apply(nest.Body), Result = rewriter.Apply(nest.Result), Place = place, Target = target };
        }
        operation.Facts = operation.Facts switch
        {
            ConvolutionFacts f => f with { Input = ViewOf(f.Input.Storage), Weight = ViewOf(f.Weight.Storage) },
            MatMulFacts f => f with { A = ViewOf(f.A.Storage), B = ViewOf(f.B.Storage) },
            RowFacts f => f with { Input = ViewOf(f.Input.Storage) },
            AttentionFacts f => f with { Query = ViewOf(f.Query.Storage), Key = ViewOf(f.Key.Storage), Value = ViewOf(f.Value.Storage), Mask = f.Mask is null ? null : ViewOf(f.Mask.Storage), Output = operation.Nests[^1].Target },
            _ => operation.Facts,
        };
    }
}
