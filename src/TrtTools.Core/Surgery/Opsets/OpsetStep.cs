using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

/// <summary>One node on its way from one opset to the next.</summary>
internal sealed class OpsetStep(OnnxGraph model, Node node, long to, Func<Value, TensorType?> typeOf, Func<Value, TensorData?> contentOf, Action<Node> changed)
{
    public Node Node { get; } = node;

    /// <summary>The opset that the graph has while the node is rewritten.</summary>
    public long Opset => model.OnnxOpset;

    public TensorType? TypeOf(Value? value) => value is null ? null : value.Data is { } data ? TensorType.Of(data) : typeOf(value);

    public SymbolicShape? ShapeOf(int input) => TypeOf(Node.Input(input))?.Shape;

    public DataType ElementType(int input) => TypeOf(Node.Input(input))?.DataType ?? DataType.Undefined;

    public int Rank(int input, string why) => ShapeOf(input)?.Rank ?? throw Refuse($"nothing is known of the number of dimensions of '{Node.Input(input)?.Name}', and {why}", "Give the graph's inputs their shapes with Set-GraphInput");

    /// <summary>The content of an input that no caller can replace, if only inference knows it; before IR version 4 all weights had to be inputs too.</summary>
    public TensorData? Constant(int input) => Node.Input(input) is not { } value ? null
        : value.Data is { } data ? value.IsConstant || model.IrVersion < 4 ? data : null
        : value.Producer is { } producer && producer.Is("Constant") ? producer.Attributes.Select(ConstantContent.Of).FirstOrDefault(c => c is not null) : contentOf(value);

    /// <summary>Whole numbers of a constant input; null where the input is absent.</summary>
    public long[]? Integers(int input, string what) => Node.Input(input) is null ? null
        : (Constant(input) ?? throw Refuse($"its {what} are computed ('{Node.Input(input)!.Name}'), and an attribute has to hold them", "Fold what computes them first: Optimize-OnnxGraph")).ToInt64();

    public TrtToolsException Refuse(string reason, string next) => Refusal(Node, to, reason, next);

    public static TrtToolsException Refusal(Node node, long to, string reason, string next) =>
        new(ErrorCode.ChangeRefused, $"Node '{node.DisplayName}' ({node.OpType})", FormattableString.Invariant($"it cannot be said in opset {to}: {reason}"), "Nothing was changed", next);

    public void RefuseText(string attribute, string content)
    {
        if (Node.Attributes.String(attribute, "") == content) throw Refuse($"its {attribute} is '{content}'", "Change the attribute with Set-GraphNode");
    }

    public void RenameMode(params (string Old, string New)[] names)
    {
        string mode = Node.Attributes.String("mode", names[0].Old);
        foreach ((string old, string name) in names)
        {
            if (mode == old) Node.Attributes.Set(Attribute.String("mode", name));
        }
    }

    public Value Constant(string hint, TensorData data) => Node.Graph.AddConstant($"{Node.DisplayName}_{hint}", data);

    public Value Vector(string hint, params long[] values) => Constant(hint, TensorData.Vector<long>(values));

    /// <summary>A number of the type of an input.</summary>
    public Value Number(string hint, double number, DataType type, params long[] shape) => Constant(hint, Evaluation.TensorMath.FromDouble(type, shape, [number]));

    public void AttributeToInput(string attribute, int input)
    {
        if (Node.Attributes.Ints(attribute) is not { } values) return;
        Node.Attributes.Remove(attribute);
        Node.SetInput(input, Vector(attribute, values));
    }

    public void InputToAttribute(int input, string attribute)
    {
        if (Integers(input, attribute) is not { } values) return;
        Node.Attributes.Set(Attribute.Ints(attribute, values));
        KeepInputs(input);
    }

    /// <summary>Takes the inputs from this place on off the node.</summary>
    public void KeepInputs(int count)
    {
        if (Node.Inputs.Count > count) Node.SetInputs([.. Node.Inputs.Take(count)]);
    }

    public void CountAxisFromStart(int rankOf = 0)
    {
        long axis = Node.Attributes.Int("axis", 0);
        if (axis < 0) Node.Attributes.Set(Attribute.Int("axis", axis + Rank(rankOf, "its axis counts from the end")));
    }

    public void CountAxesFromStart()
    {
        if (Node.Attributes.Ints("axes") is not { } axes || axes.All(a => a >= 0)) return;
        int rank = Rank(0, "its axes count from the end") + (Node.Is("Unsqueeze") ? axes.Length : 0);
        Node.Attributes.Set(Attribute.Ints("axes", [.. axes.Select(a => a < 0 ? a + rank : a)]));
    }

    /// <summary>A new node before this one.</summary>
    public Value Emit(string op, string hint, Value?[] inputs, params Attribute[] attributes)
    {
        Node emitted = Node.Graph.AddNode(op, inputs, [Node.Graph.FreshName($"{Node.DisplayName}_{hint}")], before: Node);
        emitted.Name = emitted.Output()!.Name;
        emitted.SourceNodes = Node.SourceNodes;
        foreach (Attribute attribute in attributes) emitted.Attributes.Set(attribute);
        changed(emitted);
        return emitted.Output()!;
    }

    /// <summary>The node becomes another one; name, outputs and place stay.</summary>
    public void Become(string op, Value?[] inputs, params Attribute[] attributes)
    {
        Node.OpType = op;
        Node.SetInputs(inputs);
        foreach (Attribute attribute in Node.Attributes.ToList()) Node.Attributes.Remove(attribute.Name);
        foreach (Attribute attribute in attributes) Node.Attributes.Set(attribute);
    }

    /// <summary>Takes away the outputs from this place on; refused where something reads one.</summary>
    public void KeepOutputs(int count, string why)
    {
        for (int i = Node.Outputs.Count - 1; i >= count; i--)
        {
            if (Node.Outputs[i] is { HasUses: true } used) throw Refuse($"its output '{used.Name}' is read, and {why}", "Remove the readers first");
            Node.Graph.RemoveOutputOf(Node, i);
        }
    }
}
