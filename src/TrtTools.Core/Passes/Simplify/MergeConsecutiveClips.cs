using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Clip and Relu after Clip and Relu is one Clip, or one Relu; what changes nothing goes.</summary>
internal sealed class MergeConsecutiveClips : NodePass
{
    public override string Name => "merge-consecutive-clips";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Clip", "Relu"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Output() is not { } output || node.Input(0) is not { } input || Bounds(node, context) is not { } outer) return false;
        if (outer is (double.NegativeInfinity, double.PositiveInfinity) && PassContext.CanReplace(output, input))
        {
            context.Replace(output, input);
            return true;
        }
        if (input is not { Producer: { } inner } || inner.Graph != node.Graph || inner.Domain.Length > 0 || inner.OpType is not ("Clip" or "Relu" or "Sigmoid" or "HardSigmoid" or "Softmax") || Bounds(inner, context) is not { } within) return false;
        // The inner one keeps to the outer one's bounds already.
        if (within.Min >= outer.Min && within.Max <= outer.Max && within.Min <= within.Max && PassContext.CanReplace(output, input))
        {
            context.Replace(output, input);
            return true;
        }
        if (inner.OpType is not ("Clip" or "Relu") || !input.HasSingleUse || inner.Input(0) is not { } source) return false;
        // First the inner bounds, then the outer ones.
        (double min, double max) = (Math.Min(Math.Max(within.Min, outer.Min), outer.Max), Math.Min(Math.Max(within.Max, outer.Min), outer.Max));
        if (min > max || within.Min > within.Max || outer.Min > outer.Max) return false;
        if (Types.TypeOf(source) is not (DataType.Float32 or DataType.Float16 or DataType.Float64)) return false;
        node.SourceNodes = PassContext.SourcesOf(inner, node);
        if (node.OpType == "Relu" && (min, max) is not (0, double.PositiveInfinity)) return Become(node, inner, output, source, min, max, context);
        if (node.OpType == "Clip") return Become(node, inner, output, source, min, max, context);
        context.SetInput(node, 0, source);
        return true;
    }

    private static bool Become(Node node, Node inner, Value output, Value source, double min, double max, PassContext context)
    {
        if (context.Opset < 6) return false;
        Node clip;
        DataType type = Types.TypeOf(source);
        IReadOnlyList<string> sources = PassContext.SourcesOf(inner, node);
        if (context.Opset >= 11)
        {
            Value? Bound(double value, string hint) => double.IsInfinity(value) ? null : node.Graph.AddConstant(output.Name + hint, TensorMath.FromDouble(type, [], [value]));
            List<Value?> inputs = [source, Bound(min, "_min"), Bound(max, "_max")];
            while (inputs[^1] is null) inputs.RemoveAt(inputs.Count - 1);
            clip = context.AddNode("Clip", inputs, output.Name + "_clip", node, sources);
        }
        else
        {
            clip = context.AddNode("Clip", [source], output.Name + "_clip", node, sources);
            if (!double.IsInfinity(min)) clip.Attributes.Set(Attribute.Float("min", (float)min));
            if (!double.IsInfinity(max)) clip.Attributes.Set(Attribute.Float("max", (float)max));
        }
        context.SetInput(node, 0, null);
        context.Reproduce(output, clip);
        return true;
    }

    /// <summary>Between which numbers the node's results lie; null when that is not known.</summary>
    private static (double Min, double Max)? Bounds(Node node, PassContext context) => node.OpType switch
    {
        "Relu" => (0, double.PositiveInfinity),
        "Sigmoid" or "HardSigmoid" or "Softmax" => (0, 1),
        _ => context.View(node).ClipBounds is ({ } min, { } max) && !double.IsNaN(min) && !double.IsNaN(max) ? (min, max) : null,
    };
}
