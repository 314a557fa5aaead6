using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Constant nodes become initializers of their graph.</summary>
internal sealed class LiftConstantsToInitializers : NodePass
{
    public override string Name => "lift-constants-to-initializers";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Constant"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Output() is not { HasUses: true } output || ConstantReader.ReadNode(node) is not { } data) return false;
        if (output.IsGraphOutput)
        {
            if (output.UseList.Count == 0) return false;
            // The output keeps its node; everybody else reads an initializer.
            Value copy = output.Graph.AddConstant(output.Name + "_constant", data);
            foreach (Use use in output.UseList.ToArray()) context.SetInput(use.Node, use.Index, copy);
            return true;
        }
        context.ReplaceByConstant(output, data);
        return true;
    }
}
