using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>MatMul of two matrices plus a bias that broadcasts to the product is one Gemm.</summary>
internal sealed class MergeMatMulAddIntoGemm : NodePass
{
    public override string Name => "merge-matmul-add-into-gemm";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Add"];

    public override bool Apply(Node node, PassContext context)
    {
        // Before opset 7 Gemm broadcast only on request; integers are matrix-multiplied by MatMul alone in ONNX Runtime.
        if (context.Opset < 7 || node.Inputs.Count != 2) return false;
        return Try(node, 0, context) || Try(node, 1, context);
    }

    private static bool Try(Node node, int side, PassContext context)
    {
        if (node.Input(side) is not { HasSingleUse: true, Producer: { } product } || !product.Is("MatMul") || product.Graph != node.Graph) return false;
        if (node.Input(1 - side) is not { } bias || product.Input(0) is not { } a || product.Input(1) is not { } b || node.Output() is not { } output) return false;
        if (Types.RankOf(a) != 2 || Types.ShapeOf(b) is not { Rank: 2 } weights || !Types.TypeOf(b).IsFloatingPoint()) return false;
        if (Types.StaticShapeOf(bias) is not { } extents || weights[1] is not { IsConstant: true } columns) return false;
        // One row for all, or one number: rows of their own would need the number of rows, which may be dynamic.
        bool broadcasts = extents.Length <= 2 && (extents.Length == 0 || extents[^1] == columns.Value || extents[^1] == 1) && (extents.Length < 2 || extents[0] == 1);
        if (!broadcasts) return false;
        Node gemm = context.AddNode("Gemm", [a, b, bias], output.Name + "_gemm", node, PassContext.SourcesOf(product, node));
        node.SetInputs();
        context.Reproduce(output, gemm);
        context.RemoveIfUnused(product);
        return true;
    }
}
