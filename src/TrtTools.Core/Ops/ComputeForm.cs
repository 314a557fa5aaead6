namespace TrtTools.Ops;

/// <summary>How an operator computes: what Lowering and Tactics switch on.</summary>
internal enum ComputeForm
{
    /// <summary>Each output element from the elements at its place, with broadcasting.</summary>
    Pointwise,
    Reduction,
    /// <summary>Sums of products: Conv, Gemm, MatMul.</summary>
    Contraction,
    /// <summary>A sliding window without products: pooling.</summary>
    Window,
    /// <summary>Elements change place, not value; some are views.</summary>
    Movement,
    Gather,
    Scatter,
    /// <summary>Interpolation: Resize, GridSample.</summary>
    Resample,
    SortSelect,
    Recurrence,
    Spectral,
    Random,
    /// <summary>Content that follows from attributes and shapes alone: Constant, Shape, Range.</summary>
    Fill,
    /// <summary>Strings, sequences, optionals, classical machine learning.</summary>
    HostOnly,
    Control,
    /// <summary>Several forms in one: Softmax, LayerNormalization, Attention.</summary>
    Composite,
}

/// <summary>What passes, quantization and the audits need to know of an operator beyond its form.</summary>
[Flags]
internal enum OperatorTraits
{
    None = 0,
    /// <summary>Two runs on the same inputs may differ: never folded, never merged.</summary>
    Random = 1,
    /// <summary>The output's shape depends on the inputs' content.</summary>
    DataDependentOutput = 2,
    /// <summary>The first two inputs (all, if variadic) may change places.</summary>
    Commutative = 4,
    /// <summary>Each output value is one of the first input's values, or lies between them: input and output share a quantization scale.</summary>
    ScalePreserving = 8,
    /// <summary>The output has the input's bytes in the input's order: a view.</summary>
    View = 16,
    /// <summary>Applied to its own result, it changes nothing (Relu, Abs, Ceil).</summary>
    Idempotent = 32,
    /// <summary>The specification defines it by other operators, so a runtime without a kernel can still run it.</summary>
    HasFunctionBody = 64,
    /// <summary>Gone from ONNX before opset 7, or never in a released operator set.</summary>
    Removed = 128,
    /// <summary>Holds subgraphs.</summary>
    HasSubgraph = 256,
}

/// <summary>Loosely, which elements the first input may have.</summary>
internal enum ElementClass
{
    Any, Numeric, Float, Integer, Bool, String,
}
