using TrtTools.Ir;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery.Opsets;

/// <summary>Reductions name their axes by an input in newer opsets and by an attribute in older ones.</summary>
internal static class ReductionRewrites
{
    public static void AxesToAttribute(OpsetStep step)
    {
        long[]? axes = step.Integers(1, "axes");
        bool nothing = step.Node.Attributes.Int("noop_with_empty_axes", 0) != 0;
        step.Node.Attributes.Remove("noop_with_empty_axes");
        if (axes is { Length: > 0 })
        {
            step.InputToAttribute(1, "axes");
            return;
        }
        if (!nothing) step.KeepInputs(1);
        else if (step.Node.OpType is "ReduceSum" or "ReduceMax" or "ReduceMin" or "ReduceMean" or "ReduceProd") step.Become("Identity", [step.Node.Input(0)]);
        else throw step.Refuse("it names no axes and reduces none", "Remove it, or give it axes");
    }
}
