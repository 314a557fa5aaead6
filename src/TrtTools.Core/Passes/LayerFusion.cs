using TrtTools.Ir;
using TrtTools.Passes.Fusion;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes;

/// <summary>Fuses layers: what Invoke-LayerFusion runs. Each fused node is a call of a model-local function whose body is the original operators.</summary>
public static class LayerFusion
{
    /// <summary>Names of all patterns, in the order they are tried.</summary>
    public static IReadOnlyList<string> PatternNames { get; } = [.. FusionPatterns.BuiltIn.Select(p => p.Name)];

    /// <summary>A fused copy of the graph, simplified first; its FusionReport says what fused, what nearly did, and why not.</summary>
    public static OnnxGraph Fuse(OnnxGraph graph, FusionOptions options, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        graph.RequireWeights();
        List<Composite> own = ReadOwn(options);
        IReadOnlyList<FusionPattern> patterns = own.Count == 0 ? FusionPatterns.BuiltIn : FusionPatterns.With(own);
        string[] names = [.. patterns.Select(p => p.Name)];
        HashSet<string>? chosen = NameMatcher.FindAll(options.Pattern, names, ErrorCode.PatternUnknown, "Pattern");
        HashSet<string>? excluded = NameMatcher.FindAll(options.Exclude, names, ErrorCode.PatternUnknown, "Pattern");
        bool IsOn(string name) => chosen?.Contains(name) != false && excluded?.Contains(name) != true;
        OnnxGraph copy = Prepare(graph, IsOn(FusionPatterns.ConvBatchNorm), report, stop);
        List<FusionRecord> records = [];
        if (IsOn(FusionPatterns.ConvBatchNorm)) records.AddRange(BatchNormReport.Of(graph, copy));
        FusionScope scope = new(copy, [.. own.Concat(PatternFile.BuiltIn).Where(c => c.IsActivation)]);
        foreach (FusionPattern pattern in patterns)
        {
            stop.ThrowIfCancellationRequested();
            if (!IsOn(pattern.Name)) continue;
            report.Progress("Fusing layers", pattern.Name, double.NaN);
            int before = scope.Groups.Count;
            pattern.Find(pattern.Name, scope);
            if (scope.Groups.Count > before) report.Verbose($"{pattern.Name}: {scope.Groups.Count - before} fused");
        }
        records.AddRange(Outline(scope, stop));
        records.AddRange(scope.Misses);
        copy.FusionReport = records;
        return copy.WithHistory("Invoke-LayerFusion", Describe(options));
    }

    /// <summary>The patterns of the user's files; none may have the name of another.</summary>
    private static List<Composite> ReadOwn(FusionOptions options)
    {
        List<Composite> own = [];
        foreach (string path in options.PatternPath ?? [])
        {
            foreach (Composite composite in PatternFile.Load(path))
            {
                if (PatternNames.Contains(composite.Name, StringComparer.OrdinalIgnoreCase) || own.Exists(c => string.Equals(c.Name, composite.Name, StringComparison.OrdinalIgnoreCase)))
                {
                    throw new TrtToolsException(ErrorCode.DataInvalid, path, $"there is a pattern '{composite.Name}' already", "Patterns of a name of their own", "Rename it");
                }
                own.Add(composite);
            }
        }
        return own;
    }

    /// <summary>The graph that the patterns see: without earlier fusions, simplified, each quantized value dequantized once per reader.</summary>
    private static OnnxGraph Prepare(OnnxGraph graph, bool foldsBatchNorm, Report report, CancellationToken stop)
    {
        OnnxGraph copy = FunctionExpansion.Expand(graph);
        OverridableInputs.Drop(copy, report);
        if (!graph.IsSimplified)
        {
            List<Pass> passes = [.. PassList.All().Where(p => foldsBatchNorm || p is not Simplify.FoldBatchNormIntoConv)];
            GraphOptimizer.OptimizeInPlace(copy, passes, report, stop);
        }
        DequantizePerReader.Run(copy);
        return copy;
    }

    private static IEnumerable<FusionRecord> Outline(FusionScope scope, CancellationToken stop)
    {
        OnnxGraph model = scope.Model;
        FunctionOutliner outliner = new(model, OnnxGraph.FusionDomain, AttributeContent);
        List<FusionRecord> records = [];
        foreach (FusionGroup group in GroupOrder.WithoutCycles(scope).OrderBy(g => scope.PositionOf(g.Nodes[0])))
        {
            stop.ThrowIfCancellationRequested();
            Node last = group.Nodes[^1];
            string nodeName = last.Name.Length > 0 ? last.Name : last.DisplayName;
            IReadOnlyList<string> sources = PassContext.SourcesOf([.. group.Nodes]);
            string operators = string.Join(" + ", group.Nodes.Take(12).Select(n => n.OpType)) + (group.Nodes.Count > 12 ? " + …" : "");
            Node call = outliner.Outline(group.Nodes, group.FunctionName, nodeName);
            call.SourceNodes = sources;
            records.Add(new FusionRecord(group.Pattern, call.Name, true, $"{call.OpType}: {operators}") { SourceNode = [.. sources], Model = model.Name, Path = model.Path });
        }
        return records;
    }

    private static string AttributeContent(Attribute attribute)
    {
        System.Text.StringBuilder text = new();
        if (!AttributeText.Append(text, attribute)) throw new InvalidOperationException($"Attribute '{attribute.Name}' cannot stand in a fused body.");
        return text.ToString();
    }

    private static string Describe(FusionOptions options)
    {
        List<string> parts = [];
        if (options.Pattern is { } chosen) parts.Add($"-Pattern {string.Join(",", chosen)}");
        if (options.Exclude is { } excluded) parts.Add($"-Exclude {string.Join(",", excluded)}");
        if (options.PatternPath is { Count: > 0 } files) parts.Add($"-PatternPath {string.Join(",", files.Select(Path.GetFileName))}");
        return string.Join(' ', parts);
    }
}
