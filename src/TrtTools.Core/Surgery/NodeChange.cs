using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>What becomes of nodes.</summary>
public sealed record NodeChangeOptions
{
    /// <summary>Names and patterns of nodes.</summary>
    public required IReadOnlyList<string> Name { get; init; }

    public string? NewName { get; init; }

    /// <summary>The operator, "domain::name" outside ai.onnx.</summary>
    public string? OpType { get; init; }

    /// <summary>Attributes to set; null to remove one.</summary>
    public IReadOnlyDictionary<string, object?> Attributes { get; init; } = new Dictionary<string, object?>();

    /// <summary>All inputs anew; empty for an absent one.</summary>
    public IReadOnlyList<string>? Inputs { get; init; }

    /// <summary>Single inputs by index; empty for an absent one.</summary>
    public IReadOnlyDictionary<int, string> InputAt { get; init; } = new Dictionary<int, string>();

    /// <summary>New initializers that the inputs may name.</summary>
    public IReadOnlyList<Tensor> Initializers { get; init; } = [];

    /// <summary>Leaves what only fed the old inputs.</summary>
    public bool KeepUnused { get; init; }
}

/// <summary>Changes nodes: what Set-GraphNode runs.</summary>
public static class NodeChange
{
    public const string Command = "Set-GraphNode";

    public static OnnxGraph Set(OnnxGraph graph, NodeChangeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        GraphEdit edit = new(graph);
        IReadOnlyList<Node> nodes = edit.Names.Nodes(options.Name);
        if (options.NewName is not null && nodes.Count > 1)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "-NewName", $"{nodes.Count} nodes match", "This changes one node", "Give the name of one node");
        }
        foreach (IGrouping<Graph, Node> body in nodes.GroupBy(n => n.Graph).Take(1)) NodeInsertion.AddInitializers(edit, body.Key, options.Initializers);
        List<Value?> orphans = [];
        foreach (Node node in nodes)
        {
            if (options.NewName is { } name && name != node.Name)
            {
                node.SourceNodes = PassContext.SourcesOf(node);
                node.Name = name.Length == 0 ? throw new TrtToolsException(ErrorCode.OptionInvalid, "-NewName", "it is empty", "A name", "Give one") : edit.NewNodeName(name);
            }
            if (options.OpType is { } opType)
            {
                (node.Domain, node.OpType) = NodeSpec.Split(opType);
                NodeSpec.Import(edit.Model, node.Domain, null);
            }
            foreach ((string attribute, object? value) in options.Attributes.OrderBy(a => a.Key, StringComparer.Ordinal))
            {
                if (value is not null) NodeSpec.SetAttributes(node, new Dictionary<string, object> { [attribute] = value });
                else if (!node.Attributes.Remove(attribute)) throw NoAttribute(node, attribute);
            }
            ShadowCheckIfBodies(node, options, edit);
            SetInputs(edit, node, options, orphans);
            edit.Touch(node);
        }
        if (!options.KeepUnused) Rewiring.RemoveUnused(orphans);
        HistoryText text = new HistoryText().Add("Name", options.Name).Add("NewName", options.NewName).Add("OpType", options.OpType).Add("Attribute", options.Attributes.Keys.Order(StringComparer.Ordinal))
            .Add("InputTensor", options.Inputs).Add("InputAt", options.InputAt.OrderBy(i => i.Key).Select(i => FormattableString.Invariant($"{i.Key}={i.Value}")))
            .Add("Initializer", options.Initializers.Select(t => t.ToString())).Add("KeepUnused", options.KeepUnused);
        return edit.Finish(Command, text.ToString());
    }

    private static void ShadowCheckIfBodies(Node node, NodeChangeOptions options, GraphEdit edit)
    {
        if (options.Attributes.Values.Any(v => v is not null && Data.TensorConversion.Unwrap(v) is OnnxGraph)) ShadowCheck.NamesIn(node, edit);
    }

    private static void SetInputs(GraphEdit edit, Node node, NodeChangeOptions options, List<Value?> orphans)
    {
        if (options.Inputs is null && options.InputAt.Count == 0) return;
        orphans.AddRange(node.Inputs);
        List<Value?> inputs = options.Inputs is { } all ? [.. all.Select(Find)] : [.. node.Inputs];
        foreach ((int index, string name) in options.InputAt.OrderBy(i => i.Key))
        {
            if (index < 0) throw new TrtToolsException(ErrorCode.OptionInvalid, "-InputAt", FormattableString.Invariant($"{index} is no place among the inputs"), "0 for the first", "Correct the key");
            while (inputs.Count <= index) inputs.Add(null);
            inputs[index] = Find(name);
        }
        while (inputs.Count > 0 && inputs[^1] is null) inputs.RemoveAt(inputs.Count - 1);
        node.SetInputs(inputs);

        Value? Find(string name) => name.Length == 0 ? null : edit.Names.Visible(node.Graph, name);
    }

    private static TrtToolsException NoAttribute(Node node, string attribute) => new(ErrorCode.OptionInvalid, $"Node '{node.DisplayName}' ({node.OpType})", $"it has no attribute '{attribute}' to remove",
        node.Attributes.Count == 0 ? "It has none" : $"It has {string.Join(", ", node.Attributes.Select(a => $"'{a.Name}'"))}", "Correct the name");
}
