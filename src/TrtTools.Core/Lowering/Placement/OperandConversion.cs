using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Gives products and convolutions operands in the type and layout that they compute in, where what they would read is a model's input or keeps another type.</summary>
internal static class OperandConversion
{
    public static void Run(OperationGraph graph, TypeChoice types, HashSet<Storage> channelsLast)
    {
        Dictionary<(Storage, DataType), LoweredValue> made = [];
        foreach (Operation operation in graph.Operations.ToList())
        {
            if (operation.Facts is not (ConvolutionFacts or MatMulFacts)) continue;
            foreach (Storage operand in NestFacts.FactOperands(operation.Facts).Distinct().ToList())
            {
                if (operand.Kind == StorageKind.Weight || operand.Type != DataType.Float32) continue;
                DataType wanted = types.Of(operation);
                Storage source = SourceOf(graph, operand);
                if (source.Kind == StorageKind.Weight) continue;
                bool isOtherLayout = source.Kind == StorageKind.Input && channelsLast.Contains(operand) && operation.Kind == RegionKind.Convolution;
                if (types.Of(graph, source) == wanted && !isOtherLayout) continue;
                if (!made.TryGetValue((operand, wanted), out LoweredValue? converted))
                {
                    LoweredValue value = graph.ValueOf(operand);
                    converted = graph.Scope.Scratch($"{value.Name}.{wanted}", DataType.Float32, value.Shape);
                    Operation cast = new() { Kind = RegionKind.Map, Operators = ["Cast"], Nests = [NodeLowering.Map(converted, index => Ex.Load(value, index))], Precision = wanted };
                    types.Fix(converted.Storage, wanted);
                    if (channelsLast.Contains(operand)) channelsLast.Add(converted.Storage);
                    graph.InsertBefore(cast, operation);
                    made.Add((operand, wanted), converted);
                }
                Redirect(graph, operation, operand, converted);
            }
        }
    }

    /// <summary>What a view looks at.</summary>
    private static Storage SourceOf(OperationGraph graph, Storage storage)
    {
        while (graph.DefinitionOf(storage) is { Result: LoadExpr load } definition && (NestFacts.IsAffineMove(definition) || graph.WritersOf(storage)[0].KeepsOrder)) storage = load.Source.Storage;
        return storage;
    }

    private static void Redirect(OperationGraph graph, Operation operation, Storage from, LoweredValue to)
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
                _ => operation.Facts,
            };
        });
    }
}
