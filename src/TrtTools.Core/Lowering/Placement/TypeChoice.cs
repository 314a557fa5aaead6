using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>What values are stored as.</summary>
internal sealed class TypeChoice(LoweringOptions options)
{
    private HashSet<Storage>? _feedsProducts;

    private const long FewElements = 8;

    private readonly Dictionary<Storage, DataType> _fixed = [];

    /// <summary>Values that are there to stand apart from what they copy: never views.</summary>
    public HashSet<Storage> Copies { get; } = [];

    public void Fix(Storage storage, DataType type) => _fixed[storage] = type;

    /// <summary>What a layer's float results are stored as.</summary>
    public DataType Of(Operation operation) => operation.Precision ?? options.FloatStorage;

    /// <summary>What a value, not a weight, is stored as.</summary>
    public DataType Of(OperationGraph graph, Storage storage)
    {
        if (_fixed.TryGetValue(storage, out DataType known)) return known;
        if (storage.Type != DataType.Float32 || storage.Kind != StorageKind.Scratch || graph.ValueOf(storage).KeepsType) return storage.Type;
        // The host takes and gives what the model says.
        if (graph.ReadersOf(storage).Concat(graph.WritersOf(storage)).Any(o => o.IsHost)) return storage.Type;
        if (storage.ElementCount is { IsConstant: true, Value: <= FewElements }) return storage.Type;
        // Narrow numbers are for products to read; what only outputs depend on loses by them and gains nothing.
        _feedsProducts ??= FeedsProducts(graph);
        if (options.FloatStorage != DataType.Float32 && !_feedsProducts.Contains(storage)) return storage.Type;
        // Parts of one Concat have one type: float as soon as one wants it.
        IEnumerable<DataType> wanted = graph.WritersOf(storage).Where(w => !w.IsHost).Select(Of).Distinct();
        return wanted.Contains(DataType.Float32) ? DataType.Float32 : wanted.DefaultIfEmpty(options.FloatStorage).First();
    }

    private static HashSet<Storage> FeedsProducts(OperationGraph graph)
    {
        HashSet<Storage> feeding = [];
        foreach (Operation operation in graph.Operations.Reverse())
        {
            if (operation.Facts is ConvolutionFacts or MatMulFacts) feeding.UnionWith(NestFacts.FactOperands(operation.Facts));
            if (operation.Kind is RegionKind.Attention || HostNodes.Writes(operation).Any(feeding.Contains)) feeding.UnionWith(HostNodes.Reads(operation));
        }
        return feeding;
    }

    /// <summary>What a float weight is stored as: the type of the products, rows and lookups that read it, when it survives that.</summary>
    public DataType OfWeight(OperationGraph graph, Storage weight)
    {
        if (weight.Type != DataType.Float32 || weight.ElementCount is { IsConstant: true, Value: <= 1 }) return weight.Type;
        HashSet<DataType> wanted = [];
        bool isOperand = false, readsOtherwise = false;
        foreach ((Operation reader, Storage read) in ReadersThroughViews(graph, weight))
        {
            bool multiplies = reader.Facts is ConvolutionFacts or MatMulFacts && NestFacts.FactOperands(reader.Facts).Contains(read);
            isOperand |= multiplies;
            // Scales and shifts of integer sums are as exact as the sums.
            if (reader.Kind is RegionKind.Convolution or RegionKind.MatMul && reader.Nests[0].Body?.Type == ScalarType.Int64) return weight.Type;
            // What is stored in integers was computed in float.
            if (!multiplies && !reader.IsHost && !Of(graph, reader.Nests[^1].Target.Storage).IsFloatingPoint()) return weight.Type;
            if (reader.Facts is ConvolutionFacts or MatMulFacts or RowFacts || IsLookup(reader, weight)) wanted.Add(multiplies ? Of(reader) : Of(graph, reader.Nests[^1].Target.Storage));
            else readsOtherwise = true;
        }
        if (wanted.Count != 1 || (readsOtherwise && !isOperand)) return weight.Type;
        DataType type = wanted.First();
        return type != weight.Type && WeightLayout.Fits(weight.Data!, type) ? type : weight.Type;
    }

    private static IEnumerable<(Operation Reader, Storage Read)> ReadersThroughViews(OperationGraph graph, Storage storage)
    {
        foreach (Operation reader in graph.ReadersOf(storage))
        {
            if (reader.IsMap() && (reader.KeepsOrder || NestFacts.IsAffineMove(reader.Nests[0])) && reader.Nests[0].Target.Storage.Kind == StorageKind.Scratch)
            {
                foreach ((Operation, Storage) further in ReadersThroughViews(graph, reader.Nests[0].Target.Storage)) yield return further;
            }
            else
            {
                yield return (reader, storage);
            }
        }
    }

    private static bool IsLookup(Operation reader, Storage weight) => !reader.IsHost && reader.Nests.All(n => Ex.Loads(n.Result).Where(l => ReferenceEquals(l.Source.Storage, weight)).All(l => l.Source.Rank > 1 && l.Index.Any(i => Ex.Loads(i).Any())));
}
