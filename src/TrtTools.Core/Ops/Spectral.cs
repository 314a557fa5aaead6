using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Fourier transforms.</summary>
internal static class Spectral
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("DFT", "17 20", ComputeForm.Spectral, "1-2 20:1-3", "1", "axis:int=1@-19 inverse:int=0 onesided:int=0").Of(ElementClass.Float).Shape(Dft, 1),
        new OperatorDefinition("STFT", "17", ComputeForm.Spectral, "2-4", "1", "onesided:int=1").Of(ElementClass.Float).Shape(Stft, 1, 3),
    ];

    private static void Dft(InferenceContext context)
    {
        SymbolicShape? result = null;
        if (context.Shape(0) is { } shape)
        {
            long? axis = context.Opset >= 20 ? context.Has(2) ? context.View.Integers(2) is [long given] ? given : null : -2 : context.View.Int("axis", 1);
            DimExpr?[] extents = ShapeRules.Copy(shape);
            if (axis is null)
            {
                extents = new DimExpr?[shape.Rank];
            }
            else
            {
                if (ShapeRules.NormalizeAxis(context, axis.Value, shape.Rank) is not { } own) return;
                if (context.Has(1)) extents[own] = context.Content(1) is { Length: 1 } length ? length[0] : null;
                bool oneSided = context.View.Int("onesided", 0) != 0, inverse = context.View.Int("inverse", 0) != 0;
                if (oneSided && !inverse) extents[own] = Dims.Add(Dims.FloorDiv(extents[own], 2), DimExpr.One);
                extents[^1] = oneSided && inverse ? 1 : 2;
            }
            result = new SymbolicShape(extents);
        }
        context.Set(0, context.ElementType(0), result);
    }

    private static void Stft(InferenceContext context)
    {
        SymbolicShape? signal = context.Shape(0);
        DimExpr? step = context.Content(1) is { Length: 1 } s ? s[0] : null;
        DimExpr? frame = context.Content(3) is { Length: 1 } f ? f[0] : context.Shape(2) is { Rank: 1 } window ? window.Dimensions[0] : null;
        DimExpr? frames = signal is { Rank: > 1 } ? Dims.Add(Dims.FloorDiv(Dims.Subtract(signal.Dimensions[1], frame), step), DimExpr.One) : null;
        DimExpr? bins = context.View.Int("onesided", 1) != 0 ? Dims.Add(Dims.FloorDiv(frame, 2), DimExpr.One) : frame;
        context.Set(0, context.ElementType(0), signal is { Rank: > 0 } ? signal.Dimensions[0] : null, frames, bins, 2);
    }
}
