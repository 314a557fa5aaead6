namespace TrtTools.Comparison;

/// <summary>What decides whether an output passes. The limits that hold when none is given are Polygraphy's, except for <see cref="Scale"/>.</summary>
public enum ComparatorKind
{
    /// <summary>FP32 within 1e-4 of the output's scale, INT8 at a cosine of 0.99; with a tolerance, each element within absolute + relative · |reference|.</summary>
    Scale,

    /// <summary>An element fails that exceeds both tolerances (1e-5 each); one is enough to fail the output.</summary>
    Elementwise,

    /// <summary>The greatest absolute and relative errors; the output fails when both exceed their tolerance.</summary>
    Max,

    /// <summary>The mean errors.</summary>
    Mean,

    /// <summary>The median errors.</summary>
    Median,

    /// <summary>The errors that the given share of the elements does not exceed.</summary>
    Quantile,

    /// <summary>The length of the difference: 1e-5 at most.</summary>
    L2,

    /// <summary>The cosine: 0.997 at least.</summary>
    Cosine,

    /// <summary>Peak signal to noise ratio: 30 dB at least.</summary>
    Psnr,

    /// <summary>Signal to noise ratio: 20 dB at least.</summary>
    Snr,

    /// <summary>Indices, row by row: each stands at its place, or as many places away as the threshold says (0).</summary>
    Index,
}
