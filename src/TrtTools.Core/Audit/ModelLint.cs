using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Audit;

/// <summary>Checks versions, opset imports and functions.</summary>
internal static class ModelLint
{
    private static readonly int s_newestOpset = OperatorCatalog.All.Where(d => d.Domain.Length == 0).Max(d => d.Versions[^1]);

    public static void Check(OnnxGraph graph, LintLog log)
    {
        CheckImports(graph, log);
        CheckIrVersion(graph, log);
        foreach (Function function in graph.FunctionTable.Values) CheckFunction(function, graph, log);
    }

    private static void CheckImports(OnnxGraph graph, LintLog log)
    {
        foreach (IGrouping<(string Domain, Function? Function), (LintBody Body, Node Node)> group in LintBody.All(graph)
            .SelectMany(b => b.Graph.Nodes.Select(n => (Body: b, Node: n)))
            .Where(p => !p.Body.Opset.ContainsKey(p.Node.Domain)).GroupBy(p => (p.Node.Domain, p.Body.Function)))
        {
            // A function of the domain trt.tools gets the model's imports on export.
            if (group.Key.Function is { Domain: OnnxGraph.FusionDomain } && graph.OpsetImports.ContainsKey(group.Key.Domain)) continue;
            string domain = group.Key.Domain.Length == 0 ? "ai.onnx" : group.Key.Domain;
            (LintBody body, Node node) = group.First();
            log.Error("OpsetImportMissing", node.DisplayName, $"Node '{node.DisplayName}' ({node.OpType}){body.Where} is of domain '{domain}', of which no version is imported" + (group.Count() > 1 ? $", and so are {group.Count() - 1} more" : ""),
                $"Add an opset import of '{domain}' to the {(group.Key.Function is null ? "model" : "function")}");
        }
        if (graph.OnnxOpset > s_newestOpset) log.Warning("OpsetUnknown", "", $"The model imports opset {graph.OnnxOpset} of ai.onnx; the newest known here is {s_newestOpset}", "Operators that changed since may be judged wrongly: export with an older opset, or update TrtTools");
    }

    private static void CheckIrVersion(OnnxGraph graph, LintLog log)
    {
        if (graph.Metadata.ContainsKey(OnnxGraph.StrippedKey)) log.Warning("WeightsStripped", "", "The model's weights were taken out: it is whole, and computes with zeros", "Put them back: Compress-OnnxWeight -Restore original.onnx");
        if (graph.IrVersion <= 0)
        {
            log.Error("IrVersionMissing", "", "The model states no IR version", "Export-OnnxGraph writes one");
            graph.IrVersion = 0;
        }
        foreach ((long version, string what, string node) in IrVersionsNeeded(graph))
        {
            if (graph.IrVersion > 0 && graph.IrVersion < version) log.Error("IrVersionTooOld", node, $"{what}, which came with IR version {version}; the model is of version {graph.IrVersion}", "Export-OnnxGraph raises the version");
        }
    }

    /// <summary>What the model holds that came with a later IR version than the first: the version, and a sentence and a node to name.</summary>
    internal static IEnumerable<(long Version, string What, string Node)> IrVersionsNeeded(OnnxGraph graph)
    {
        Value? free = graph.Body.Initializers.FirstOrDefault(v => !v.IsGraphInput);
        if (free is not null) yield return (4, $"Initializer '{free.Name}' is no input", "");
        if (graph.FunctionTable.Values.FirstOrDefault() is { } function) yield return (8, $"There is a function '{function.Domain}::{function.Name}'", "");
        Node? overloaded = graph.Body.NodesWithSubgraphs.FirstOrDefault(n => n.Overload.Length > 0);
        if (overloaded is not null) yield return (10, $"Node '{overloaded.DisplayName}' names an overload", overloaded.DisplayName);
        Node? annotated = graph.Body.NodesWithSubgraphs.FirstOrDefault(n => n.Remainder is Onnx.Proto.NodeProto { MetadataProps.Count: > 0 });
        if (annotated is not null) yield return (10, $"Node '{annotated.DisplayName}' carries metadata", annotated.DisplayName);
        foreach (IGrouping<long, Value> group in graph.Body.Values.Where(v => v.Type is not null).GroupBy(v => IrVersionOf(v.Type!.DataType)).Where(g => g.Key > 4).OrderBy(g => g.Key))
        {
            Value value = group.First();
            yield return (group.Key, $"'{value.Name}' is {value.Type!.DataType}", value.Producer?.DisplayName ?? "");
        }
    }

    private static long IrVersionOf(DataType type) => type switch
    {
        DataType.Float8E4M3FN or DataType.Float8E4M3FNUZ or DataType.Float8E5M2 or DataType.Float8E5M2FNUZ => 9,
        DataType.UInt4 or DataType.Int4 => 10,
        DataType.Float4E2M1 => 11,
        DataType.Float8E8M0 => 12,
        DataType.UInt2 or DataType.Int2 => 13,
        _ => 1,
    };

    private static void CheckFunction(Function function, OnnxGraph graph, LintLog log)
    {
        string name = $"{function.Domain}::{function.Name}";
        foreach ((string domain, long version) in function.Opset)
        {
            if (graph.OpsetImports.TryGetValue(domain, out long models) && models != version)
            {
                log.Warning("FunctionOpsetMismatch", "", $"Function '{name}' is written for opset {version} of '{(domain.Length == 0 ? "ai.onnx" : domain)}', the model for {models}", "Export the model with one opset: runtimes that inline the function may refuse it");
            }
        }
        if (!CallsOf(graph).Any(n => ReferenceEquals(graph.FindFunction(n), function))) log.Warning("FunctionUnused", "", $"Function '{name}' is called by nothing", "Optimize-OnnxGraph removes it");
    }

    private static IEnumerable<Node> CallsOf(OnnxGraph graph) => LintBody.All(graph).SelectMany(b => b.Graph.Nodes);
}
