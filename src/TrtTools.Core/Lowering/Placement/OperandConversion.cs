using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Gives products, convolutions and attention operands in the type and layout that they compute in, where what they would read is a model's input or output or keeps another type.</summary>
internal sealed class OperandConversion(OperationGraph graph, TypeChoice types, HashSet<Storage> channelsLast)
{
    private readonly Dictionary<(Storage, DataType), LoweredValue> _copies = [];
    private readonly Dictionary<(Storage, DataType), LoweredValue> _clones = [];

    public void Run()
    {
        foreach (Operation operation in graph.Operations.ToList())
        {
            if (operation.Facts is not (ConvolutionFacts or MatMulFacts or AttentionFacts)) continue;
            DataType wanted = types.Of(operation);
            foreach (Storage operand in OperandsOf(operation).Distinct().ToList())
            {
                if (operand.Kind == StorageKind.Weight || operand.Type != DataType.Float32) continue;
                Storage source = SourceOf(operand);
                if (source.Kind == StorageKind.Weight || operation.Nests.Any(n => ReferenceEquals(n.Target.Storage, source))) continue;
                bool isOtherLayout = source.Kind == StorageKind.Input && channelsLast.Contains(operand) && operation.Kind == RegionKind.Convolution;
                if (types.Of(graph, source) == wanted && !isOtherLayout) continue;
                Redirect(operation, operand, Converted(operand, wanted, operation));
            }
        }
    }

    private static IEnumerable<Storage> OperandsOf(Operation operation) => operation.Facts is not AttentionFacts facts ? NestFacts.FactOperands(operation.Facts)
        : new[] { facts.Query.Storage, facts.Key.Storage, facts.Value.Storage }.Concat(Ex.Loads(operation.Nests[0].Body).Concat(Ex.Loads(operation.Nests[^1].Body)).Select(l => l.Source.Storage));

    /// <summary>The operation that makes a value a view of another; null when it is no view.</summary>
    private Operation? ViewMaker(Storage storage) =>
        graph.DefinitionOf(storage) is { Result: LoadExpr } definition && graph.WritersOf(storage)[0] is { } writer && (NestFacts.IsAffineMove(definition) || writer.KeepsOrder) ? writer : null;

    /// <summary>What a view looks at.</summary>
    private Storage SourceOf(Storage storage)
    {
        while (ViewMaker(storage) is { } maker) storage = ((LoadExpr)maker.Nests[0].Result).Source.Storage;
        return storage;
    }

    /// <summary>The same view of a converted copy of what it looks at.</summary>
    private LoweredValue Converted(Storage operand, DataType wanted, Operation before)
    {
        if (ViewMaker(operand) is not { } maker) return Copy(operand, wanted, before);
        if (_clones.TryGetValue((operand, wanted), out LoweredValue? known)) return known;
        LoadExpr load = (LoadExpr)maker.Nests[0].Result;
        LoweredValue source = Converted(load.Source.Storage, wanted, before), own = graph.ValueOf(operand), clone = graph.Scope.Scratch(own.Name, own.Type, own.Shape);
        types.Fix(clone.Storage, wanted);
        if (channelsLast.Contains(operand)) channelsLast.Add(clone.Storage);
        LoopNest nest = maker.Nests[0] with { Target = clone.View, Result = new LoadExpr(source.View, load.Index) };
        graph.InsertBefore(new Operation { Kind = RegionKind.Map, Operators = [.. maker.Operators], Nests = [nest], KeepsOrder = maker.KeepsOrder }, before);
        return _clones[(operand, wanted)] = clone;
    }

    private LoweredValue Copy(Storage source, DataType wanted, Operation before)
    {
        if (_copies.TryGetValue((source, wanted), out LoweredValue? known)) return known;
        LoweredValue value = graph.ValueOf(source), copy = graph.Scope.Scratch($"{value.Name}.{wanted}", DataType.Float32, value.Shape);
        types.Fix(copy.Storage, wanted);
        types.Copies.Add(copy.Storage);
        if (value.Rank == 4 && channelsLast.Contains(source)) channelsLast.Add(copy.Storage);
        graph.InsertBefore(new Operation { Kind = RegionKind.Map, Operators = ["Cast"], Nests = [NodeLowering.Map(copy, index => Ex.Load(value, index))], Precision = wanted }, before);
        return _copies[(source, wanted)] = copy;
    }

    private void Redirect(Operation operation, Storage from, LoweredValue to)
    {
        TensorView Map(TensorView view) => ReferenceEquals(view.Storage, from) ? to.View : view;
        graph.Change(operation, () =>
        {
            Expr? Replace(Expr e) => e is LoadExpr load && ReferenceEquals(load.Source.Storage, from) ? new LoadExpr(to.View, load.Index) : null;
            for (int i = 0; i < operation.Nests.Count; i++)
            {
                // The epilogue may go on reading what it read; only the product's operands change.
                LoopNest nest = operation.Nests[i];
                operation.Nests[i] = nest with { Body = nest.Body is null ? null : Ex.Rewrite(nest.Body, Replace) };
            }
            operation.Facts = operation.Facts switch
            {
                ConvolutionFacts f => f with { Input = Map(f.Input), Weight = Map(f.Weight) },
                MatMulFacts f => f with { A = Map(f.A), B = Map(f.B) },
                AttentionFacts f => f with { Query = Map(f.Query), Key = Map(f.Key), Value = Map(f.Value) },
                _ => operation.Facts,
            };
        });
    }
}
