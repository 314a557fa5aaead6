using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>What stands in for a removed node's outputs.</summary>
public enum NodeStub
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A new input of the graph under the output's name.</summary>
    Input,

    /// <summary>A constant of zeros.</summary>
    Zero,
}

/// <summary>Which nodes go, and what their readers read instead.</summary>
public sealed record NodeRemovalOptions
{
    /// <summary>Names and patterns of nodes.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    /// <summary>All nodes of these operators.</summary>
    public IReadOnlyList<string> OpType { get; init; } = [];

    /// <summary>Readers read what the node read.</summary>
    public bool Reconnect { get; init; }

    /// <summary>The input that readers read with <see cref="Reconnect"/>; the first that is no constant when null.</summary>
    public string? Through { get; init; }

    public NodeStub Stub { get; init; }

    /// <summary>Leaves what only fed the nodes.</summary>
    public bool KeepUnused { get; init; }
}

/// <summary>Removes nodes: what Remove-GraphNode runs.</summary>
public static class NodeRemoval
{
    public const string Command = "Remove-GraphNode";

    public static OnnxGraph Remove(OnnxGraph graph, NodeRemovalOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        GraphEdit edit = new(graph);
        List<Node> nodes = [.. edit.Names.Nodes(options.Name)];
        foreach (string opType in options.OpType)
        {
            List<Node> found = [.. edit.Body.NodesWithSubgraphs.Where(n => NameFinder.IsOperator(opType, n))];
            if (found.Count == 0)
            {
                throw new TrtToolsException(ErrorCode.NodeNotFound, $"Operator '{opType}'", $"no node of '{graph.Name}' is of this operator", "",
                    NameFinder.Nearest(opType, edit.Body.NodesWithSubgraphs.Select(n => n.OpType), "Get-GraphNode lists the nodes"));
            }
            nodes.AddRange(found.Where(n => !nodes.Contains(n)));
        }
        InferredTypes? types = options.Stub == NodeStub.None ? null : edit.Types();
        List<Value?> orphans = [];
        HashSet<Node> chosen = [.. nodes];
        // From the end: a chain of nodes to go then leaves no reader behind.
        foreach (Node node in nodes.AsEnumerable().Reverse())
        {
            if (!node.IsAlive || IsInside(node, chosen)) continue;
            orphans.AddRange(Rewiring.ReadBy(node));
            bool inPairs = node.Outputs.Count(o => o is { HasUses: true }) > 1;
            for (int i = 0; i < node.Outputs.Count; i++)
            {
                if (node.Outputs[i] is not { HasUses: true } output) continue;
                foreach (Node reader in Rewiring.ReadersOf(output).ToList()) edit.Touch(reader);
                if (options.Stub != NodeStub.None) Stub(edit, output, types!.Of(output), options.Stub);
                else if (options.Reconnect) Reconnect(node, inPairs ? i : null, output, options.Through, edit);
                else throw StillRead(node, output);
            }
            node.Graph.Remove(node);
        }
        if (!options.KeepUnused) Rewiring.RemoveUnused(orphans);
        HistoryText text = new HistoryText().Add("Name", options.Name).Add("OpType", options.OpType).Add("Reconnect", options.Reconnect).Add("Through", options.Through)
            .Add("Stub", options.Stub == NodeStub.None ? null : options.Stub.ToString()).Add("KeepUnused", options.KeepUnused);
        return edit.Finish(Command, text.ToString());
    }

    private static bool IsInside(Node node, HashSet<Node> chosen)
    {
        for (Node? owner = node.Graph.Owner; owner is not null; owner = owner.Graph.Owner)
        {
            if (chosen.Contains(owner)) return true;
        }
        return false;
    }

    private static void Stub(GraphEdit edit, Value output, TensorType? known, NodeStub stub)
    {
        string subject = $"Tensor '{output.Name}'";
        TensorType type = known ?? throw new TrtToolsException(ErrorCode.ShapeUnknown, subject, "nothing is known of its type", "What stands in needs an element type", "Declare it first: Set-GraphOutput -Add with -DataType");
        if (stub == NodeStub.Input)
        {
            if (output.Graph != edit.Body) throw new TrtToolsException(ErrorCode.ChangeRefused, subject, $"it stands in a subgraph ('{GraphNode.ScopeOf(output.Graph)}'), whose inputs its node gives", "A node of the main graph", "Use -Stub Zero, or -Reconnect");
            edit.Body.MakeInput(output, type);
            edit.Touch(output);
            return;
        }
        if (type.Shape?.ToStatic() is not { } shape) throw new TrtToolsException(ErrorCode.ShapeUnknown, subject, $"its shape is {type}", "A constant needs a shape without unknown extents", "Fix the inputs' shapes first (Set-GraphInput -Shape), or use -Stub Input");
        if (type.DataType == DataType.String || type.DataType.BitSize() == 0) throw new TrtToolsException(ErrorCode.ChangeRefused, subject, $"it is {type.DataType}", "Numbers", "Use -Stub Input");
        TensorData zeros = TensorData.FromBytes(type.DataType, shape, new byte[type.DataType.ByteCount(TensorData.CountElements(shape))]);
        if (!output.IsGraphOutput)
        {
            output.Graph.MakeConstant(output, zeros);
            return;
        }
        // An output of a body comes from a node.
        Value constant = output.Graph.AddConstant($"{output.Name}_zero", zeros);
        Node identity = output.Graph.AddNode("Identity", [constant], [], before: output.Producer);
        identity.Name = edit.FreshNodeName($"{output.Name}_identity");
        output.Graph.MoveOutput(output, identity, 0);
    }

    private static void Reconnect(Node node, int? index, Value output, string? through, GraphEdit edit)
    {
        Value? source;
        if (through is not null)
        {
            source = node.Inputs.FirstOrDefault(i => i is not null && string.Equals(i.Name, through, StringComparison.Ordinal))
                ?? throw new TrtToolsException(ErrorCode.TensorNotFound, $"Tensor '{through}'", $"node '{node.DisplayName}' does not read it", $"It reads {Names(node)}", "Correct -Through");
        }
        else if (index is { } own)
        {
            source = node.Input(own) ?? throw new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{node.DisplayName}' ({node.OpType})", FormattableString.Invariant($"its output '{output.Name}' is read, and it has no input {own} to put in its place"), "It needs as many inputs as outputs that are read", "Use -Through, or -Stub");
        }
        else
        {
            source = node.Inputs.FirstOrDefault(i => i is { IsConstant: false, Producer: not { OpType: "Constant" } }) ?? node.Inputs.FirstOrDefault(i => i is not null)
                ?? throw new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{node.DisplayName}' ({node.OpType})", "it has no input that its readers could read", "An input", "Use -Stub");
        }
        if (node.Is("Identity") && output.IsGraphOutput && !CanCarry(output, source))
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{node.DisplayName}' (Identity)", $"it carries '{source.Name}' to the output '{output.Name}', which needs a node of its own", "Such a node cannot go", "Take the output away instead (Set-GraphOutput -Remove)");
        }
        edit.Touch(output);
        Rewiring.Replace(output, source);
    }

    /// <summary>Whether the source can take over an output's name: else a node Identity stands between them.</summary>
    private static bool CanCarry(Value output, Value source) => source.Graph == output.Graph && source is { IsGraphOutput: false, IsGraphInput: false, Producer: not null };

    private static TrtToolsException StillRead(Node node, Value output)
    {
        string reader = Rewiring.ReadersOf(output).FirstOrDefault() is { } first ? $"'{first.DisplayName}' reads" : "the graph returns";
        return new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{node.DisplayName}' ({node.OpType})", $"{reader} its output '{output.Name}'", "Only a node that nobody reads can go without something in its place",
            "Add -Reconnect to read what the node reads, or -Stub Input or -Stub Zero");
    }

    private static string Names(Node node) => string.Join(", ", node.Inputs.Where(i => i is not null).Select(i => $"'{i!.Name}'"));
}
