using System.Globalization;

namespace TrtTools.Ops;

/// <summary>Finds the types of a node's outputs.</summary>
internal delegate void ShapeRule(InferenceContext context);

/// <summary>Floating-point operations of a node, a multiply-add counting two.</summary>
internal delegate double FlopsRule(FlopsContext context);

/// <summary>Everything TrtTools knows of one operator, over all its versions. What changed between versions stands in
/// <see cref="OperatorView"/>, so that no pass asks for an opset.</summary>
internal sealed class OperatorDefinition
{
    private readonly (int Since, int Min, int Max)[] _inputs;
    private readonly (int Since, int Min, int Max)[] _outputs;

    /// <param name="versions">The opsets that (re)defined it: "1 6 13".</param>
    /// <param name="inputs">Numbers of inputs by version: "1 11:1-3" is one, from opset 11 on one to three; "1-*" has no limit.</param>
    /// <param name="outputs">Numbers of outputs in the same notation.</param>
    /// <param name="attributes">See <see cref="AttributeDefinition.Parse"/>.</param>
    public OperatorDefinition(string opType, string versions, ComputeForm form, string inputs, string outputs, string attributes = "", string domain = "")
    {
        OpType = opType;
        Domain = domain;
        Form = form;
        Versions = [.. versions.Split(' ').Select(v => int.Parse(v, CultureInfo.InvariantCulture))];
        _inputs = ParseArity(inputs);
        _outputs = ParseArity(outputs);
        Attributes = AttributeDefinition.Parse(attributes);
    }

    public string OpType { get; }

    /// <summary>Empty for ai.onnx.</summary>
    public string Domain { get; }

    /// <summary>Opsets that introduced or changed it, ascending.</summary>
    public IReadOnlyList<int> Versions { get; }

    public ComputeForm Form { get; }

    public OperatorTraits Traits { get; private set; }

    /// <summary>All attributes of all versions; see <see cref="AttributeDefinition.AppliesTo"/>.</summary>
    public IReadOnlyList<AttributeDefinition> Attributes { get; }

    public ElementClass Elements { get; private set; }

    /// <summary>Inputs whose content, not only shape, decides the outputs' shapes.</summary>
    public IReadOnlyList<int> ShapeInputs { get; private set; } = [];

    /// <summary>Inputs that Q/DQ insertion may quantize; empty for operators that stay float.</summary>
    public IReadOnlyList<int> QuantizableInputs { get; private set; } = [];

    /// <summary>What a pointwise operator computes of its elements, in the notation of Lowering's ScalarText: "x / (1 + abs(x))". Inputs are x, y, z by place; attributes go by
    /// their names. Null for operators that need more than one expression.</summary>
    public string? Scalar { get; private set; }

    /// <summary>The opset that removed it; null while it is current.</summary>
    public int? DeprecatedSince { get; private set; }

    /// <summary>What to use instead of a removed operator.</summary>
    public string Replacement { get; private set; } = "";

    /// <summary>Null when nothing is known about the outputs' shapes.</summary>
    public ShapeRule? ShapeRule { get; private set; }

    /// <summary>Null when the form's own estimate holds.</summary>
    public FlopsRule? FlopsRule { get; private set; }

    public bool Is(OperatorTraits trait) => (Traits & trait) == trait;

    /// <summary>The version that holds at <paramref name="opset"/>; null when the operator is newer or was removed before.</summary>
    public int? VersionAt(long opset)
    {
        if (opset >= DeprecatedSince) return null;
        int found = Versions.LastOrDefault(v => v <= opset);
        return found == 0 ? null : found;
    }

    public (int Min, int Max) InputsAt(long opset) => At(_inputs, opset);

    public (int Min, int Max) OutputsAt(long opset) => At(_outputs, opset);

    public double Flops(FlopsContext context) => FlopsRule is { } rule ? rule(context) : FlopsContext.ByForm(Form, context);

    public OperatorDefinition With(OperatorTraits traits)
    {
        Traits |= traits;
        return this;
    }

    public OperatorDefinition Of(ElementClass elements)
    {
        Elements = elements;
        return this;
    }

    public OperatorDefinition Shape(ShapeRule rule, params int[] shapeInputs)
    {
        ShapeRule = rule;
        ShapeInputs = shapeInputs;
        return this;
    }

    public OperatorDefinition Quantizes(params int[] inputs)
    {
        QuantizableInputs = inputs;
        return this;
    }

    public OperatorDefinition Computes(string scalar)
    {
        Scalar = scalar;
        return this;
    }

    public OperatorDefinition Costs(FlopsRule rule)
    {
        FlopsRule = rule;
        return this;
    }

    public OperatorDefinition Deprecated(int since, string replacement)
    {
        DeprecatedSince = since;
        Replacement = replacement;
        return this;
    }

    public OperatorDefinition Removed(string replacement)
    {
        Traits |= OperatorTraits.Removed;
        Replacement = replacement;
        return this;
    }

    public override string ToString() => $"{(Domain.Length > 0 ? Domain + "::" : "")}{OpType} ({string.Join(", ", Versions)})";

    private static (int Min, int Max) At((int Since, int Min, int Max)[] table, long opset)
    {
        (int Since, int Min, int Max) found = table.LastOrDefault(a => a.Since <= opset, table[0]);
        return (found.Min, found.Max);
    }

    private static (int Since, int Min, int Max)[] ParseArity(string text) => [.. text.Split(' ').Select(ParseOneArity)];

    private static (int Since, int Min, int Max) ParseOneArity(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        int since = colon < 0 ? 1 : int.Parse(text[..colon], CultureInfo.InvariantCulture);
        string[] ends = text[(colon + 1)..].Split('-');
        int min = int.Parse(ends[0], CultureInfo.InvariantCulture);
        int max = ends.Length == 1 ? min : ends[1] == "*" ? int.MaxValue : int.Parse(ends[1], CultureInfo.InvariantCulture);
        return (since, min, max);
    }
}
