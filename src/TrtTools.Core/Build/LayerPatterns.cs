using System.IO.Enumeration;
using TrtTools.Engines;
using TrtTools.Ir;

namespace TrtTools.Build;

/// <summary>-LayerPrecision: which layer runs in which precision. The exact name wins, then the longest pattern; two of one length are an error.</summary>
internal sealed class LayerPatterns
{
    private readonly IReadOnlyDictionary<string, EnginePrecision> _given;
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    public LayerPatterns(IReadOnlyDictionary<string, EnginePrecision>? given) => _given = given ?? new Dictionary<string, EnginePrecision>();

    /// <summary>What was asked for a layer of this name; null when nothing was.</summary>
    public EnginePrecision? Find(string name)
    {
        if (_given.TryGetValue(name, out EnginePrecision exact))
        {
            _used.Add(name);
            return exact;
        }
        List<string> matching = [.. _given.Keys.Where(p => FileSystemName.MatchesSimpleExpression(p, name, ignoreCase: false)).OrderByDescending(p => p.Length).ThenBy(p => p, StringComparer.Ordinal)];
        if (matching.Count == 0) return null;
        if (matching.Count > 1 && matching[0].Length == matching[1].Length && _given[matching[0]] != _given[matching[1]])
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "LayerPrecision", $"the patterns '{matching[0]}' and '{matching[1]}' are equally long, match the layer '{name}' and ask for different precisions",
                "The exact name wins, then the longest pattern", "Make one of them longer, or name the layer");
        }
        _used.UnionWith(matching);
        return _given[matching[0]];
    }

    /// <summary>Finds the pattern of every node, so that an unused one is an error.</summary>
    public void CheckAll(OnnxGraph graph)
    {
        if (_given.Count == 0) return;
        List<string> names = [.. Names(graph)];
        foreach (string name in names) Find(name);
        if (_given.Keys.FirstOrDefault(p => !_used.Contains(p)) is not { } unused) return;
        throw new TrtToolsException(ErrorCode.OptionInvalid, "LayerPrecision", $"no layer of '{graph.Name}' matches '{unused}'", "The name of a node, or a pattern with * and ?",
            Data.NearestName.Find(unused, names) is { } near ? $"Did you mean '{near}'?" : "Get-EngineLayer lists the layers");
    }

    private static IEnumerable<string> Names(OnnxGraph graph) => graph.Body.NodesWithSubgraphs.SelectMany(n => n.SourceNodes.Append(n.DisplayName)).Distinct(StringComparer.Ordinal);
}
