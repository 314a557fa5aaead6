using TrtTools.Tensors;

namespace TrtTools.Lowering;

internal enum RegionKind
{
    /// <summary>Maps: pointwise chains and movement.</summary>
    Map,
    Reduce,
    Convolution,
    MatMul,
    Pool,
    /// <summary>Softmax, layer, RMS, group and instance normalization: reductions over a row and maps over it.</summary>
    Row,
    Attention,
    /// <summary>Anything else: its nests run one by one.</summary>
    Nests,
}

/// <summary>A whole value that a region leaves in memory, and the names of the graph's tensors that it equals.</summary>
internal sealed record LayerValue(IReadOnlyList<string> Tensors, TensorView View);

/// <summary>
/// What one step computes: nests in order, the last ones writing what others read. <see cref="Facts"/> says the same in the terms of a library or of a hand-made kernel
/// (a tactic may use it instead of the nests, and must give the same).
/// </summary>
internal sealed class Region
{
    public required string Name { get; init; }

    public required RegionKind Kind { get; init; }

    /// <summary>Operators as users know them: "Conv + Relu".</summary>
    public required string Operators { get; init; }

    public required IReadOnlyList<LoopNest> Nests { get; init; }

    /// <summary>The first axis of every nest, where the nests run in order for each of its values, one after the other, and read what they wrote for earlier ones: recurrences. Null elsewhere.
    /// Other axes that all nests share are independent of each other in all of them.</summary>
    public Axis? Sequence { get; init; }

    /// <summary>A <see cref="ConvolutionFacts"/>, <see cref="MatMulFacts"/>, <see cref="RowFacts"/> or <see cref="AttentionFacts"/>, by kind; null when there is nothing to say beyond the nests.</summary>
    public object? Facts { get; init; }

    /// <summary>Nodes of the imported model that it stands for.</summary>
    public IReadOnlyList<string> SourceNodes { get; init; } = [];

    /// <summary>What can be read when the region has run, before later ones take its memory.</summary>
    public IReadOnlyList<LayerValue> Values { get; init; } = [];

    public override string ToString() => $"{Name} ({Operators})";
}

/// <summary>
/// y[n, k, p…] = epilogue(Σ x[n, c, p·stride − pad + r·dilation] · w[k, c/group, r…]). The epilogue is <see cref="LoopNest.Result"/> of the region's nest number
/// <paramref name="Nest"/>; its <see cref="ReducedExpr"/> is the sum. Views are logical NCHW, whatever their strides.
/// </summary>
internal sealed record ConvolutionFacts(TensorView Input, TensorView Weight, int Nest, IReadOnlyList<long> Strides, IReadOnlyList<long> PadsBegin, IReadOnlyList<long> PadsEnd, IReadOnlyList<long> Dilations, long Group)
{
    /// <summary>For INT8: the sum is of integers; the scale (input·weight, per output channel) stands in the epilogue.</summary>
    public bool Integer => Input.Type is DataType.Int8 or DataType.UInt8;
}

/// <summary>y[…batch, m, n] = epilogue(Σ a[…batch, m, k] · b[…batch, k, n]); a view of B may be of a transposed tensor. Batch axes may have stride 0.</summary>
internal sealed record MatMulFacts(TensorView A, TensorView B, int Nest);

/// <summary>Nests whose space (or reduced) axes are the trailing axes of <paramref name="Input"/> from <paramref name="FirstRowAxis"/> on. Kind names the function: Softmax, LogSoftmax, LayerNorm, RmsNorm, GroupNorm, InstanceNorm.</summary>
internal sealed record RowFacts(string Function, TensorView Input, int FirstRowAxis);

/// <summary>y[b, h, q, d] = Σ softmax(scale · q·kᵀ + mask) · v. Views are logical [batch, heads, rows, size]; mask is broadcast to [batch, heads, queries, keys] and added; null: none.
/// K and V may have fewer heads (grouped queries): query head i reads K head i / (heads / K heads).</summary>
internal sealed record AttentionFacts(TensorView Query, TensorView Key, TensorView Value, TensorView? Mask, double Scale, bool Causal, TensorView Output)
{
    /// <summary>A query whose keys are all masked gives 0, as models guard it, and not NaN.</summary>
    public bool ZeroWhereMasked { get; init; }
}
