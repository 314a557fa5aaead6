using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Softmax, the normalizations and the losses.</summary>
internal static class Normalization
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("Softmax", "1 11 13", ComputeForm.Composite, "1", "1", "axis:int=1@-12 axis:int=-1@13-")
            .Of(ElementClass.Float).Shape(Same).Costs(SoftmaxFlops).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("LogSoftmax", "1 11 13", ComputeForm.Composite, "1", "1", "axis:int=1@-12 axis:int=-1@13-")
            .Of(ElementClass.Float).Shape(Same).Costs(SoftmaxFlops).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("BatchNormalization", "1 6 7 9 14 15", ComputeForm.Composite, "5", "1-5 14:1-3",
            "consumed_inputs:ints!@-5 epsilon:float=1e-05 is_test:int=0@-6 momentum:float=0.9 spatial:int=1@-8 training_mode:int=0@14-")
            .Of(ElementClass.Float).Shape(BatchNormalization).Costs(AffineFlops),
        new OperatorDefinition("InstanceNormalization", "1 6 22", ComputeForm.Composite, "3", "1", "consumed_inputs:ints@-5 epsilon:float=1e-05")
            .Of(ElementClass.Float).Shape(Same).Costs(NormalizationFlops),
        new OperatorDefinition("GroupNormalization", "18 21", ComputeForm.Composite, "3", "1", "epsilon:float=1e-05 num_groups:int! stash_type:int=1")
            .Of(ElementClass.Float).Shape(Same).Costs(NormalizationFlops).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("LayerNormalization", "17", ComputeForm.Composite, "2-3", "1-3", "axis:int=-1 epsilon:float=1e-05 stash_type:int=1")
            .Of(ElementClass.Float).Shape(LayerNormalization).Costs(NormalizationFlops).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("RMSNormalization", "23", ComputeForm.Composite, "2", "1", "axis:int=-1 epsilon:float=1e-05 stash_type:int=1")
            .Of(ElementClass.Float).Shape(Same).Costs(NormalizationFlops).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("LpNormalization", "1 22", ComputeForm.Composite, "1", "1", "axis:int=-1 p:int=2").Of(ElementClass.Float).Shape(Same).Costs(NormalizationFlops),
        new OperatorDefinition("MeanVarianceNormalization", "9 13", ComputeForm.Composite, "1", "1", "axes:ints=[0,2,3]")
            .Of(ElementClass.Float).Shape(Same).Costs(NormalizationFlops).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("Det", "11 22", ComputeForm.Composite, "1", "1").Of(ElementClass.Float).Shape(Det),
        new OperatorDefinition("NegativeLogLikelihoodLoss", "12 13 22", ComputeForm.Composite, "2-3", "1", "ignore_index:int reduction:string=mean")
            .Of(ElementClass.Float).Shape(Loss).With(OperatorTraits.HasFunctionBody),
        new OperatorDefinition("SoftmaxCrossEntropyLoss", "12 13", ComputeForm.Composite, "2-3", "1-2", "ignore_index:int reduction:string=mean")
            .Of(ElementClass.Float).Shape(Loss).With(OperatorTraits.HasFunctionBody),
    ];

    private static void BatchNormalization(InferenceContext context)
    {
        Same(context);
        if (context.Shape(0) is { Rank: >= 2 } data && data.Dimensions[1] is { IsConstant: true } channels && context.View.Int("spatial", 1) != 0)
        {
            for (int i = 1; i < 5; i++)
            {
                if (!context.Has(i) || context.Shape(i) is not { } own || own.Rank == 1 && (own.Dimensions[0] is not { IsConstant: true } length || length.Value == channels.Value)) continue;
                context.Contradict($"the input has {channels} channels, and its input {i} is {own}");
                return;
            }
        }
        for (int i = 1; i < context.OutputCount; i++) context.Set(i, context.ElementType(context.Has(3) ? 3 : 1), context.Shape(1));
    }

    private static void LayerNormalization(InferenceContext context)
    {
        Same(context);
        SymbolicShape? statistics = null;
        if (context.Shape(0) is { } shape)
        {
            if (NormalizeAxis(context, context.View.Axis, shape.Rank) is not { } axis) return;
            statistics = new SymbolicShape([.. shape.Dimensions.Select((d, i) => i < axis ? d : DimExpr.One)]);
        }
        DataType type = (DataType)context.View.Int("stash_type", 1);
        context.Set(1, type, statistics);
        context.Set(2, type, statistics);
    }

    private static void Det(InferenceContext context) =>
        context.Set(0, context.ElementType(0), context.Shape(0) is { Rank: >= 2 } shape ? new SymbolicShape([.. shape.Dimensions.Take(shape.Rank - 2)]) : null);

    private static void Loss(InferenceContext context)
    {
        bool reduced = context.View.String("reduction", "mean") != "none";
        context.Set(0, context.ElementType(0), reduced ? SymbolicShape.Scalar : context.Shape(1));
        context.Set(1, context.ElementType(0), context.Shape(0));
    }

    // Maximum, subtraction, exponential, sum, division.
    private static double SoftmaxFlops(FlopsContext context) => FlopsContext.PerElement(context, 5);

    private static double AffineFlops(FlopsContext context) => FlopsContext.PerElement(context, 2);

    // Mean, difference, square, sum, scale, shift, and the root over few elements.
    private static double NormalizationFlops(FlopsContext context) => FlopsContext.PerElement(context, 8);
}
