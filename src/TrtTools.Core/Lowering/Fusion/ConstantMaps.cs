using TrtTools.Lowering.Reference;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Computes what depends on weights alone, once and for all.</summary>
internal static class ConstantMaps
{
    private const long MostElements = 1L << 27;

    private static readonly Dictionary<string, long> s_noSymbols = [];

    public static void Run(OperationGraph graph, CancellationToken stop)
    {
        Dictionary<Storage, LoweredValue> made = [];
        foreach (Operation operation in graph.Operations.ToList())
        {
            stop.ThrowIfCancellationRequested();
            if (!operation.IsMap() || operation.Nests[0] is not { Place: null, Target.Storage: { Kind: StorageKind.Scratch, ElementCount: { IsConstant: true, Value: > 0 and <= MostElements } } storage } nest) continue;
            // A view of a weight is no work; a number for all is better computed than read.
            List<Storage> read = [.. Storages.ReadBy(nest)];
            if (read.Count == 0 || read.Any(s => s.Kind != StorageKind.Weight) || NestFacts.IsAffineMove(nest) || operation.KeepsOrder) continue;
            if (nest.Space.Any(a => !a.Extent.IsConstant) || Ex.Parts(nest.Result).OfType<ExtentExpr>().Any()) continue;
            // What spreads a small table over a large tensor is smaller as it is.
            if (storage.ElementCount.Value > 4 * read.Sum(s => s.ElementCount.Value) + 4096) continue;
            if (graph.WritersOf(storage).Count != 1) continue;
            ReferenceMemory memory = new();
            foreach (Storage weight in read) memory.Write(weight, weight.Data!);
            memory.Reserve(storage, storage.ElementCount.Value);
            NestCompiler.Compile(nest, s_noSymbols)(memory);
            LoweredValue constant = graph.Scope.Constant(graph.ValueOf(storage).Name, memory.ToTensor(nest.Target, s_noSymbols), storage.Tensors);
            Replace(graph, storage, constant);
            if (graph.ReadersOf(storage).Count == 0) graph.Remove(operation);
        }
    }

    private static void Replace(OperationGraph graph, Storage storage, LoweredValue constant)
    {
        foreach (Operation reader in graph.ReadersOf(storage).ToList())
        {
            if (reader.IsHost) continue;
            graph.Change(reader, () =>
            {
                Ex.Rewriter? self = null;
                Ex.Rewriter rewriter = new(e => e is LoadExpr load && ReferenceEquals(load.Source.Storage, storage) ? NodeLowering.LoadAt(constant, [.. load.Index.Select(self!.Apply)]) : null);
                self = rewriter;
                for (int i = 0; i < reader.Nests.Count; i++)
                {
                    LoopNest nest = reader.Nests[i];
                    reader.Nests[i] = nest with { Body = nest.Body is null ? null : rewriter.Apply(nest.Body), Result = rewriter.Apply(nest.Result), Place = nest.Place?.Select(rewriter.Apply).ToArray() };
                }
                TensorView Map(TensorView view) => ReferenceEquals(view.Storage, storage) ? constant.View : view;
                reader.Facts = reader.Facts switch
                {
                    ConvolutionFacts f => f with { Input = Map(f.Input), Weight = Map(f.Weight) },
                    MatMulFacts f => f with { A = Map(f.A), B = Map(f.B) },
                    RowFacts f => f with { Input = Map(f.Input) },
                    _ => reader.Facts,
                };
            });
        }
    }
}
