using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Lowering.Reference;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Nests with inputs, and what the Reference device makes of them: one check of the generator.</summary>
internal sealed class KernelCase
{
    private readonly List<(Storage Storage, TensorData Data)> _inputs = [];

    public KernelCase(string name) => Name = name;

    public string Name { get; }

    public List<LoopNest> Nests { get; } = [];

    public RegionKind Kind { get; set; } = RegionKind.Nests;

    /// <summary>What is compared.</summary>
    public TensorView Output { get; set; } = null!;

    /// <summary>Symbols of dynamic extents with their values.</summary>
    public SortedDictionary<string, long> Symbols { get; } = new(StringComparer.Ordinal);

    /// <summary>Largest error allowed, of the largest magnitude in the output (and of each value, for what is large).</summary>
    public double Tolerance { get; set; } = 1e-5;

    public IReadOnlyList<(Storage Storage, TensorData Data)> Inputs => _inputs;

    public Storage Input(string name, TensorData data)
    {
        Storage storage = new(name, StorageKind.Input, data.Type, data.ElementCount) { Binding = _inputs.Count };
        _inputs.Add((storage, data));
        return storage;
    }

    /// <summary>An input whose size the kernel knows only as an expression.</summary>
    public Storage Input(string name, TensorData data, DimExpr count)
    {
        Storage storage = new(name, StorageKind.Input, data.Type, count) { Binding = _inputs.Count };
        _inputs.Add((storage, data));
        return storage;
    }

    public Region Region => new() { Name = Name, Kind = Kind, Operators = Name, Nests = Nests };

    public IReadOnlyList<KernelLaunch> Launches(GeneratorOptions? options = null) => NestGenerator.Generate(Region, options);

    /// <summary>The output by the Reference device, dense.</summary>
    public TensorData Expected()
    {
        List<TensorView> inputs = [.. _inputs.Select(i => TensorView.Dense(i.Storage, [i.Data.ElementCount]))];
        Dictionary<string, TensorData> data = _inputs.ToDictionary(i => i.Storage.Name, i => i.Data.Reshape(i.Data.ElementCount), StringComparer.Ordinal);
        List<SymbolSource> symbols = [];
        foreach ((string symbol, long value) in Symbols)
        {
            // The value comes in as the extent of an input of its own.
            Storage holder = new($"extent.{symbol}", StorageKind.Input, DataType.Bool, DimExpr.Symbol(symbol)) { Binding = inputs.Count };
            inputs.Add(TensorView.Dense(holder, [DimExpr.Symbol(symbol)]));
            data.Add(holder.Name, TensorData.FromBytes(DataType.Bool, [value], new byte[value]));
            symbols.Add(new SymbolSource(symbol, holder, 0));
        }
        LoweredProgram program = new() { Name = Name, Inputs = inputs, Outputs = [Output], Symbols = symbols, Steps = [new RegionStep(Region)] };
        return new ReferenceDevice(program).Run(data)[Output.Storage.Name];
    }

    public override string ToString() => Name;
}
