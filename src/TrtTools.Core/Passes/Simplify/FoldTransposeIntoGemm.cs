using TrtTools.Ir;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>A Transpose of a matrix before Gemm becomes the Gemm's own.</summary>
internal sealed class FoldTransposeIntoGemm : NodePass
{
    public override string Name => "fold-transpose-into-gemm";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Gemm"];

    public override bool Apply(Node node, PassContext context) => Try(node, 0, "transA", context) || Try(node, 1, "transB", context);

    private static bool Try(Node node, int side, string attribute, PassContext context)
    {
        if (node.Input(side) is not { Producer: { } transpose } || !transpose.Is("Transpose") || transpose.Input(0) is not { } source) return false;
        if (transpose.Attributes.Ints("perm") is { } permutation ? permutation is not [1, 0] : Types.RankOf(source) != 2) return false;
        node.SourceNodes = PassContext.SourcesOf(transpose, node);
        node.Attributes.Set(Attribute.Int(attribute, node.Attributes.Int(attribute, 0) != 0 ? 0 : 1));
        context.SetInput(node, side, source);
        return true;
    }
}
