using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>An If whose condition is known is replaced by the branch taken.</summary>
internal sealed class InlineConstantIf : NodePass
{
    public override string Name => "inline-constant-if";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["If"];

    public override bool Apply(Node node, PassContext context)
    {
        if (PassContext.Constant(node.Input(0)) is not { Type: DataType.Bool, ElementCount: 1 } condition) return false;
        if (node.Attributes.Subgraph(condition.Bytes[0] != 0 ? "then_branch" : "else_branch") is not { } branch || branch.Outputs.Count != node.Outputs.Count) return false;
        // The copy belongs to no graph, so that its names are free once the originals are gone.
        Graph taken = GraphCopier.Copy(branch);
        foreach (Value captured in node.Subgraphs.SelectMany(Captures.Of).Distinct().ToList()) context.Touch(captured.Producer);
        node.Attributes.Remove("then_branch");
        node.Attributes.Remove("else_branch");
        Dictionary<Value, Value> map = [];
        BodyMover.MoveInto(node, taken, map, context);
        IReadOnlyList<Value> results = taken.Outputs;
        for (int i = 0; i < node.Outputs.Count; i++)
        {
            if (node.Outputs[i] is { } output) BodyMover.Carry(output, map.GetValueOrDefault(results[i], results[i]), context);
        }
        taken.Detach();
        if (node.IsAlive) context.Remove(node);
        return true;
    }
}
