using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Sequences and optionals: what is known of them is the type that all their elements have.</summary>
internal static class Sequences
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("SequenceAt", "11", ComputeForm.HostOnly, "2", "1").Shape(Held),
        new OperatorDefinition("SequenceConstruct", "11", ComputeForm.HostOnly, "1-*", "1").Shape(Construct),
        new OperatorDefinition("SequenceEmpty", "11", ComputeForm.HostOnly, "0", "1", "dtype:int").Shape(Empty),
        new OperatorDefinition("SequenceErase", "11", ComputeForm.HostOnly, "1-2", "1").Shape(Keep),
        new OperatorDefinition("SequenceInsert", "11", ComputeForm.HostOnly, "2-3", "1").Shape(Insert),
        new OperatorDefinition("SplitToSequence", "11 24", ComputeForm.HostOnly, "1-2", "1", "axis:int=0 keepdims:int=1").Shape(Split, 1),
        new OperatorDefinition("Optional", "15", ComputeForm.HostOnly, "0-1", "1", "type:type").Shape(Wrap),
        new OperatorDefinition("OptionalGetElement", "15 18", ComputeForm.HostOnly, "1", "1").Shape(Unwrap),
        new OperatorDefinition("ConcatFromSequence", "11", ComputeForm.HostOnly, "1", "1", "axis:int! new_axis:int=0").Shape(Join).With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("SequenceLength", "11", ComputeForm.HostOnly, "1", "1").Shape(ShapeRules.ScalarInt),
        new OperatorDefinition("OptionalHasElement", "15 18", ComputeForm.HostOnly, "1 18:0-1", "1").Shape(ShapeRules.ScalarBool),
    ];

    private static void Held(InferenceContext context)
    {
        if (context.Held(0) is { } type) context.SetType(0, type);
    }

    private static void Construct(InferenceContext context)
    {
        TensorType? common = context.Type(0);
        for (int i = 1; i < context.InputCount; i++) common = Dims.Meet(common, context.Type(i));
        context.SetHeld(0, common);
    }

    private static void Empty(InferenceContext context) => context.SetHeld(0, new TensorType((DataType)context.View.Int("dtype", (long)DataType.Float32), null));

    private static void Keep(InferenceContext context) => context.SetHeld(0, context.Held(0));

    private static void Insert(InferenceContext context) => context.SetHeld(0, Dims.Meet(context.Held(0), context.Type(1)));

    private static void Split(InferenceContext context)
    {
        if (context.Type(0) is not { } type) return;
        SymbolicShape? part = null;
        if (type.Shape is { } shape)
        {
            if (ShapeRules.NormalizeAxis(context, context.View.Int("axis", 0), shape.Rank) is not { } axis) return;
            DimExpr?[] extents = ShapeRules.Copy(shape);
            bool drops = !context.Has(1) && context.View.Int("keepdims", 1) == 0;
            // One number that divides the extent gives parts of that size; a list of equal numbers too.
            long[]? sizes = context.View.Integers(1);
            DimExpr? size = !context.Has(1) ? DimExpr.One
                : sizes is { Length: > 0 } && sizes.All(s => s == sizes[0]) && (context.Shape(1) is { Rank: 1 } || extents[axis] is { IsConstant: true } whole && sizes[0] > 0 && whole.Value % sizes[0] == 0) ? sizes[0] : null;
            extents[axis] = size;
            part = new SymbolicShape(drops ? [.. extents[..axis], .. extents[(axis + 1)..]] : extents);
        }
        context.SetHeld(0, type with { Shape = part });
    }

    private static void Wrap(InferenceContext context) => context.SetHeld(0, context.Type(0) ?? context.Held(0));

    private static void Unwrap(InferenceContext context)
    {
        // A sequence in an optional keeps its elements' type; a tensor comes out as it is, and since opset 18 needs no optional.
        if ((context.Type(0) ?? context.Held(0)) is not { } type) return;
        context.SetType(0, type);
        context.SetHeld(0, type);
    }

    private static void Join(InferenceContext context)
    {
        if (context.Held(0) is not { } type) return;
        SymbolicShape? result = null;
        if (type.Shape is { } shape)
        {
            bool adds = context.View.Int("new_axis", 0) != 0;
            if (ShapeRules.NormalizeAxis(context, context.View.Int("axis", 0), shape.Rank + (adds ? 1 : 0)) is not { } axis) return;
            DimExpr?[] extents = ShapeRules.Copy(shape);
            result = adds ? new SymbolicShape([.. extents[..axis], null, .. extents[axis..]]) : new SymbolicShape([.. extents[..axis], null, .. extents[(axis + 1)..]]);
        }
        context.Set(0, type.DataType, result);
    }
}
