using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>Operators that run subgraphs.</summary>
internal static class ControlFlow
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("If", "1 11 13 16 19 21 23 24 25", ComputeForm.Control, "1", "1-*", "else_branch:graph! then_branch:graph!").Shape(If).With(OperatorTraits.HasSubgraph),
        new OperatorDefinition("Loop", "1 11 13 16 19 21 23 24 25", ComputeForm.Control, "3-* 11:2-*", "1-*", "body:graph!").Shape(Loop).With(OperatorTraits.HasSubgraph),
        new OperatorDefinition("Scan", "8 9 11 16 19 21 23 24 25", ComputeForm.Control, "2-* 9:1-*", "1-*",
            "body:graph! directions:ints@-8 num_scan_inputs:int! scan_input_axes:ints@9- scan_input_directions:ints@9- scan_output_axes:ints@9- "
            + "scan_output_directions:ints@9-")
            .Shape(Scan).With(OperatorTraits.HasSubgraph),
        new OperatorDefinition("SequenceMap", "17", ComputeForm.Control, "1-*", "1-*", "body:graph!").With(OperatorTraits.HasSubgraph | OperatorTraits.HasFunctionBody),
    ];

    private static void If(InferenceContext context)
    {
        if (context.View.Subgraph("then_branch") is not { } then || context.View.Subgraph("else_branch") is not { } otherwise) return;
        IReadOnlyList<KnownValue> a = context.InferBody(then, []), b = context.InferBody(otherwise, []);
        bool? taken = context.Content(0) is { Length: 1 } condition ? ContentRules.ToBool(condition[0]) : null;
        for (int i = 0; i < context.OutputCount && i < a.Count && i < b.Count; i++)
        {
            KnownValue result = taken switch
            {
                true => a[i],
                false => b[i],
                null => new KnownValue(Dims.Meet(a[i].Type, b[i].Type), MeetContent(a[i].Content, b[i].Content)),
            };
            if (result.Type is not { } type || context.Node.Outputs[i] is null) continue;
            context.SetType(i, type);
            context.SetContent(i, result.Content);
        }
    }

    private static DimExpr?[]? MeetContent(DimExpr?[]? a, DimExpr?[]? b) => a is null || b is null || a.Length != b.Length ? null : [.. a.Zip(b, Dims.Meet)];

    private static void Loop(InferenceContext context)
    {
        if (context.View.Subgraph("body") is not { } body) return;
        int carried = Math.Max(0, context.InputCount - 2);
        TensorType?[] states = [.. Enumerable.Range(2, carried).Select(context.Type)];
        IReadOnlyList<KnownValue> results = [];
        // A state must have one type over all rounds: what a round changes is unknown from the first on.
        for (int attempt = 0; attempt < 3; attempt++)
        {
            KnownValue[] inputs =
            [
                new(new TensorType(DataType.Int64, SymbolicShape.Scalar), null), new(new TensorType(DataType.Bool, SymbolicShape.Scalar), null),
                .. states.Select(t => new KnownValue(t, null)),
            ];
            results = context.InferBody(body, inputs);
            bool settled = true;
            for (int i = 0; i < carried; i++)
            {
                TensorType? after = i + 1 < results.Count ? results[i + 1].Type : null;
                TensorType? both = attempt == 1 && !Equals(states[i], after) && states[i] is { } before ? before with { Shape = null } : Dims.Meet(states[i], after);
                settled &= Equals(both, states[i]);
                states[i] = both;
            }
            if (settled) break;
        }
        for (int i = 0; i < carried && i < context.OutputCount; i++)
        {
            if (states[i] is { } type) context.SetType(i, type);
        }
        for (int i = carried; i < context.OutputCount; i++)
        {
            if (i + 1 >= results.Count || results[i + 1].Type is not { } element) continue;
            context.Set(i, element.DataType, element.Shape is { } shape ? new SymbolicShape([Rounds(context, body), .. shape.Dimensions]) : null);
        }
    }

    // The trip count is the number of rounds when nothing else can end the loop.
    private static DimExpr? Rounds(InferenceContext context, Graph body)
    {
        if (context.Content(0) is not { Length: 1 } limit) return null;
        if (context.Has(1) && (context.Content(1) is not { Length: 1 } first || ContentRules.ToBool(first[0]) != true)) return null;
        Value condition = body.Outputs[0];
        while (condition.Producer is { } producer && producer.Is("Identity") && producer.Input(0) is { } source) condition = source;
        bool endless = (body.Inputs.Count > 1 && ReferenceEquals(condition, body.Inputs[1]))
            || (OperatorView.Constant(condition) is { Type: DataType.Bool, ElementCount: 1 } constant && constant.ToInt64()[0] != 0);
        return endless ? limit[0] : null;
    }

    private static void Scan(InferenceContext context)
    {
        if (context.View.Subgraph("body") is not { } body) return;
        // The first version had a sequence-length input and a batch axis around it all.
        bool batched = context.Opset < 9;
        int first = batched ? 1 : 0, axisShift = batched ? 1 : 0;
        int scanned = (int)Math.Clamp(context.View.Int("num_scan_inputs", 0), 0, context.InputCount), carried = context.InputCount - first - scanned;
        if (carried < 0) return;
        long[]? inputAxes = context.View.Ints("scan_input_axes"), outputAxes = context.View.Ints("scan_output_axes");
        List<KnownValue> inputs = [];
        for (int i = 0; i < carried; i++) inputs.Add(new KnownValue(Without(context.Type(first + i), batched ? 0 : null), null));
        DimExpr? length = null, batch = null;
        for (int i = 0; i < scanned; i++)
        {
            TensorType? type = context.Type(first + carried + i);
            long axis = (inputAxes is not null && i < inputAxes.Length ? inputAxes[i] : 0) + axisShift;
            if (type?.Shape is { Rank: > 0 } shape && ShapeRules.NormalizeAxis(context, axis, shape.Rank) is { } own)
            {
                if (length is null || shape.Dimensions[own] is { IsConstant: true }) length = shape.Dimensions[own] ?? length;
                if (batched) batch ??= shape.Dimensions[0];
                type = Without(type, own);
                if (batched) type = Without(type, 0);
            }
            else
            {
                type = type is null ? null : type with { Shape = null };
            }
            inputs.Add(new KnownValue(type, null));
        }
        IReadOnlyList<KnownValue> results = context.InferBody(body, inputs);
        for (int i = 0; i < context.OutputCount && i < results.Count; i++)
        {
            if (results[i].Type is not { } type) continue;
            if (type.Shape is not { } shape)
            {
                context.Set(i, type.DataType, (SymbolicShape?)null);
                continue;
            }
            List<DimExpr?> extents = [.. shape.Dimensions];
            if (i >= carried)
            {
                int at = i - carried;
                long axis = outputAxes is not null && at < outputAxes.Length ? outputAxes[at] : 0;
                if (ShapeRules.NormalizeAxis(context, axis, extents.Count + 1) is not { } own) continue;
                extents.Insert(own, length);
            }
            if (batched) extents.Insert(0, batch);
            context.Set(i, type.DataType, new SymbolicShape(extents));
        }
    }

    private static TensorType? Without(TensorType? type, int? axis) =>
        axis is null || type?.Shape is not { Rank: > 0 } shape ? type : type with { Shape = new SymbolicShape([.. shape.Dimensions.Where((_, i) => i != axis)]) };
}
