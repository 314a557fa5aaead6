using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Operators whose results differ from run to run.</summary>
internal static class Randoms
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("RandomNormal", "1 22", ComputeForm.Random, "0", "1", "dtype:int=1 mean:float=0.0 scale:float=1.0 seed:float shape:ints!")
            .Of(ElementClass.Float).Shape(OfShape).With(OperatorTraits.Random),
        new OperatorDefinition("RandomUniform", "1 22", ComputeForm.Random, "0", "1", "dtype:int=1 high:float=1.0 low:float=0.0 seed:float shape:ints!")
            .Of(ElementClass.Float).Shape(OfShape).With(OperatorTraits.Random),
        new OperatorDefinition("RandomNormalLike", "1 22", ComputeForm.Random, "1", "1", "dtype:int mean:float=0.0 scale:float=1.0 seed:float").Shape(Like).With(OperatorTraits.Random),
        new OperatorDefinition("RandomUniformLike", "1 22", ComputeForm.Random, "1", "1", "dtype:int high:float=1.0 low:float=0.0 seed:float").Shape(Like).With(OperatorTraits.Random),
        new OperatorDefinition("Bernoulli", "15 22", ComputeForm.Random, "1", "1", "dtype:int seed:float")
            .Of(ElementClass.Float).Shape(Like).With(OperatorTraits.Random | OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Multinomial", "7 22", ComputeForm.Random, "1", "1", "dtype:int=6 sample_size:int=1 seed:float")
            .Of(ElementClass.Float).Shape(Multinomial).With(OperatorTraits.Random),
    ];

    private static void OfShape(InferenceContext context) =>
        context.Set(0, (DataType)context.View.Int("dtype", 1), context.View.Ints("shape") is { Length: <= ShapeRules.LargestRank } shape ? SymbolicShape.Of(shape) : null);

    private static void Like(InferenceContext context) =>
        context.Set(0, (DataType)context.View.Int("dtype", (long)context.ElementType(0)), context.Shape(0));

    private static void Multinomial(InferenceContext context) =>
        context.Set(0, (DataType)context.View.Int("dtype", 6), context.Shape(0) is { Rank: > 0 } input ? input.Dimensions[0] : null, context.View.Int("sample_size", 1));
}
