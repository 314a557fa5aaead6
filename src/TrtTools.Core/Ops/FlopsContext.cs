using TrtTools.Ir;

namespace TrtTools.Ops;

/// <summary>A node with the extents of its inputs and outputs, for estimates of work.</summary>
/// <param name="View">The node.</param>
/// <param name="Inputs">Extents of each input; null where absent or unknown.</param>
/// <param name="Outputs">Extents of each output.</param>
internal sealed record FlopsContext(OperatorView View, IReadOnlyList<long[]?> Inputs, IReadOnlyList<long[]?> Outputs)
{
    public long[]? Input(int index) => index < Inputs.Count ? Inputs[index] : null;

    public long[]? Output(int index = 0) => index < Outputs.Count ? Outputs[index] : null;

    public double InputCount(int index) => Count(Input(index));

    public double OutputCount(int index = 0) => Count(Output(index));

    /// <summary>Number of elements, as a double so that nothing overflows; 0 when unknown.</summary>
    public static double Count(long[]? shape) => shape is null ? 0 : shape.Aggregate(1.0, static (product, d) => product * Math.Max(0, d));

    /// <summary>What an operator of this form takes when its definition says nothing else: one operation an element for arithmetic, none for moving data.</summary>
    public static double ByForm(ComputeForm form, FlopsContext context) => form switch
    {
        ComputeForm.Pointwise => context.OutputCount() * Math.Max(1, context.View.Node.Inputs.Count(i => i is not null) - 1),
        ComputeForm.Reduction => context.InputCount(0),
        // A matrix product's inner extent is the first operand's last; convolutions say it themselves.
        ComputeForm.Contraction => context.Input(0) is { Length: > 0 } a ? 2 * context.OutputCount() * a[^1] : 0,
        ComputeForm.Window => context.OutputCount() * FlopsContext.Count(context.View.Ints("kernel_shape")),
        ComputeForm.Resample => context.OutputCount() * 4,
        _ => 0,
    };

    public static double PerElement(FlopsContext context, double operations) => context.InputCount(0) * operations;
}
