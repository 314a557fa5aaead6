using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>MatMul of matrices of which one is transposed is a Gemm.</summary>
internal sealed class FoldTransposeIntoMatMul : NodePass
{
    public override string Name => "fold-transpose-into-matmul";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["MatMul"];

    public override bool Apply(Node node, PassContext context)
    {
        // Gemm's summand is optional since opset 11.
        if (context.Opset < 11 || node.Input(0) is not { } a || node.Input(1) is not { } b || node.Output() is not { } output) return false;
        if (Types.RankOf(a) != 2 || Types.RankOf(b) != 2 || Types.TypeOf(output) is not (DataType.Float32 or DataType.Float64 or DataType.Float16)) return false;
        Value? left = Source(a), right = Source(b);
        if (left is null && right is null) return false;
        Node gemm = context.AddNode("Gemm", [left ?? a, right ?? b], output.Name + "_gemm", node, PassContext.SourcesOf(node));
        if (left is not null) gemm.Attributes.Set(Attribute.Int("transA", 1));
        if (right is not null) gemm.Attributes.Set(Attribute.Int("transB", 1));
        context.SetInput(node, 0, null);
        context.SetInput(node, 1, null);
        context.Reproduce(output, gemm);
        return true;
    }

    /// <summary>What the matrix is the Transpose of, if nobody else needs it transposed.</summary>
    private static Value? Source(Value matrix) =>
        matrix is { HasSingleUse: true, Producer: { } transpose } && transpose.Is("Transpose") && (transpose.Attributes.Ints("perm") is null or [1, 0]) ? transpose.Input(0) : null;
}
