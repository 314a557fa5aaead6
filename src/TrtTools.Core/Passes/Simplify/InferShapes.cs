using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Learns types and shapes, and makes constants of integer tensors whose content follows from them.</summary>
internal sealed class InferShapes : GraphPass
{
    public override string Name => "infer-shapes";

    public override int Apply(PassContext context)
    {
        int count = 0;
        foreach (Node node in context.InferShapes().SelectMany(n => n.Subgraphs.SelectMany(g => g.NodesWithSubgraphs).Prepend(n)))
        {
            if (!node.IsAlive || Traits.IsNeverFolded(node) || node.Is("Constant")) continue;
            foreach (Value? output in node.Outputs)
            {
                if (output is not { HasUses: true } || output.Type is not { Shape: not null } type || context.ContentOf(output) is not { } contents) continue;
                if (output.Type.Shape.ToStatic() is not { } shape || TensorData.CountElements(shape) != contents.Length || !contents.All(c => c is { IsConstant: true })) continue;
                if (type.DataType != DataType.Int64 && type.DataType != DataType.Int32) continue;
                if (node.Is("Identity") && output.IsGraphOutput && PassContext.Constant(node.Input(0)) is not null) continue;
                context.ReplaceByConstant(output, type.DataType == DataType.Int64
                    ? TensorData.From<long>([.. contents.Select(c => c!.Value)], shape)
                    : TensorData.From<int>([.. contents.Select(c => checked((int)c!.Value))], shape));
                count++;
            }
        }
        return count;
    }
}
