using TrtTools.Ir;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Log of Softmax is LogSoftmax, which also holds where the Softmax would round to 0.</summary>
internal sealed class MergeLogSoftmax : NodePass
{
    public override string Name => "merge-log-softmax";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Log"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { HasSingleUse: true, Producer: { } softmax } || !softmax.Is("Softmax") || softmax.Graph != node.Graph || node.Output() is not { } output) return false;
        Node merged = context.AddNode("LogSoftmax", [softmax.Input(0)], output.Name + "_logsoftmax", node, PassContext.SourcesOf(softmax, node));
        foreach (Attribute attribute in softmax.Attributes) merged.Attributes.Set(attribute);
        context.SetInput(node, 0, null);
        context.Reproduce(output, merged);
        return true;
    }
}
