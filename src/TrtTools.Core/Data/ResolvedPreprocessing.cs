using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>A <see cref="Preprocessing"/> with every choice made.</summary>
internal sealed record ResolvedPreprocessing(string Input, DataType DataType, int Height, int Width, ImageFit Fit, float PadValue,
    ImageColorOrder ColorOrder, ImageLayout Layout, bool HasBatch, double Scale, double[] Mean, double[] StandardDeviation)
{
    /// <summary>An image of another size is refused: what reads the pixels resizes them itself.</summary>
    public bool ExactSize { get; init; }

    public int Channels => ColorOrder == ImageColorOrder.Gray ? 1 : 3;

    /// <summary>Of one image.</summary>
    public long[] Shape
    {
        get
        {
            long[] shape = Layout == ImageLayout.NCHW ? [Channels, Height, Width] : [Height, Width, Channels];
            return HasBatch ? [1, .. shape] : shape;
        }
    }

    public (float Low, float High) IntegerRange => DataType switch { DataType.UInt8 => (0f, 255f), DataType.Int8 => (-128f, 127f), _ => (-2147483520f, 2147483520f) };

    /// <summary>(pixel · scale − mean) / std of a channel, in one rounding each way.</summary>
    public (float Factor, float Offset) Normalization(int channel) => ((float)(Scale / StandardDeviation[channel]), (float)(-Mean[channel] / StandardDeviation[channel]));
}
