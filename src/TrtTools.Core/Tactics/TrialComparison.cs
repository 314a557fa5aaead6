using System.Globalization;
using System.Runtime.InteropServices;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Holds a candidate's outputs against the generated kernels'.</summary>
internal static class TrialComparison
{
    // Both sides add up in float and in another order; what differs is the last bits of the stored type, and of TF32's operands.
    private const double Float32Tolerance = 5e-5, Tf32Tolerance = 4e-3, Float16Tolerance = 8e-3, BFloat16Tolerance = 4e-2;

    /// <summary>Null when they agree.</summary>
    public static string? Problem(Region region, Tactic tactic, IReadOnlyList<Storage> outputs, IReadOnlyList<Storage> expectedOutputs, IReadOnlyList<byte[]> actual, IReadOnlyList<byte[]> expected)
    {
        for (int e = 0; e < expectedOutputs.Count; e++)
        {
            int a = -1;
            for (int i = 0; i < outputs.Count; i++) if (ReferenceEquals(outputs[i], expectedOutputs[e])) a = i;
            // Nests may leave intermediate results that a fused kernel never writes.
            if (a < 0)
            {
                if (ReferenceEquals(expectedOutputs[e], RegionViews.Writes(region)[^1].Storage)) return "it does not write the region's result";
                continue;
            }
            if (Problem(expectedOutputs[e], tactic, actual[a], expected[e]) is { } problem) return problem;
        }
        return null;
    }

    private static string? Problem(Storage storage, Tactic tactic, byte[] actual, byte[] expected)
    {
        double[]? x = Numbers(storage.Type, actual), y = Numbers(storage.Type, expected);
        if (x is null || y is null) return actual.AsSpan().SequenceEqual(expected) ? null : $"'{storage.Name}' differs";
        double square = 0;
        long finite = 0;
        foreach (double value in y)
        {
            if (!double.IsFinite(value)) continue;
            square += value * value;
            finite++;
        }
        double scale = finite == 0 ? 0 : Math.Sqrt(square / finite), tolerance = ToleranceOf(storage.Type, tactic);
        double worst = 0;
        int at = -1;
        for (int i = 0; i < y.Length; i++)
        {
            if (x[i].Equals(y[i])) continue;
            double difference = Math.Abs(x[i] - y[i]), allowed = Math.Max(Math.Abs(y[i]), scale);
            double error = double.IsNaN(difference) ? double.PositiveInfinity : storage.Type is DataType.Int8 or DataType.UInt8 ? (difference <= 1 ? 0 : 1) : difference / Math.Max(allowed, double.Epsilon);
            if (error <= worst) continue;
            (worst, at) = (error, i);
        }
        return worst <= tolerance ? null
            : string.Create(CultureInfo.InvariantCulture, $"wrong on random data: element {at} of '{storage.Name}' is {x[at]:G6}, the generated kernel gives {y[at]:G6}");
    }

    private static double ToleranceOf(DataType type, Tactic tactic) => type switch
    {
        DataType.Float16 => Float16Tolerance, DataType.BFloat16 => BFloat16Tolerance, DataType.Float32 => tactic.Precision switch { "Tf32" => Tf32Tolerance, "Fp16" => Float16Tolerance, "Bf16" => BFloat16Tolerance, _ => Float32Tolerance }, _ => 0,
    };

    private static double[]? Numbers(DataType type, byte[] bytes) => type switch
    {
        DataType.Float32 => [.. MemoryMarshal.Cast<byte, float>(bytes).ToArray().Select(v => (double)v)],
        DataType.Float16 => [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(v => (double)v)],
        DataType.BFloat16 => [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(v => (double)BitConverter.UInt32BitsToSingle((uint)v << 16))],
        DataType.Int8 => [.. bytes.Select(b => (double)(sbyte)b)],
        DataType.UInt8 => [.. bytes.Select(b => (double)b)],
        _ => null,
    };
}
