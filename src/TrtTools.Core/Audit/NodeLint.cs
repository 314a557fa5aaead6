using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Audit;

/// <summary>Checks one node against its operator's definition.</summary>
internal sealed class NodeLint(Node node, LintBody body, LintLog log)
{
    private const string CheckExporter = "Check the exporter, or the tool that edited the model";

    /// <summary>Operators whose inputs all have one element type.</summary>
    private static readonly HashSet<string> s_oneType = new(StringComparer.Ordinal)
    {
        "Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean", "Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Xor",
        "MatMul", "Gemm", "Conv", "ConvTranspose", "Concat", "PRelu", "Mod",
    };

    private string Name => node.DisplayName;

    private string This => $"Node '{Name}' ({node.OpType}){body.Where}";

    public void Check()
    {
        CheckReferences();
        if (body.Model.FindFunction(node) is { } function)
        {
            CheckCall(function);
            return;
        }
        // Without an import, ModelLint speaks; the newest version serves to go on.
        long opset = body.Opset.TryGetValue(node.Domain, out long imported) ? imported : body.Model.OpsetImports.GetValueOrDefault(node.Domain, int.MaxValue);
        if (OperatorCatalog.Find(node.Domain, node.OpType) is not { } definition) CheckUnknown();
        else if (definition.Is(OperatorTraits.Removed)) log.Error("OperatorRemoved", Name, $"{This}: ONNX does not have this operator any more", definition.Replacement);
        else if (opset >= definition.DeprecatedSince) log.Error("OperatorRemoved", Name, $"{This}: this operator ended with opset {definition.DeprecatedSince - 1}; the model imports {opset}", definition.Replacement.Length > 0 ? definition.Replacement : CheckExporter);
        else if (opset < definition.Versions[0]) log.Error("OperatorTooNew", Name, $"{This}: this operator came with opset {definition.Versions[0]}; the model imports {opset}", $"Export the model with opset {definition.Versions[0]} or later");
        else CheckAgainst(definition, opset);
    }

    private void CheckUnknown()
    {
        bool isLocal = node.Domain == OnnxGraph.FusionDomain || body.Model.FunctionTable.Keys.Any(k => k.Domain == node.Domain);
        string[] near = Nearest();
        string suggestion = near.Length > 0 ? $"Did you mean {string.Join(" or ", near)}?" : "";
        if (isLocal && node.Domain.Length > 0)
        {
            log.Error("FunctionUndefined", Name, $"{This} calls '{node.Domain}::{node.OpType}', which the model does not define", suggestion.Length > 0 ? suggestion : "Export the model together with its functions");
        }
        else if (node.Domain is "" or OperatorCatalog.MachineLearningDomain)
        {
            log.Error("OperatorUnknown", Name, $"{This}: {(node.Domain.Length == 0 ? "ai.onnx" : node.Domain)} has no operator '{node.OpType}'", suggestion.Length > 0 ? suggestion : CheckExporter);
        }
        else
        {
            log.Warning("OperatorCustom", Name, $"{This} is of domain '{node.Domain}', of which nothing is known here", "Such a model runs only where this operator is installed");
        }
    }

    private string[] Nearest() => [.. OperatorCatalog.All.Where(d => d.Domain == node.Domain && !d.Is(OperatorTraits.Removed)).Select(d => d.OpType)
        .Concat(body.Model.FunctionTable.Keys.Where(k => k.Domain == node.Domain).Select(k => k.Name))
        .Select(n => (Name: n, Distance: EditDistance.Of(n, node.OpType))).Where(p => p.Distance <= Math.Min(3, node.OpType.Length / 3))
        .OrderBy(p => p.Distance).ThenBy(p => p.Name, StringComparer.Ordinal).Take(2).Select(p => p.Name)];

    private void CheckAgainst(OperatorDefinition definition, long opset)
    {
        (int minimum, int maximum) = definition.InputsAt(opset);
        int given = node.Inputs.Count;
        if (given < minimum || given > maximum) log.Error("InputCountInvalid", Name, $"{This} has {given} input(s); the operator takes {Range(minimum, maximum)}", CheckExporter);
        else if (minimum > 0 && node.Inputs[0] is null && definition.Form != ComputeForm.Control) log.Error("InputMissing", Name, $"{This} leaves out its first input, which is not optional", CheckExporter);
        (minimum, maximum) = definition.OutputsAt(opset);
        if (node.Outputs.Count < minimum || node.Outputs.Count > maximum) log.Error("OutputCountInvalid", Name, $"{This} has {node.Outputs.Count} output(s); the operator gives {Range(minimum, maximum)}", CheckExporter);
        CheckAttributes(definition, opset);
        CheckTypes(definition);
        CheckSubgraphs();
    }

    private static string Range(int minimum, int maximum) => minimum == maximum ? $"{minimum}" : maximum == int.MaxValue ? $"{minimum} or more" : $"{minimum} to {maximum}";

    private void CheckAttributes(OperatorDefinition definition, long opset)
    {
        // Every edit of a large graph comes through here for each of its nodes: no lists are made.
        IReadOnlyList<AttributeDefinition> all = definition.Attributes;
        for (int i = 0; i < all.Count; i++)
        {
            AttributeDefinition required = all[i];
            if (!required.IsRequired || !required.AppliesTo(opset) || node.Attributes.Contains(required.Name)) continue;
            log.Error("AttributeMissing", Name, $"{This} lacks the attribute '{required.Name}' ({required.Kind}), which has no default", CheckExporter);
        }
        foreach (Attribute attribute in node.Attributes)
        {
            AttributeDefinition? match = null;
            bool fits = false;
            for (int i = 0; i < all.Count; i++)
            {
                if (!all[i].AppliesTo(opset) || all[i].Name != attribute.Name) continue;
                match ??= all[i];
                fits |= all[i].Kind == attribute.Kind;
            }
            if (match is null)
            {
                // Tables of other domains list operators by name only.
                // ONNX Runtime adds attributes to its own operators without a new version.
                if (node.Domain.Length > 0 && (definition.Attributes.Count == 0 || node.Domain == OperatorCatalog.MicrosoftDomain)) continue;
                string when = definition.Attributes.FirstOrDefault(a => a.Name == attribute.Name) is { } other ? opset < other.First ? $" before opset {other.First}" : $" after opset {other.Last}" : "";
                log.Error("AttributeUnknown", Name, $"{This} has an attribute '{attribute.Name}', which the operator does not take{when}", "Remove it, or import the opset it belongs to");
            }
            else if (attribute.Kind != AttributeKind.Undefined && !fits)
            {
                log.Error("AttributeKindInvalid", Name, $"{This}: attribute '{attribute.Name}' is {attribute.Kind}, where the operator takes {match.Kind}", CheckExporter);
            }
        }
        if (node.Is("Constant") && node.Attributes.Count != 1) log.Error("ConstantInvalid", Name, $"{This} has {node.Attributes.Count} attributes that give a value; it takes exactly one", CheckExporter);
    }

    private void CheckTypes(OperatorDefinition definition)
    {
        if (node.Input(0)?.Type is { DataType: not DataType.Undefined } first && !IsIn(first.DataType, definition.Elements))
        {
            log.Error("TypeInvalid", Name, $"{This}: its input '{node.Inputs[0]!.Name}' is {first.DataType}, where the operator takes {ClassName(definition.Elements)}", "Add a Cast before it");
        }
        if (node.Domain.Length > 0 || !s_oneType.Contains(node.OpType)) return;
        Value? typed = null, odd = null;
        for (int i = 0; i < node.Inputs.Count && odd is null; i++)
        {
            if (node.Inputs[i] is not { Type: { DataType: not DataType.Undefined } type } value) continue;
            typed ??= value;
            if (type.DataType != typed.Type!.DataType) odd = value;
        }
        if (typed is not null && odd is not null) log.Error("TypeContradiction", Name, $"{This}: '{typed.Name}' is {typed.Type!.DataType}, '{odd.Name}' is {odd.Type!.DataType}; the operator takes one type for both", "Add a Cast before it");
    }

    private static bool IsIn(DataType type, ElementClass elements) => elements switch
    {
        ElementClass.Numeric => type is not (DataType.Bool or DataType.String),
        ElementClass.Float => !type.IsInteger() && type is not (DataType.Bool or DataType.String),
        ElementClass.Integer => !type.IsFloatingPoint() && type is not (DataType.Bool or DataType.String),
        ElementClass.Bool => type == DataType.Bool,
        ElementClass.String => type == DataType.String,
        _ => true,
    };

    private static string ClassName(ElementClass elements) => elements switch
    {
        ElementClass.Numeric => "numbers", ElementClass.Float => "floating-point numbers", ElementClass.Integer => "integers", ElementClass.Bool => "Booleans", _ => "strings",
    };

    private void CheckSubgraphs()
    {
        if (node.Is("If"))
        {
            foreach (string name in new[] { "then_branch", "else_branch" })
            {
                if (node.Attributes.Subgraph(name) is { } branch) CheckSignature(name, branch, 0, node.Outputs.Count);
            }
        }
        else if (node.Is("Loop") && node.Attributes.Subgraph("body") is { } loop)
        {
            int carried = Math.Max(0, node.Inputs.Count - 2);
            CheckSignature("body", loop, 2 + carried, 1 + node.Outputs.Count);
        }
        else if (node.Is("Scan") && node.Attributes.Subgraph("body") is { } scan)
        {
            int lengths = body.Opset.GetValueOrDefault("", int.MaxValue) < 9 ? 1 : 0;
            CheckSignature("body", scan, node.Inputs.Count - lengths, node.Outputs.Count);
        }
    }

    private void CheckSignature(string name, Graph graph, int inputs, int outputs)
    {
        if (graph.Inputs.Count != inputs) log.Error("SubgraphSignatureInvalid", Name, $"{This}: its {name} takes {graph.Inputs.Count} input(s), where the node gives {inputs}", CheckExporter);
        if (graph.Outputs.Count != outputs) log.Error("SubgraphSignatureInvalid", Name, $"{This}: its {name} gives {graph.Outputs.Count} output(s), where the node needs {outputs}", CheckExporter);
    }

    private void CheckCall(Function function)
    {
        string called = $"'{function.Domain}::{function.Name}'";
        if (node.Inputs.Count > function.Body.Inputs.Count) log.Error("InputCountInvalid", Name, $"{This} gives {node.Inputs.Count} input(s); function {called} takes {function.Body.Inputs.Count}", CheckExporter);
        if (node.Outputs.Count > function.Body.Outputs.Count) log.Error("OutputCountInvalid", Name, $"{This} takes {node.Outputs.Count} output(s); function {called} gives {function.Body.Outputs.Count}", CheckExporter);
        foreach (string required in function.RequiredAttributes.Where(a => !node.Attributes.Contains(a)))
        {
            log.Error("AttributeMissing", Name, $"{This} lacks the attribute '{required}', which function {called} needs", CheckExporter);
        }
        foreach (Attribute attribute in node.Attributes.Where(a => !function.RequiredAttributes.Contains(a.Name) && !function.DefaultAttributes.Any(d => d.Name == a.Name)))
        {
            log.Error("AttributeUnknown", Name, $"{This} has an attribute '{attribute.Name}', which function {called} does not take", "Remove it");
        }
    }

    private void CheckReferences()
    {
        foreach (Attribute attribute in node.Attributes.Where(a => a.Reference is not null))
        {
            if (body.Function is not { } function)
            {
                log.Error("ReferenceOutsideFunction", Name, $"{This}: attribute '{attribute.Name}' refers to a function's attribute '{attribute.Reference}', but stands in no function", "Give the attribute a value");
            }
            else if (!function.RequiredAttributes.Contains(attribute.Reference!) && !function.DefaultAttributes.Any(d => d.Name == attribute.Reference))
            {
                log.Error("ReferenceUnknown", Name, $"{This}: attribute '{attribute.Name}' refers to '{attribute.Reference}', which the function does not declare", "Declare it among the function's attributes");
            }
        }
    }
}
