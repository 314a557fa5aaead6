using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Surgery;

/// <summary>Renames tensors: what Rename-GraphTensor runs.</summary>
public static class TensorRenaming
{
    public const string Command = "Rename-GraphTensor";

    /// <summary>The tensors that names and patterns stand for.</summary>
    public static IReadOnlyList<string> Match(OnnxGraph graph, IReadOnlyList<string> names)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return [.. new NameFinder(graph).Tensors(names).Select(v => v.Name)];
    }

    /// <summary>A copy with other names. All change at once, so that two tensors can change places.</summary>
    public static OnnxGraph Rename(OnnxGraph graph, IReadOnlyList<KeyValuePair<string, string>> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        GraphEdit edit = new(graph);
        List<(Value Value, string Name)> wanted = [];
        foreach ((string old, string name) in names)
        {
            Value value = edit.Names.Tensor(old);
            if (wanted.Any(w => w.Value == value)) throw new TrtToolsException(ErrorCode.OptionInvalid, $"Tensor '{old}'", "it is to be renamed twice", "Each tensor takes one new name", "Correct the names");
            if (value.Name != name) wanted.Add((value, name));
        }
        Dictionary<Graph, Dictionary<string, string>> renamed = [];
        foreach ((Value value, string name) in wanted)
        {
            value.Origin = PassContext.NamesOf(value);
            if (!renamed.TryGetValue(value.Graph, out Dictionary<string, string>? map)) renamed.Add(value.Graph, map = new(StringComparer.Ordinal));
            map.Add(value.Name, name);
            value.Graph.Rename(value, value.Graph.FreshName("\0" + name));
        }
        foreach ((Value value, string name) in wanted)
        {
            edit.RequireFree(value.Graph, name);
            value.Graph.Rename(value, name);
        }
        foreach ((Graph body, Dictionary<string, string> map) in renamed) body.Remainder = RemainderNames.Renamed(body.Remainder, map);
        return edit.FinishUnchecked(Command, string.Join(", ", names.Take(8).Select(n => $"{n.Key} → {n.Value}")) + (names.Count > 8 ? FormattableString.Invariant($", … {names.Count - 8} more") : ""));
    }
}
