using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>Made-up inputs: floats normally distributed (mean 0, deviation 1), bytes uniform over 0 to 255, other integers 0 or 1 (so that they are
/// valid indices into almost anything), Booleans by coin. The same seed gives the same numbers on every machine.</summary>
internal static class SyntheticData
{
    /// <param name="shape">All extents known.</param>
    public static Tensor Create(string name, DataType type, long[] shape, ulong seed)
    {
        ulong state = seed;
        foreach (char c in name) state = Mix(state ^ c);
        int count = checked((int)TensorData.CountElements(shape));
        switch (type)
        {
            case DataType.Float32 or DataType.Float16 or DataType.BFloat16 or DataType.Float64:
                double[] normal = new double[count];
                for (int i = 0; i < count; i++) normal[i] = Normal(ref state);
                return TensorConversion.From(normal, name, type, shape);
            case DataType.Bool or DataType.UInt8 or DataType.Int8:
                byte[] bytes = new byte[count];
                for (int i = 0; i < count; i++) bytes[i] = (byte)(type == DataType.UInt8 ? Next(ref state) >> 56 : Next(ref state) >> 63);
                return new Tensor(name, TensorData.FromBytes(type, shape, bytes));
            case DataType.Int16 or DataType.UInt16 or DataType.Int32 or DataType.UInt32 or DataType.Int64 or DataType.UInt64:
                long[] whole = new long[count];
                for (int i = 0; i < count; i++) whole[i] = (long)(Next(ref state) >> 63);
                return TensorConversion.From(whole, name, type, shape);
            case DataType.String:
                return new Tensor(name, TensorData.FromStrings(shape, [.. Enumerable.Repeat("text", count)]));
            default:
                throw new TrtToolsException(ErrorCode.InputInvalid, $"Input '{name}'", $"there is no synthetic data of type {type}", "", "Give data for this input");
        }
    }

    /// <summary>Numbers spread evenly over a range; whole ones from and including both ends. Booleans by coin.</summary>
    public static Tensor Uniform(string name, DataType type, long[] shape, ulong seed, double low, double high)
    {
        if (!type.IsFloatingPoint() && !type.IsInteger()) return Create(name, type, shape, seed);
        ulong state = seed;
        foreach (char c in name) state = Mix(state ^ c);
        int count = checked((int)TensorData.CountElements(shape));
        if (type.IsFloatingPoint())
        {
            double[] real = new double[count];
            for (int i = 0; i < count; i++) real[i] = low + (Next(ref state) >> 11) * (1.0 / (1UL << 53)) * (high - low);
            return TensorConversion.From(real, name, type, shape);
        }
        long first = (long)Math.Ceiling(low), last = (long)Math.Floor(high);
        if (last < first) throw new TrtToolsException(ErrorCode.OptionInvalid, $"Range of '{name}'", FormattableString.Invariant($"there is no whole number from {low} to {high}"), $"'{name}' is {type}", "Give a range with one");
        long[] whole = new long[count];
        for (int i = 0; i < count; i++) whole[i] = first + (long)(Next(ref state) % ((ulong)(last - first) + 1));
        return TensorConversion.From(whole, name, type, shape);
    }

    private static ulong Next(ref ulong state) => Mix(state += 0x9E3779B97F4A7C15);

    // SplitMix64's finalizer.
    private static ulong Mix(ulong z)
    {
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }

    // The sum of twelve uniform numbers: no logarithm or cosine whose last bit differs between machines, and bounded by ±6.
    private static double Normal(ref ulong state)
    {
        double sum = -6;
        for (int i = 0; i < 12; i += 2)
        {
            ulong bits = Next(ref state);
            sum += ((uint)bits + (double)(bits >> 32)) / 4294967296.0;
        }
        return sum;
    }
}
