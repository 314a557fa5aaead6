using System.Globalization;
using System.Runtime.InteropServices;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>What the generated kernels gave for one of a region's results.</summary>
internal sealed class ExpectedOutput
{
    /// <summary>Elements that one thread looks at at a time.</summary>
    private const int Piece = 1 << 16;

    private readonly double _scale;

    public ExpectedOutput(Storage storage, byte[] content)
    {
        (Storage, Content) = (storage, content);
        if (!IsNumeric(storage.Type)) return;
        int size = SizeOf(storage.Type), count = content.Length / size;
        double[] squares = new double[(count / Piece) + 1];
        int[] finite = new int[squares.Length];
        Pieces.Run(count, Piece, (from, to) =>
        {
            double sum = 0;
            int known = 0;
            for (int i = from; i < to; i++)
            {
                double value = Number(storage.Type, content, i);
                if (!double.IsFinite(value)) continue;
                sum += value * value;
                known++;
            }
            (squares[from / Piece], finite[from / Piece]) = (sum, known);
        });
        long all = finite.Sum(f => (long)f);
        _scale = all == 0 ? 0 : Math.Sqrt(squares.Sum() / all);
    }

    public Storage Storage { get; }

    /// <summary>The root of the mean square of what is finite.</summary>
    public double Scale => _scale;

    /// <summary>A copy on the device, where candidates are compared there; null: on the host.</summary>
    public Cuda.IDeviceMemory? OnDevice { get; init; }

    public long Count => Content.Length / SizeOf(Storage.Type);

    public byte[] Content { get; }

    /// <summary>Null when a tactic's content agrees.</summary>
    public string? Problem(byte[] actual, double tolerance)
    {
        DataType type = Storage.Type;
        if (!IsNumeric(type) || actual.Length != Content.Length) return actual.AsSpan().SequenceEqual(Content) ? null : $"'{Storage.Name}' differs";
        int size = SizeOf(type), count = Content.Length / size;
        (double Error, int At)[] worst = new (double, int)[(count / Piece) + 1];
        Pieces.Run(count, Piece, (from, to) =>
        {
            worst[from / Piece] = (0, -1);
            if (actual.AsSpan(from * size, (to - from) * size).SequenceEqual(Content.AsSpan(from * size, (to - from) * size))) return;
            (double Error, int At) found = (0, -1);
            for (int i = from; i < to; i++)
            {
                double x = Number(type, actual, i), y = Number(type, Content, i);
                if (x.Equals(y)) continue;
                double difference = Math.Abs(x - y), allowed = Math.Max(Math.Abs(y), _scale);
                double error = double.IsNaN(difference) ? double.PositiveInfinity : type is DataType.Int8 or DataType.UInt8 ? (difference <= 1 ? 0 : 1) : difference / Math.Max(allowed, double.Epsilon);
                if (error > found.Error) found = (error, i);
            }
            worst[from / Piece] = found;
        });
        (double Error, int At) most = (0, -1);
        foreach ((double Error, int At) one in worst) if (one.Error > most.Error) most = one;
        return most.Error <= tolerance ? null
            : string.Create(CultureInfo.InvariantCulture, $"wrong on random data: element {most.At} of '{Storage.Name}' is {Number(type, actual, most.At):G6}, the generated kernel gives {Number(type, Content, most.At):G6}");
    }

    private static bool IsNumeric(DataType type) => type is DataType.Float32 or DataType.Float16 or DataType.BFloat16 or DataType.Int8 or DataType.UInt8;

    private static int SizeOf(DataType type) => type switch { DataType.Float32 => 4, DataType.Float16 or DataType.BFloat16 => 2, _ => 1 };

    private static double Number(DataType type, byte[] bytes, int at) => type switch
    {
        DataType.Float32 => MemoryMarshal.Cast<byte, float>(bytes)[at],
        DataType.Float16 => (float)MemoryMarshal.Cast<byte, Half>(bytes)[at],
        DataType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(bytes)[at] << 16),
        DataType.Int8 => (sbyte)bytes[at],
        _ => bytes[at],
    };
}

/// <summary>Holds a candidate's outputs against the generated kernels'.</summary>
internal static class TrialComparison
{
    // Both sides add up in float and in another order; what differs is the last bits of the stored type, and of TF32's operands.
    private const double Float32Tolerance = 5e-5, Tf32Tolerance = 4e-3, Float16Tolerance = 8e-3, BFloat16Tolerance = 4e-2;

    /// <summary>Null when they agree.</summary>
    /// <param name="read">A result's content, copied to the host.</param>
    /// <param name="worst">The greatest error of a result that is compared on the device.</param>
    public static string? Problem(Region region, Tactic tactic, IReadOnlyList<Storage> outputs, IReadOnlyList<ExpectedOutput> expected, Func<Storage, byte[]> read, Func<ExpectedOutput, double> worst)
    {
        foreach (ExpectedOutput one in expected)
        {
            int a = -1;
            for (int i = 0; i < outputs.Count; i++) if (ReferenceEquals(outputs[i], one.Storage)) a = i;
            // Nests may leave intermediate results that a fused kernel never writes.
            if (a < 0)
            {
                if (ReferenceEquals(one.Storage, RegionViews.Writes(region)[^1].Storage)) return "it does not write the region's result";
                continue;
            }
            double tolerance = ToleranceOf(one.Storage.Type, tactic);
            // Where the device finds a fault the host says which.
            if (one.OnDevice is not null && worst(one) <= tolerance) continue;
            if (one.Problem(read(one.Storage), tolerance) is { } problem) return problem;
        }
        return null;
    }

    private static double ToleranceOf(DataType type, Tactic tactic) => type switch
    {
        DataType.Float16 => Float16Tolerance, DataType.BFloat16 => BFloat16Tolerance, DataType.Float32 => tactic.Precision switch { "Tf32" => Tf32Tolerance, "Fp16" => Float16Tolerance, "Bf16" => BFloat16Tolerance, _ => Float32Tolerance }, _ => 0,
    };
}
