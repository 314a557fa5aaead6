namespace TrtTools.Surgery.Opsets;

/// <summary>All that changes by more than its number between opsets 7 and 25. An operator that does not stand here goes through where the catalog knows it
/// on both sides, its attributes and inputs are known there, and what is not known has its default.</summary>
internal static class OpsetAdapters
{
    private const string Reductions = "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare";

    public static IReadOnlyList<OpsetAdapter> All { get; } =
    [
        // Of no opset.
        new("Affine", 0, 0, RemovedRewrites.Affine),
        new("ImageScaler", 0, 0, RemovedRewrites.ImageScaler),
        new("Crop", 0, 0, RemovedRewrites.Crop),

        // Upwards.
        new("Upsample", 8, 9, ResizeRewrites.ScalesToInput),
        new("BatchNormalization", 8, 9, NormalizationRewrites.WithoutSpatial),
        new("Scan", 8, 9, s => throw s.Refuse("its batch axis went away", "Export the model again with a newer opset")),
        new("Upsample", 9, 10, ResizeRewrites.UpsampleToResize),
        new("Slice", 9, 10, s => { s.AttributeToInput("starts", 1); s.AttributeToInput("ends", 2); s.AttributeToInput("axes", 3); }),
        new("TopK", 9, 10, MovementRewrites.CountToInput),
        new("Dropout", 9, 10, PointwiseRewrites.WithoutMask),
        new("Resize", 10, 11, ResizeRewrites.CoordinatesAreNamed),
        new("Pad", 10, 11, MovementRewrites.PadsToInput),
        new("Clip", 10, 11, PointwiseRewrites.LimitsToInputs),
        new("Scatter", 10, 11, s => s.Node.OpType = "ScatterElements"),
        new("Dropout", 11, 12, PointwiseRewrites.RatioToInput),
        new("Softmax LogSoftmax Hardmax", 12, 13, NormalizationRewrites.SoftmaxOfOneAxis),
        new("Squeeze Unsqueeze ReduceSum", 12, 13, s => s.AttributeToInput("axes", 1)),
        new("Split", 12, 13, s => s.AttributeToInput("split", 1)),
        new("BatchNormalization", 13, 14, NormalizationRewrites.OneOutput),
        new(Reductions, 17, 18, s => s.AttributeToInput("axes", 1)),
        new("Split", 17, 18, MovementRewrites.SplitIsCounted),
        new("GridSample", 19, 20, s => s.RenameMode(("bilinear", "linear"), ("bicubic", "cubic"))),
        new("DFT", 19, 20, MovementRewrites.TransformAxisToInput),
        new("GroupNormalization", 20, 21, s => throw s.Refuse("its scale and bias are per group before 21 and per channel from then on", "Replace it with a newer one by Invoke-GraphPattern")),

        // Downwards.
        new("GroupNormalization", 21, 20, s => throw s.Refuse("its scale and bias are per group before 21 and per channel from then on", "Keep opset 21")),
        new("GridSample", 20, 19, s => s.RenameMode(("linear", "bilinear"), ("cubic", "bicubic"))),
        new("DFT", 20, 19, MovementRewrites.TransformAxisToAttribute),
        new("Cast", 19, 18, PointwiseRewrites.CastWithoutSaturate),
        new("Pad", 19, 18, s => s.RefuseText("mode", "wrap")),
        new("Resize", 19, 18, s => s.RefuseText("coordinate_transformation_mode", "half_pixel_symmetric")),
        new(Reductions, 18, 17, ReductionRewrites.AxesToAttribute),
        new("Split", 18, 17, MovementRewrites.SplitIsGiven),
        new("Pad", 18, 17, MovementRewrites.PadAllAxes),
        new("Resize", 18, 17, ResizeRewrites.AllAxes),
        new("Shape", 15, 14, MovementRewrites.PartOfShape),
        new("Reshape", 14, 13, MovementRewrites.ZeroStandsForCopy),
        new("Softmax LogSoftmax Hardmax", 13, 12, NormalizationRewrites.SoftmaxOfRows),
        new("Squeeze Unsqueeze", 13, 12, s => s.InputToAttribute(1, "axes")),
        new("ReduceSum", 13, 12, ReductionRewrites.AxesToAttribute),
        new("Split", 13, 12, s => s.InputToAttribute(1, "split")),
        new("Resize", 13, 12, ResizeRewrites.AllInputs),
        new("DequantizeLinear", 13, 12, QuantizationRewrites.DequantizePerTensor),
        new("QuantizeLinear", 13, 12, QuantizationRewrites.QuantizePerTensor),
        new("Constant", 12, 11, PointwiseRewrites.ConstantIsTensor),
        new("Dropout", 12, 11, PointwiseRewrites.RatioToAttribute),
        new("Pow", 12, 11, PointwiseRewrites.OneTypeOfPow),
        new("Clip", 12, 11, PointwiseRewrites.FloatClip),
        new("Clip", 11, 10, PointwiseRewrites.LimitsToAttributes),
        new("Pad", 11, 10, MovementRewrites.PadsToAttribute),
        new("Resize", 11, 10, ResizeRewrites.CoordinatesAreFixed),
        new("Gemm", 11, 10, PointwiseRewrites.GemmHasSummand),
        new("Equal", 11, 10, PointwiseRewrites.EqualOfIntegers),
        new("ScatterElements", 11, 10, s => { s.CountAxisFromStart(); s.Node.OpType = "Scatter"; }),
        new("Concat Flatten Split ArgMax ArgMin Compress Softmax LogSoftmax Hardmax", 11, 10, s => s.CountAxisFromStart()),
        new("Gather", 11, 10, MovementRewrites.GatherFromStart),
        new(Reductions + " ReduceSum Squeeze Unsqueeze", 11, 10, s => s.CountAxesFromStart()),
        new("Slice", 11, 10, MovementRewrites.SliceAxesFromStart),
        new("Slice", 10, 9, MovementRewrites.SliceByAttributes),
        new("TopK", 10, 9, MovementRewrites.CountToAttribute),
        new("Dropout", 10, 9, PointwiseRewrites.WithoutMask),
        new("Resize", 10, 9, ResizeRewrites.ResizeToUpsample),
        new("DequantizeLinear", 10, 9, QuantizationRewrites.DequantizeByArithmetic),
        new("Upsample", 9, 8, ResizeRewrites.ScalesToAttribute),
        new("ConstantOfShape", 9, 8, MovementRewrites.FillByExpand),
        new("Expand", 8, 7, MovementRewrites.ExpandByMul),
        new("Sum Mean", 8, 7, PointwiseRewrites.SumByAdd),
        new("Max Min", 8, 7, PointwiseRewrites.EqualShapes),
    ];

    private static readonly Dictionary<(string Operator, int From, int To), OpsetAdapter> s_byStep =
        All.SelectMany(a => a.Operators.Split(' ').Select(o => (Key: (o, a.From, a.To), Adapter: a))).ToDictionary(p => p.Key, p => p.Adapter);

    public static OpsetAdapter? Find(string op, long from, long to) => s_byStep.GetValueOrDefault((op, (int)from, (int)to));
}
