using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Between float and integer.</summary>
internal static class QuantizationOperators
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("QuantizeLinear", "10 13 19 21 23 24 25", ComputeForm.Pointwise, "2-3", "1",
            "axis:int=1@13- block_size:int=0@21- output_dtype:int=0@21- precision:int=0@23- saturate:int=1@19-")
            .Of(ElementClass.Numeric).Computes("round(x / y) + float(z ?? 0)").Shape(QuantizeLinear),
        new OperatorDefinition("DequantizeLinear", "10 13 19 21 23 24 25", ComputeForm.Pointwise, "2-3", "1", "axis:int=1@13- block_size:int=0@21- output_dtype:int=0@23-")
            .Of(ElementClass.Integer).Computes("float(x - (z ?? 0)) * y").Shape(DequantizeLinear),
        new OperatorDefinition("DynamicQuantizeLinear", "11", ComputeForm.Composite, "1", "3").Of(ElementClass.Float).Shape(DynamicQuantizeLinear).With(OperatorTraits.HasFunctionBody),
    ];

    private static void QuantizeLinear(InferenceContext context)
    {
        DataType type = (DataType)context.View.Int("output_dtype", 0);
        if (context.Has(2)) type = context.ElementType(2);
        else if (type == DataType.Undefined) type = DataType.UInt8;
        context.Set(0, type, context.Shape(0));
    }

    private static void DequantizeLinear(InferenceContext context)
    {
        DataType type = (DataType)context.View.Int("output_dtype", 0);
        context.Set(0, type != DataType.Undefined ? type : context.Opset < 19 ? DataType.Float32 : context.ElementType(1), context.Shape(0));
    }

    private static void DynamicQuantizeLinear(InferenceContext context)
    {
        context.Set(0, DataType.UInt8, context.Shape(0));
        context.Set(1, DataType.Float32, SymbolicShape.Scalar);
        context.Set(2, DataType.UInt8, SymbolicShape.Scalar);
    }
}
