using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>A node that a user asks for.</summary>
public sealed record NodeSpec
{
    /// <summary>The operator, "domain::name" outside ai.onnx.</summary>
    public required string OpType { get; init; }

    public string? Name { get; init; }

    /// <summary>Names of tensors; empty for an absent optional input.</summary>
    public IReadOnlyList<string> Inputs { get; init; } = [];

    /// <summary>Names of the new tensors, or of tensors that this node gives from now on; empty for an unwanted optional output.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [];

    /// <summary>Attributes by name: numbers, texts, arrays, tensors, graphs.</summary>
    public IReadOnlyDictionary<string, object> Attributes { get; init; } = new Dictionary<string, object>();

    /// <summary>New initializers that the inputs may name.</summary>
    public IReadOnlyList<Tensor> Initializers { get; init; } = [];

    /// <summary>The tensor behind which the node goes: who read it reads the node's first output.</summary>
    public string? InsertAfter { get; init; }

    /// <summary>With <see cref="InsertAfter"/>: only these nodes read the new output.</summary>
    public IReadOnlyList<string>? Consumers { get; init; }

    /// <summary>The version of the operator's domain, where the model imports none yet.</summary>
    public long? DomainVersion { get; init; }

    /// <summary>"com.microsoft::Gelu" as domain and name.</summary>
    internal static (string Domain, string OpType) Split(string opType)
    {
        int at = opType.LastIndexOf("::", StringComparison.Ordinal);
        if (at < 0) return ("", opType);
        string domain = opType[..at];
        return (domain == "ai.onnx" ? "" : domain, opType[(at + 2)..]);
    }

    /// <summary>Gives a node its attributes; the operator's definition decides between whole and floating-point numbers.</summary>
    internal static void SetAttributes(Node node, IReadOnlyDictionary<string, object> attributes)
    {
        foreach ((string name, object value) in attributes.OrderBy(a => a.Key, StringComparer.Ordinal))
        {
            Attribute attribute = AttributeConversion.From(name, value, KindOf(node, name), node.DisplayName);
            node.Attributes.Set(attribute);
        }
    }

    internal static AttributeKind KindOf(Node node, string attribute) =>
        OperatorCatalog.Find(node.Domain, node.OpType)?.Attributes.LastOrDefault(a => a.Name == attribute)?.Kind ?? node.Attributes[attribute]?.Kind ?? AttributeKind.Undefined;

    /// <summary>Sees to it that the model imports the operator's domain.</summary>
    internal static void Import(OnnxGraph model, string domain, long? version)
    {
        if (model.OpsetImports.ContainsKey(domain)) return;
        long newest = OperatorCatalog.All.Where(d => d.Domain == domain).Select(d => (long)d.Versions[^1]).DefaultIfEmpty(1).Max();
        model.OpsetImports[domain] = version ?? (domain is "" or OperatorCatalog.MachineLearningDomain ? newest : 1);
    }
}
