using System.Collections.Immutable;
using TrtTools.Files;
using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>A model: what the cmdlets pass down the pipeline. Immutable to callers; every cmdlet that changes one returns a new one,
/// and copies share their weights. Safe to read from several threads.</summary>
public sealed class OnnxGraph : IDisposable
{
    /// <summary>The domain of the functions that Invoke-LayerFusion makes.</summary>
    public const string FusionDomain = "trt.tools";

    private readonly ImmutableArray<IDisposable> _resources;
    private ImmutableArray<GraphNode>? _nodes;

    internal OnnxGraph(Graph body, string name, string? path, long irVersion, IEnumerable<KeyValuePair<string, long>> opset, ImmutableArray<IDisposable> resources = default)
    {
        Body = body;
        Name = name;
        Path = path;
        IrVersion = irVersion;
        OpsetImports = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach ((string domain, long version) in opset) OpsetImports[domain] = version;
        _resources = resources.IsDefault ? [] : resources;
    }

    internal Graph Body { get; }

    internal SortedDictionary<string, long> OpsetImports { get; }

    internal Dictionary<(string Domain, string Name, string Overload), Function> FunctionTable { get; } = [];

    /// <summary>Everything of the file that has no place in the graph; opaque outside Onnx.</summary>
    internal object? Remainder { get; set; }

    /// <summary>True on what all passes of the optimizer left: they would find nothing more. A copy is another graph, which may be changed.</summary>
    internal bool IsSimplified { get; set; }

    internal ImmutableArray<IDisposable> Resources => _resources;

    /// <summary>The file's name without extension, or the graph's own name.</summary>
    public string Name { get; internal set; }

    /// <summary>Full path of the file it came from; null when it came from none.</summary>
    public string? Path { get; internal set; }

    public long IrVersion { get; internal set; }

    /// <summary>Operator-set versions by domain; ai.onnx under its name.</summary>
    public IReadOnlyDictionary<string, long> Opset => OpsetImports.ToDictionary(p => p.Key.Length == 0 ? "ai.onnx" : p.Key, p => p.Value, StringComparer.Ordinal);

    public string Producer { get; internal set; } = "";

    /// <summary>The main graph's nodes in topological order; those of subgraphs through <see cref="GraphNode.Subgraphs"/>.</summary>
    public IReadOnlyList<GraphNode> Nodes
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _nodes ??= [.. Body.Nodes.Select(n => new GraphNode(n))];
        }
    }

    /// <summary>Inputs a caller must give; initializers that old models list among the inputs are left out.</summary>
    public IReadOnlyList<GraphTensor> Inputs => Body.Inputs.Where(v => v.Data is null).Select(v => new GraphTensor(v)).ToArray();

    // Arrays, since PowerShell's [0] does not see the indexer of what a collection expression makes.
    public IReadOnlyList<GraphTensor> Outputs => Body.Outputs.Select(v => new GraphTensor(v)).ToArray();

    public IReadOnlyList<GraphTensor> Initializers => Body.Initializers.Select(v => new GraphTensor(v)).ToArray();

    /// <summary>Model-local functions as "domain::name".</summary>
    public IReadOnlyList<string> Functions => FunctionTable.Values.Select(f => $"{f.Domain}::{f.Name}").Order(StringComparer.Ordinal).ToArray();

    public IReadOnlyDictionary<string, string> Metadata { get; internal set; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Each transformation since import, with its parameters, oldest first.</summary>
    public IReadOnlyList<GraphChange> History { get; internal set; } = [];

    /// <summary>What Invoke-LayerFusion fused, and what it did not and why.</summary>
    public IReadOnlyList<FusionRecord> FusionReport { get; internal set; } = [];

    /// <summary>Where the metadata of a graph without its weights say which were taken out.</summary>
    internal const string StrippedKey = "trttools.stripped";

    /// <summary>Refuses what computes with the weights, or moves them about, when they were taken out.</summary>
    internal void RequireWeights()
    {
        if (!Metadata.ContainsKey(StrippedKey)) return;
        throw new TrtToolsException(ErrorCode.DataInvalid, Name, "its weights were taken out (Compress-OnnxWeight -Strip)", "A graph with its weights", "Put them back first: Compress-OnnxWeight -Restore original.onnx");
    }

    /// <summary>Opset of ai.onnx.</summary>
    internal long OnnxOpset => OpsetImports.GetValueOrDefault("", 1);

    internal Function? FindFunction(Node node) => FunctionTable.Count == 0 ? null : FunctionTable.GetValueOrDefault((node.Domain, node.OpType, node.Overload));

    /// <summary>A deep copy that shares weights with this one.</summary>
    internal OnnxGraph Copy()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        OnnxGraph copy = new(GraphCopier.Copy(Body), Name, Path, IrVersion, OpsetImports, _resources)
        {
            Remainder = Remainder, Producer = Producer, Metadata = Metadata, History = History, FusionReport = FusionReport,
        };
        foreach (Function function in FunctionTable.Values)
        {
            Function twin = function.Copy();
            copy.FunctionTable.Add(twin.Key, twin);
        }
        return copy;
    }

    /// <summary>The copy with one more line of history.</summary>
    internal OnnxGraph WithHistory(string transformation, string parameters)
    {
        History = History.Append(new GraphChange(transformation, parameters)).ToArray();
        return this;
    }

    /// <summary>A small object for ConvertTo-Json.</summary>
    public GraphDigest ToSummary() => new()
    {
        Name = Name, Path = Path, IrVersion = IrVersion, Producer = Producer,
        Opset = [.. Opset.Select(p => $"{p.Key}:{p.Value}")],
        Inputs = [.. Inputs.Select(i => i.ToString())], Outputs = [.. Outputs.Select(o => o.ToString())],
        NodeCount = Body.NodeCount, InitializerCount = Body.Initializers.Count(), Functions = [.. Functions],
        History = [.. History.Select(h => h.ToString())],
    };

    private bool _disposed;

    /// <summary>Marks the graph as no longer usable. Mapped files are let go when the last graph that shares them is collected.</summary>
    public void Dispose()
    {
        _disposed = true;
        GC.SuppressFinalize(this);
    }

    public override string ToString() => $"{Name} ({Body.NodeCount} nodes)";
}

/// <summary>A graph in a few plain properties.</summary>
public sealed record GraphDigest
{
    public required string Name { get; init; }
    public required string? Path { get; init; }
    public required long IrVersion { get; init; }
    public required string Producer { get; init; }
    public required string[] Opset { get; init; }
    public required string[] Inputs { get; init; }
    public required string[] Outputs { get; init; }
    public required int NodeCount { get; init; }
    public required int InitializerCount { get; init; }
    public required string[] Functions { get; init; }
    public required string[] History { get; init; }
}

/// <summary>One transformation of a graph.</summary>
public sealed record GraphChange(string Transformation, string Parameters)
{
    public override string ToString() => Parameters.Length == 0 ? Transformation : $"{Transformation} {Parameters}";
}

/// <summary>What became of one place where a fusion pattern matched, or nearly did.</summary>
public sealed record FusionRecord(string Pattern, string NodeName, bool Fused, string Reason)
{
    /// <summary>The model's name.</summary>
    public string Model { get; init; } = "";

    public string? Path { get; init; }

    /// <summary>The original nodes.</summary>
    public string[] SourceNode { get; init; } = [];
}
