using System.Numerics.Tensors;
using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>Weights as signed INT8, symmetric, with a scale per output channel.</summary>
internal sealed record QuantizedWeight(TensorData Content, float[] Scale, double Sqnr)
{
    /// <param name="weight">Float32.</param>
    /// <param name="axis">The axis of output channels.</param>
    /// <param name="bias">The layer's bias per channel, or nothing.</param>
    /// <param name="inputScale">Scale of the layer's input.</param>
    public static QuantizedWeight Of(TensorData weight, int axis, ReadOnlySpan<float> bias, float inputScale)
    {
        ReadOnlySpan<float> values = weight.AsSpan<float>();
        long[] shape = weight.Shape.ToArray();
        int channels = (int)shape[axis];
        int inner = 1;
        for (int d = axis + 1; d < shape.Length; d++) inner *= (int)shape[d];
        int outer = channels == 0 || inner == 0 ? 0 : values.Length / channels / inner;
        float[] scale = new float[channels];
        for (int o = 0; o < outer; o++)
        {
            for (int c = 0; c < channels; c++)
                scale[c] = MathF.Max(scale[c], MathF.Abs(TensorPrimitives.MaxMagnitude(values.Slice((o * channels + c) * inner, inner))));
        }
        for (int c = 0; c < channels; c++)
        {
            scale[c] /= 127;
            // The bias is an INT32 in units of inputScale · scale: a channel with next to no weights must leave it room.
            if (c < bias.Length && inputScale > 0) scale[c] = MathF.Max(scale[c], MathF.Abs(bias[c]) / inputScale / (1 << 30));
            if (!(scale[c] > 1e-30f)) scale[c] = 1;
        }
        sbyte[] quantized = new sbyte[values.Length];
        double signal = 0, noise = 0;
        for (int o = 0; o < outer; o++)
        {
            for (int c = 0; c < channels; c++)
            {
                int from = (o * channels + c) * inner;
                float step = scale[c];
                for (int i = from; i < from + inner; i++)
                {
                    // As QuantizeLinear rounds: to nearest, ties to even.
                    float q = Math.Clamp(MathF.Round(values[i] / step), -127, 127);
                    quantized[i] = (sbyte)q;
                    double error = values[i] - q * step;
                    signal += (double)values[i] * values[i];
                    noise += error * error;
                }
            }
        }
        return new QuantizedWeight(TensorData.From<sbyte>(quantized, shape), scale, noise > 0 ? 10 * Math.Log10(signal / noise) : double.PositiveInfinity);
    }
}
