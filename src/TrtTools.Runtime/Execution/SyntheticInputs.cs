using System.Runtime.InteropServices;
using TrtTools.Engines;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>Made-up inputs for an engine: always the same for the same shapes.</summary>
internal static class SyntheticInputs
{
    public const ulong DefaultSeed = 0x9E3779B97F4A7C15;

    /// <param name="shapes">Shapes by input; where there is none, the first profile's optimum, else what the build saw it run with, else 1 for each dynamic dimension.</param>
    /// <param name="seed">Other numbers for the same shapes.</param>
    /// <param name="guessed">Inputs whose dynamic dimensions nobody stated.</param>
    public static IReadOnlyDictionary<string, Tensor> Create(Engine engine, IReadOnlyDictionary<string, long[]>? shapes, out IReadOnlyList<string> guessed, ulong seed = DefaultSeed)
    {
        Dictionary<string, Tensor> inputs = new(StringComparer.Ordinal);
        List<string> ones = [];
        foreach (EngineTensor input in engine.Inputs)
        {
            long[]? shape = shapes?.GetValueOrDefault(input.Name) ?? engine.Profiles.FirstOrDefault(p => p.Index == 0 && string.Equals(p.Input, input.Name, StringComparison.Ordinal))?.Opt;
            if (shape is null)
            {
                if (!input.HasRank) throw new TrtToolsException(ErrorCode.ShapeUnknown, $"Input '{input.Name}'", "its number of dimensions is unknown", "", "Give input data");
                if (input.Shape.Contains(-1)) ones.Add(input.Name);
                shape = engine.Content.Details.SampleShapes.FirstOrDefault(s => string.Equals(s.Name, input.Name, StringComparison.Ordinal)) is { } seen
                    ? [.. seen.Shape] : [.. input.Shape.Select(d => d < 0 ? 1 : d)];
            }
            inputs[input.Name] = new Tensor(input.Name, Fill(input.DataType, shape, seed));
        }
        guessed = ones;
        return inputs;
    }

    private static TensorData Fill(DataType type, long[] shape, ulong seed)
    {
        long count = TensorData.CountElements(shape);
        if (type == DataType.String) return TensorData.FromStrings(shape, [.. Enumerable.Repeat("text", checked((int)count))]);
        byte[] bytes = new byte[type.ByteCount(count)];
        ulong state = seed;
        switch (type)
        {
            case DataType.Float32: foreach (ref float x in MemoryMarshal.Cast<byte, float>(bytes.AsSpan())) x = Next(ref state); break;
            case DataType.Float64: foreach (ref double x in MemoryMarshal.Cast<byte, double>(bytes.AsSpan())) x = Next(ref state); break;
            case DataType.Float16: foreach (ref Half x in MemoryMarshal.Cast<byte, Half>(bytes.AsSpan())) x = (Half)Next(ref state); break;
            case DataType.BFloat16: foreach (ref ushort x in MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan())) x = (ushort)(BitConverter.SingleToUInt32Bits(Next(ref state)) >> 16); break;
            // Ones are valid indices, masks and lengths nearly everywhere; images are the one large 8-bit input.
            case DataType.UInt8: foreach (ref byte x in bytes.AsSpan()) x = (byte)(128 + 127 * Next(ref state)); break;
            case DataType.Int64: MemoryMarshal.Cast<byte, long>(bytes.AsSpan()).Fill(1); break;
            case DataType.Int32: MemoryMarshal.Cast<byte, int>(bytes.AsSpan()).Fill(1); break;
            default: for (int i = 0; i < bytes.Length; i += Math.Max(1, type.BitSize() / 8)) bytes[i] = 1; break;
        }
        return TensorData.FromBytes(type, shape, bytes);
    }

    /// <summary>Even over [-1, 1): SplitMix64.</summary>
    private static float Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 40) / 8388608f - 1;
    }
}
