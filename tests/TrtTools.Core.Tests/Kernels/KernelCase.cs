using TrtTools.Ir;
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

    /// <summary>A whole program instead of nests: a model as lowered, without steps on the host.</summary>
    public LoweredProgram? Program { get; private set; }

    /// <summary>A model in the notation of <see cref="GraphText"/> with random inputs. Extents of inputs that are symbols have the values given.</summary>
    public static KernelCase OfGraph(string name, string text, LoweringOptions? options = null, double tolerance = 1e-5, params (string Name, long Value)[] symbols)
    {
        KernelCase made = new(name) { Tolerance = tolerance };
        foreach ((string symbol, long value) in symbols) made.Symbols.Add(symbol, value);
        LoweredProgram program = GraphLowering.Lower(TestGraphs.Parse(text), options ?? new LoweringOptions { Strict = true }, Report.None, CancellationToken.None);
        CaseRandom random = new(12345);
        foreach (TensorView input in program.Inputs) made._inputs.Add((input.Storage, CaseRandom.Reshape(random.Tensor(input.Type, input.Storage.ElementCount.Evaluate(made.Symbols)!.Value), [.. input.Shape.Select(d => d.Evaluate(made.Symbols)!.Value)])));
        made.Program = program;
        made.Output = program.Outputs[0];
        return made;
    }

    /// <summary>A model whose kernels are timed; it has no data.</summary>
    public static KernelCase ForTiming(string name, string text, LoweringOptions? options = null)
    {
        LoweredProgram program = GraphLowering.Lower(TestGraphs.Parse(text), options ?? new LoweringOptions { Strict = true }, Report.None, CancellationToken.None);
        return new KernelCase(name) { Program = program, Output = program.Outputs[0], IsTimed = true };
    }

    public bool IsTimed { get; private init; }

    public IEnumerable<Region> Regions => Program is null ? [Region] : Program.Steps.Cast<RegionStep>().Select(s => s.Region);

    public Region Region => new() { Name = Name, Kind = Kind, Operators = Name, Nests = Nests };

    public IReadOnlyList<KernelLaunch> Launches(GeneratorOptions? options = null) => [.. Regions.SelectMany(r => NestGenerator.Generate(r, options))];

    /// <summary>The output by the Reference device, dense.</summary>
    public TensorData Expected()
    {
        if (Program is not null) return new ReferenceDevice(Program).Run(_inputs.ToDictionary(i => i.Storage.Name, i => i.Data, StringComparer.Ordinal))[Output.Storage.Name];
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
