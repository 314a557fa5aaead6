using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Adds nodes: what Add-GraphNode runs.</summary>
public static class NodeInsertion
{
    public const string Command = "Add-GraphNode";

    /// <summary>A copy of the graph with one node more.</summary>
    public static OnnxGraph Add(OnnxGraph graph, NodeSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        GraphEdit edit = new(graph);
        (string domain, string opType) = NodeSpec.Split(spec.OpType);
        if (opType.Length == 0) throw new TrtToolsException(ErrorCode.OptionInvalid, "-OpType", "it is empty", "An operator's name, such as Relu", "Give the operator");
        Value? after = spec.InsertAfter is { } tensor ? edit.Names.Tensor(tensor) : null;
        List<string> names = [.. spec.Inputs];
        if (after is not null && !names.Contains(after.Name)) names.Insert(0, after.Name);
        Graph body = BodyOf(edit, spec, names, after);
        AddInitializers(edit, body, spec.Initializers);
        List<Value?> inputs = [.. names.Select(n => n.Length == 0 ? null : edit.Names.Visible(body, n))];

        Node node = body.AddNode(opType, inputs, [], domain, after is { Producer: { } producer } && after.Graph == body ? producer.Next : null);
        NodeSpec.Import(edit.Model, domain, spec.DomainVersion);
        List<Value?> orphans = GiveOutputs(edit, node, spec, after);
        node.Name = spec.Name is { Length: > 0 } wanted ? edit.NewNodeName(wanted) : edit.FreshNodeName(node.Outputs.FirstOrDefault(o => o is not null)?.Name ?? opType);
        NodeSpec.SetAttributes(node, spec.Attributes);
        ShadowCheck.NamesIn(node, edit);
        edit.Touch(node);
        if (after is not null) TakeOver(edit, after, node, spec);
        Rewiring.RemoveUnused(orphans);
        return edit.Finish(Command, Describe(spec));
    }

    /// <summary>The innermost body that the given tensors stand in: from there all of them can be seen.</summary>
    private static Graph BodyOf(GraphEdit edit, NodeSpec spec, List<string> names, Value? after)
    {
        if (after is not null) return after.Graph;
        HashSet<string> added = [.. spec.Initializers.Select(t => t.Name)];
        foreach (string output in spec.Outputs)
        {
            if (output.Length > 0 && edit.Body.WithSubgraphs.Select(g => g.Find(output)).FirstOrDefault(v => v is not null) is { } known) return known.Graph;
        }
        Graph body = edit.Body;
        foreach (string name in names.Where(n => n.Length > 0 && !added.Contains(n)))
        {
            Graph own = edit.Names.Tensor(name).Graph;
            for (Graph? at = own.Outer; at is not null; at = at.Outer)
            {
                if (at == body) body = own;
            }
        }
        return body;
    }

    internal static void AddInitializers(GraphEdit edit, Graph body, IReadOnlyList<Tensor> initializers)
    {
        foreach (Tensor tensor in initializers)
        {
            edit.RequireFree(body, tensor.Name);
            body.AddInitializer(tensor.Name, tensor.Content);
        }
    }

    /// <summary>Names the node's outputs; one that is there already is computed by this node from now on. Gives what is left of its old producer.</summary>
    private static List<Value?> GiveOutputs(GraphEdit edit, Node node, NodeSpec spec, Value? after)
    {
        List<Value?> orphans = [];
        Graph body = node.Graph;
        if (spec.Outputs.Count == 0)
        {
            body.AddOutputTo(node, 0, body.FreshName(after is null ? $"{node.OpType}_output" : $"{after.Name}_{node.OpType}"));
            return orphans;
        }
        for (int i = 0; i < spec.Outputs.Count; i++)
        {
            string name = spec.Outputs[i];
            if (name.Length == 0) continue;
            if (body.Find(name) is not { } known)
            {
                edit.RequireFree(body, name);
                body.AddOutputTo(node, i, name);
                continue;
            }
            if (known.Producer is not { } old)
            {
                throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{name}'", known.IsGraphInput ? "it is an input of the graph" : "it is an initializer", "An output takes a new name, or a tensor that a node gives", "Give another name in -OutputTensor");
            }
            if (ReferenceEquals(old, node)) throw new TrtToolsException(ErrorCode.OptionInvalid, $"Tensor '{name}'", "it stands twice in -OutputTensor", "Outputs have different names", "Name each output once");
            int index = known.OutputIndex;
            body.MoveOutput(known, node, i);
            known.Type = known.IsGraphOutput ? known.Type : null;
            orphans.AddRange(Rewiring.ReadBy(old));
            Rewiring.CloseGap(old, index, name, keep: false);
        }
        return orphans;
    }

    /// <summary>Who read the tensor reads the node's first output. An output of the graph keeps its name, since it is the graph's interface.</summary>
    private static void TakeOver(GraphEdit edit, Value after, Node node, NodeSpec spec)
    {
        Value output = node.Outputs.FirstOrDefault(o => o is not null) ?? throw new TrtToolsException(ErrorCode.OptionInvalid, "-OutputTensor", "the node gives nothing", "It needs one output at least", "Name the first output");
        if (spec.Consumers is { } consumers)
        {
            HashSet<Node> chosen = [.. edit.Names.Nodes(consumers)];
            HashSet<Node> readers = [.. after.Uses.Select(u => u.Node)];
            if (chosen.FirstOrDefault(n => !readers.Contains(n)) is { } other)
            {
                throw new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{other.DisplayName}'", $"it does not read '{after.Name}'", $"One of {string.Join(", ", readers.Where(r => r != node).Take(6).Select(r => $"'{r.DisplayName}'"))}", "Correct -Consumer");
            }
            foreach (Use use in after.Uses.ToArray())
            {
                if (chosen.Contains(use.Node) && use.Node != node) use.Node.SetInput(use.Index, output);
            }
            return;
        }
        int[] own = [.. Enumerable.Range(0, node.Inputs.Count).Where(i => ReferenceEquals(node.Inputs[i], after))];
        foreach (int index in own) node.SetInput(index, null);
        Rewiring.ReplaceInNestedOutputs(after, output);
        Graph body = after.Graph;
        if (after.IsGraphOutput && after.Producer is null)
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{after.Name}'", $"it is an output of the graph and {(after.IsGraphInput ? "an input" : "an initializer")} at once, and an output keeps its name", "A tensor that a node gives, or -Consumer",
                "Name the nodes that shall read the new output in -Consumer");
        }
        bool isInterface = after.IsGraphOutput;
        string name = after.Name, given = output.Name;
        TensorType? declared = after.Type;
        Origin origin = PassContext.NamesOf(after);
        body.ReplaceUses(after, output);
        if (isInterface)
        {
            // The new node gives the output now; the name that was asked for goes to what it reads.
            body.Rename(after, body.FreshName(spec.Outputs.Count > 0 && given != name ? given : $"{name}_before"));
            // A calibration cache knows the old content by the old name.
            after.Origin = origin;
            output.Origin = Origin.Of(given);
            output.Type = declared;
        }
        foreach (int index in own) node.SetInput(index, after);
    }

    private static string Describe(NodeSpec spec) => new HistoryText().Add("OpType", spec.OpType).Add("Name", spec.Name).Add("InsertAfter", spec.InsertAfter).Add("InputTensor", spec.Inputs).Add("OutputTensor", spec.Outputs)
        .Add("Attribute", spec.Attributes.Keys.Order(StringComparer.Ordinal)).Add("Initializer", spec.Initializers.Select(t => t.ToString())).Add("Consumer", spec.Consumers).ToString();
}
