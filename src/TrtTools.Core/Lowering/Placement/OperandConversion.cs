using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Gives products, convolutions and attention operands in the type and layout that they compute in, where what they would read is a model's input or output or keeps another type.</summary>
internal sealed class OperandConversion(OperationGraph graph, TypeChoice types, HashSet<Storage> channelsLast)
{
    private const long MostImageChannels = 4, LargestImageFilter = 64;

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
                if (ReadsImage(operation, operand, wanted)) continue;
                bool isOtherLayout = source.Kind == StorageKind.Input && channelsLast.Contains(operand) && operation.Kind == RegionKind.Convolution;
                if (types.Of(graph, source) == wanted && !isOtherLayout) continue;
                Redirect(operation, operand, Converted(operand, wanted, operation));
            }
        }
    }

    /// <summary>Whether a convolution takes an image of few channels as it comes: it reads each number often enough to convert it by the way, and a copy would cost more than the convolution.</summary>
    private static bool ReadsImage(Operation operation, Storage operand, DataType wanted) =>
        operand.Kind == StorageKind.Input && wanted is (DataType.Float16 or DataType.BFloat16)
        && operation.Facts is ConvolutionFacts { Group: 1, Input.Rank: 4, Weight: { Shape: [_, { IsConstant: true, Value: <= MostImageChannels }, { IsConstant: true, Value: var height }, { IsConstant: true, Value: var width }] } } facts
        && height * width is > 1 and <= LargestImageFilter && facts.Dilations.All(d => d == 1) && ReferenceEquals(facts.Input.Storage, operand) && operation.Nests.Count == 1;

    private static IEnumerable<Storage> OperandsOf(Operation operation) => operation.Facts is not AttentionFacts facts ? NestFacts.FactOperands(operation.Facts)
        : new[] { facts.Query.Storage, facts.Key.Storage, facts.Value.Storage }.Concat(Ex.Loads(operation.Nests[0].Body).Concat(Ex.Loads(operation.Nests[^1].Body)).Select(l => l.Source.Storage));

    /// <summary>The operation that makes a value a view of another; null when it is no view.</summary>
    private Operation? ViewMaker(Storage storage) =>
        graph.DefinitionOf(storage) is { Result: LoadExpr load } definition && graph.WritersOf(storage)[0] is { } writer && (writer.KeepsOrder ? !IsCopy(load.Source, definition.Target) : NestFacts.IsAffineMove(definition)) ? writer : null;

    /// <summary>Whether a reshape has to move what it reshapes: axes that a transpose of an input has put apart become one. It may then convert on the way.</summary>
    private bool IsCopy(TensorView source, TensorView target) => ViewOfInput(source.Storage) is { } view && Views.Reshape(view, target.Shape) is null;

    /// <summary>A view of an input as it will stand; null for anything else.</summary>
    private TensorView? ViewOfInput(Storage storage)
    {
        if (storage.Kind == StorageKind.Input) return graph.ValueOf(storage).View;
        if (graph.DefinitionOf(storage) is not { Result: LoadExpr load } definition || ViewOfInput(load.Source.Storage) is not { } view) return null;
        return graph.WritersOf(storage)[0].KeepsOrder ? Views.Reshape(view, definition.Target.Shape) : NestFacts.IsAffineMove(definition) ? Views.Compose(view, definition.Space, load.Index) : null;
    }

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
