using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Operators that carry state along an axis.</summary>
internal static class Recurrent
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("LSTM", "1 7 14 22", ComputeForm.Recurrence, "3-8", "0-3",
            "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string=forward hidden_size:int input_forget:int=0 "
            + "layout:int=0@14- output_sequence:int=0@-6")
            .Of(ElementClass.Float).Shape(Cell).Costs(CellFlops),
        new OperatorDefinition("GRU", "1 3 7 14 22", ComputeForm.Recurrence, "3-6", "2 3:0-2",
            "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string=foward@-2 direction:string=forward@3- hidden_size:int "
            + "layout:int=0@14- linear_before_reset:int=0@3- output_sequence:int=0@-6")
            .Of(ElementClass.Float).Shape(Cell).Costs(CellFlops),
        new OperatorDefinition("RNN", "1 7 14 22", ComputeForm.Recurrence, "3-6", "0-2",
            "activation_alpha:floats activation_beta:floats activations:strings=[Tanh,Tanh] clip:float direction:string=forward hidden_size:int layout:int=0@14- "
            + "output_sequence:int=0@-6")
            .Of(ElementClass.Float).Shape(Cell).Costs(CellFlops),
        new OperatorDefinition("CumSum", "11 14", ComputeForm.Recurrence, "2", "1", "exclusive:int=0 reverse:int=0").Of(ElementClass.Numeric).Shape(Same),
        new OperatorDefinition("CumProd", "26", ComputeForm.Recurrence, "2", "1", "exclusive:int=0 reverse:int=0").Of(ElementClass.Numeric).Shape(Same),
    ];

    private static void Cell(InferenceContext context)
    {
        OperatorView view = context.View;
        bool batchFirst = view.Int("layout", 0) != 0;
        SymbolicShape? x = context.Shape(0), recurrence = context.Shape(2);
        DimExpr directions = view.String("direction", "forward") == "bidirectional" ? 2 : 1;
        DimExpr? hidden = view.HasAttribute("hidden_size") ? view.Int("hidden_size", 0) : recurrence is { Rank: 3 } ? recurrence.Dimensions[2] : null;
        DimExpr? sequence = x is { Rank: 3 } ? x.Dimensions[batchFirst ? 1 : 0] : null, batch = x is { Rank: 3 } ? x.Dimensions[batchFirst ? 0 : 1] : null;
        DataType type = context.ElementType(0);
        if (batchFirst)
        {
            context.Set(0, type, batch, sequence, directions, hidden);
            context.Set(1, type, batch, directions, hidden);
            context.Set(2, type, batch, directions, hidden);
            return;
        }
        context.Set(0, type, sequence, directions, batch, hidden);
        context.Set(1, type, directions, batch, hidden);
        context.Set(2, type, directions, batch, hidden);
    }

    // Two matrix-vector products for each step, batch element and direction; the gates' pointwise work is small beside them.
    private static double CellFlops(FlopsContext context)
    {
        if (context.Input(0) is not { Length: 3 } x) return 0;
        return 2.0 * x[0] * x[1] * (context.InputCount(1) + context.InputCount(2));
    }
}
