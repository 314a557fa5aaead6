using TrtTools.Passes.Simplify;

namespace TrtTools.Passes;

/// <summary>All passes, in the order they run. Adding one is its file and a line here.</summary>
internal static class PassList
{
    public static IReadOnlyList<Pass> All() =>
    [
        new InlineFunctions(),
        new LiftConstantsToInitializers(),
        new RemoveIdentity(),
        new RemoveNoOpDropout(),
        new InferShapes(),
        new FoldConstants(),
        new MergeEqualBranches(),
        new InlineConstantIf(),
        new UnrollConstantLoop(),
        new ResolveImpossibleBranches(),
        new RemoveNoOpCast(),
        new RemoveNoOpReshape(),
        new RemoveNoOpTranspose(),
        new RemoveNoOpPad(),
        new RemoveNoOpSlice(),
        new RemoveNoOpConcat(),
        new RemoveNoOpExpand(),
        new RemoveNoOpResize(),
        new RemoveNoOpArithmetic(),
        new RemoveNoOpReduction(),
        new RemoveRepeatedOperation(),
        new MergeConsecutiveCasts(),
        new MergeConsecutiveTransposes(),
        new MergeConsecutiveReshapes(),
        new MergeConsecutiveSlices(),
        new MergeConsecutiveConcats(),
        new MergeConsecutiveClips(),
        new RemoveSliceOfConcat(),
        new MergeSiblingSlices(),
        new MergeReduceUnsqueeze(),
        new MergeLogSoftmax(),
        new SimplifyWhere(),
        new PushTransposes(),
        new MakeReshapeTargetsStatic(),
        new FoldPadIntoConv(),
        new FoldPadIntoPool(),
        new FoldBatchNormIntoConv(),
        new FoldScaleIntoConv(),
        new FoldBiasIntoConv(),
        new FoldScaleBeforeConv(),
        new MergeConstantArithmetic(),
        new FoldTransposeIntoGemm(),
        new FoldTransposeIntoMatMul(),
        new MergeMatMulAddIntoGemm(),
        new MergeDuplicateInitializers(),
        new MergeCommonSubexpressions(),
        new RemoveDeadNodes(),
    ];
}
