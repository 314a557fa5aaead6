using System.Globalization;
using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

/// <summary>Takes a model from one opset to another, one at a time, so that each adapter only knows two that follow each other.</summary>
internal sealed class OpsetConverter(OnnxGraph model, Func<Value, TensorType?> typeOf, Func<Value, TensorData?> contentOf, Action<Node> changed)
{
    // The IR version that came out with each opset from 7 on.
    private static readonly int[] s_irVersions = [3, 3, 4, 5, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 13];

    /// <summary>The adapters that changed a node, for those who want to know.</summary>
    public HashSet<OpsetAdapter> Applied { get; } = [];

    /// <summary>Nodes that no adapter and no definition knows go through as they are.</summary>
    public bool Lenient { get; init; }

    /// <summary>In place; functions must be expanded.</summary>
    /// <exception cref="TrtToolsException">ChangeRefused, with the node that cannot be said in the opset, and why.</exception>
    public void To(long target, CancellationToken stop)
    {
        ReplaceRemoved();
        int direction = model.OnnxOpset < target ? 1 : -1;
        while (model.OnnxOpset != target)
        {
            stop.ThrowIfCancellationRequested();
            long from = model.OnnxOpset, to = from + direction;
            foreach (Graph graph in model.Body.WithSubgraphs.ToList())
            {
                foreach (Node node in graph.Nodes)
                {
                    if (node.Domain.Length == 0) Step(node, from, to);
                }
            }
            model.OpsetImports[""] = to;
        }
    }

    /// <summary>The IR version that belongs to the model's opset, as far as what the model holds allows it.</summary>
    public void SettleIrVersion(bool lower)
    {
        long wanted = s_irVersions[Math.Clamp(model.OnnxOpset - 7, 0, s_irVersions.Length - 1)];
        wanted = ModelLint.IrVersionsNeeded(model).Select(n => n.Version).Append(wanted).Max();
        if (lower) model.IrVersion = Math.Min(model.IrVersion, wanted);
        else model.IrVersion = Math.Max(model.IrVersion, wanted);
    }

    private void ReplaceRemoved()
    {
        foreach (Graph graph in model.Body.WithSubgraphs.ToList())
        {
            foreach (Node node in graph.Nodes)
            {
                if (node.Domain.Length > 0 || OperatorCatalog.Find("", node.OpType) is not { } definition || !definition.Is(OperatorTraits.Removed)) continue;
                if (OpsetAdapters.Find(node.OpType, 0, 0) is { } adapter) Apply(adapter, node, model.OnnxOpset);
                else if (!Lenient) throw OpsetStep.Refusal(node, model.OnnxOpset, "ONNX dropped the operator", definition.Replacement.Length > 0 ? definition.Replacement : "Replace it with Invoke-GraphPattern");
            }
        }
    }

    private void Apply(OpsetAdapter adapter, Node node, long to)
    {
        adapter.Rewrite(new OpsetStep(model, node, to, typeOf, contentOf, changed));
        changed(node);
        Applied.Add(adapter);
    }

    private void Step(Node node, long from, long to)
    {
        OperatorDefinition? before = OperatorCatalog.Find("", node.OpType);
        if (OpsetAdapters.Find(node.OpType, from, to) is { } adapter)
        {
            string op = node.OpType;
            Apply(adapter, node, to);
            if (!string.Equals(op, node.OpType, StringComparison.Ordinal)) return;
        }
        else if (before is not null && before.VersionAt(from) == before.VersionAt(to) && before.VersionAt(to) is not null) return;
        if (Lenient) return;
        if (before is null) throw OpsetStep.Refusal(node, to, "TrtTools does not know the operator and its versions", "Replace it first, or move it to a domain of its own with Set-GraphNode");
        if (before.VersionAt(to) is null)
        {
            throw to > from ? OpsetStep.Refusal(node, to, "the operator was dropped", before.Replacement.Length > 0 ? before.Replacement : "Replace it with Invoke-GraphPattern")
                : OpsetStep.Refusal(node, to, string.Create(CultureInfo.InvariantCulture, $"the operator came with opset {before.Versions[0]}"), string.Create(CultureInfo.InvariantCulture, $"Keep opset {before.Versions[0]}, or replace it with Invoke-GraphPattern"));
        }
        Fit(node, before, from, to);
        changed(node);
    }

    /// <summary>Attributes, inputs, outputs and types that the other version knows.</summary>
    private void Fit(Node node, OperatorDefinition definition, long from, long to)
    {
        foreach (Attribute attribute in node.Attributes)
        {
            if (definition.Attributes.Any(a => a.Name == attribute.Name && a.AppliesTo(to))) continue;
            if (IsDefault(attribute, definition.Attributes.FirstOrDefault(a => a.Name == attribute.Name && a.AppliesTo(from)))) node.Attributes.Remove(attribute.Name);
            else throw OpsetStep.Refusal(node, to, $"its attribute '{attribute.Name}' is unknown there", "Change it with Set-GraphNode, or keep the opset");
        }
        int most = definition.InputsAt(to).Max;
        for (int i = node.Inputs.Count - 1; i >= 0 && node.Inputs[i] is null && i >= most; i--) node.SetInputs([.. node.Inputs.Take(i)]);
        if (node.Inputs.Count > most) throw OpsetStep.Refusal(node, to, string.Create(CultureInfo.InvariantCulture, $"it has {node.Inputs.Count} inputs, and {most} at most there"), "Keep the opset");
        OpsetStep step = new(model, node, to, typeOf, contentOf, changed);
        step.KeepOutputs(Math.Max(1, definition.OutputsAt(to).Max), "the operator has it not there");
        foreach (Value value in node.Inputs.Concat(node.Outputs).OfType<Value>())
        {
            DataType type = step.TypeOf(value)?.DataType ?? DataType.Undefined;
            int first = type switch { DataType.BFloat16 => 13, >= DataType.Float8E4M3FN and <= DataType.Float8E5M2FNUZ => 19, > DataType.Float8E5M2FNUZ => 21, _ => 1 };
            if (first > to) throw OpsetStep.Refusal(node, to, string.Create(CultureInfo.InvariantCulture, $"'{value.Name}' is of {type}, which came with opset {first}"), "Convert the precision first: ConvertTo-OnnxPrecision");
        }
    }

    private static bool IsDefault(Attribute attribute, AttributeDefinition? definition) => attribute.Content switch
    {
        long number => definition?.Default is { } text && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long standard) && standard == number,
        float number => definition?.Default is { } text && float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float standard) && standard == number,
        byte[] => definition?.Default == attribute.Text,
        // Dilations and strides are ones unless said otherwise.
        long[] numbers => definition?.Default is null && attribute.Name is "dilations" or "strides" && numbers.All(n => n == 1),
        _ => false,
    };
}
