using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>Builds what stands in the place of a match.</summary>
internal sealed class PatternReplacer(GraphEdit edit)
{
    // An output that an earlier replacement gave away, and what its readers read now.
    private readonly Dictionary<Value, Value> _forwarded = [];

    public void Replace(PatternMatch match, GraphTextTerm term)
    {
        Node root = match.Match.Last;
        Value output = root.Outputs[0]!;
        IReadOnlyList<string> sources = PassContext.SourcesOf([.. match.Match.Nodes.Distinct().Reverse()]);
        foreach (Node reader in Rewiring.ReadersOf(output)) edit.Touch(reader);
        List<Value?> orphans = Rewiring.ReadBy(root).Cast<Value?>().ToList();
        Requires(root);
        if (term is GraphTextTerm.Call call)
        {
            Node node = Build(match, call, sources, out List<Value?> inputs);
            _ = inputs;
            Take(root, output, node);
        }
        else
        {
            Value value = Operand(match, term, sources, output.Type?.DataType) ?? throw new TrtToolsException(ErrorCode.OptionInvalid, "-Replacement", "it is an absent input", "A tensor", "Give an expression");
            if (ReferenceEquals(value, output)) return;
            Rewiring.Replace(output, value);
            _forwarded[output] = value;
            if (root.Outputs.All(o => o is not { HasUses: true })) root.Graph.Remove(root);
        }
        Rewiring.RemoveUnused(orphans);
    }

    public void Replace(PatternMatch match, NodeSpec spec)
    {
        Node root = match.Match.Last;
        Value output = root.Outputs[0]!;
        List<Value?> orphans = Rewiring.ReadBy(root).Cast<Value?>().ToList();
        foreach (Node reader in Rewiring.ReadersOf(output)) edit.Touch(reader);
        Requires(root);
        (string domain, string opType) = NodeSpec.Split(spec.OpType);
        Dictionary<string, Value> weights = spec.Initializers.ToDictionary(t => t.Name, t => Weight(root.Graph, t), StringComparer.Ordinal);
        List<Value?> inputs = [.. spec.Inputs.Select(n => n.Length == 0 ? null : match.Match[n] is { } bound ? Forward(bound) : weights.GetValueOrDefault(n) ?? edit.Names.Visible(root.Graph, n))];
        Node node = root.Graph.AddNode(opType, inputs, [], domain, root);
        NodeSpec.Import(edit.Model, domain, spec.DomainVersion);
        node.SourceNodes = PassContext.SourcesOf([.. match.Match.Nodes.Distinct().Reverse()]);
        string name = root.Name;
        Take(root, output, node);
        node.Name = spec.Name is { Length: > 0 } wanted ? edit.NewNodeName(wanted) : name;
        NodeSpec.SetAttributes(node, spec.Attributes);
        ShadowCheck.NamesIn(node, edit);
        Rewiring.RemoveUnused(orphans);
    }

    /// <summary>A weight that every match brings is one; of another content it gets a name of its own.</summary>
    private static Value Weight(Graph body, Tensor tensor) =>
        body.Resolve(tensor.Name) is { IsConstant: true } known && known.Data!.ContentEquals(tensor.Content) ? known : body.AddConstant(tensor.Name, tensor.Content);

    private static void Requires(Node root)
    {
        if (root.Outputs.Skip(1).FirstOrDefault(o => o is { HasUses: true }) is not { } extra) return;
        throw new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{root.DisplayName}' ({root.OpType})", $"its output '{extra.Name}' is read too, and a replacement gives the first only", "A node with one output that is read", "Leave this match as it is: give nothing for it");
    }

    /// <summary>The new node gives the old one's output, which keeps its name, readers and place.</summary>
    private void Take(Node root, Value output, Node node)
    {
        string name = root.Name;
        root.Graph.MoveOutput(output, node, 0);
        root.Graph.Remove(root);
        node.Name = name;
        edit.Touch(node);
    }

    private Node Build(PatternMatch match, GraphTextTerm.Call call, IReadOnlyList<string> sources, out List<Value?> inputs)
    {
        Node root = match.Match.Last;
        Value?[] built = new Value?[call.Inputs.Count];
        // Tensors first: they say what type the bare numbers beside them are.
        for (int i = 0; i < built.Length; i++)
        {
            if (call.Inputs[i] is not GraphTextTerm.Numbers) built[i] = Operand(match, call.Inputs[i], sources, null);
        }
        DataType? type = built.Select(TypeOf).FirstOrDefault(t => t is not null) ?? match.Match.Bound.Select(b => TypeOf(Forward(b.Value))).FirstOrDefault(t => t is not null);
        for (int i = 0; i < built.Length; i++)
        {
            if (call.Inputs[i] is GraphTextTerm.Numbers) built[i] = Operand(match, call.Inputs[i], sources, type);
        }
        inputs = [.. built];
        Node node = root.Graph.AddNode(call.OpType, inputs, [], call.Domain, root);
        NodeSpec.Import(edit.Model, call.Domain, null);
        node.SourceNodes = sources;
        foreach (Attribute attribute in call.Attributes) node.Attributes.Set(AttributeConversion.Fit(attribute, NodeSpec.KindOf(node, attribute.Name)));
        return node;
    }

    private Value? Operand(PatternMatch match, GraphTextTerm term, IReadOnlyList<string> sources, DataType? type)
    {
        Node root = match.Match.Last;
        switch (term)
        {
            case GraphTextTerm.Absent:
                return null;
            case GraphTextTerm.Name name:
                return match.Match[name.Text] is { } bound ? Forward(bound) : root.Graph.Resolve(name.Text) ?? throw Unknown(match, name.Text);
            case GraphTextTerm.Literal literal:
                return root.Graph.AddConstant($"{root.DisplayName}_constant", literal.Data);
            case GraphTextTerm.Numbers numbers:
                return root.Graph.AddConstant($"{root.DisplayName}_constant", Constant(numbers, type));
            case GraphTextTerm.Call call:
                Node node = Build(match, call, sources, out _);
                Value value = root.Graph.AddOutputTo(node, 0, root.Graph.FreshName($"{root.DisplayName}_{call.OpType}"));
                node.Name = edit.FreshNodeName(value.Name);
                // A guess that serves the numbers further out; the check infers the truth.
                if (TypeOf(node.Inputs.FirstOrDefault(i => i is not null)) is { } first) _guessed[value] = first;
                edit.Touch(node);
                return value;
            default:
                throw new InvalidOperationException();
        }
    }

    private readonly Dictionary<Value, DataType> _guessed = [];

    private readonly InferredTypes _types = edit.Types();

    /// <summary>The element type as declared, else as inferred in the graph before any replacement.</summary>
    private DataType? TypeOf(Value? value)
    {
        if (value is null) return null;
        if (value.Type is { DataType: not DataType.Undefined } known) return known.DataType;
        if (value.Data is { } data) return data.Type;
        if (_guessed.TryGetValue(value, out DataType guess)) return guess;
        return _types.Of(value)?.DataType;
    }

    private static TensorData Constant(GraphTextTerm.Numbers numbers, DataType? type)
    {
        DataType element = numbers.IsList && numbers.IsWhole ? DataType.Int64 : type ?? DataType.Float32;
        if (!numbers.IsWhole && !element.IsFloatingPoint()) element = DataType.Float32;
        return GraphText.FromDoubles(element, numbers.IsList ? [numbers.Values.Count] : [], [.. numbers.Values]);
    }

    private Value Forward(Value value)
    {
        while (_forwarded.TryGetValue(value, out Value? next)) value = next;
        return value;
    }

    private static TrtToolsException Unknown(PatternMatch match, string name) => new(ErrorCode.TensorNotFound, $"-Replacement: '{name}'", "the pattern has no such name, and the graph no such tensor", "",
        NameFinder.Nearest(name, match.Tensor.Keys, "The pattern has no names"));
}
