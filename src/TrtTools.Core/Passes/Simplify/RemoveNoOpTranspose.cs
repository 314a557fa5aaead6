using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

internal sealed class RemoveNoOpTranspose : NodePass
{
    public override string Name => "remove-no-op-transpose";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Transpose"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } input || node.Output() is not { } output || !PassContext.CanReplace(output, input)) return false;
        if (node.Attributes.Ints("perm") is { } permutation)
        {
            for (int i = 0; i < permutation.Length; i++)
            {
                if (permutation[i] != i) return false;
            }
        }
        else if (Types.RankOf(input) is not (0 or 1))
        {
            return false;
        }
        context.Replace(output, input);
        return true;
    }
}
