using System.Runtime.CompilerServices;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Choices and tensors from a seed, the same everywhere.</summary>
internal sealed class CaseRandom(ulong seed)
{
    private static readonly ConditionalWeakTable<TensorData, object> s_origins = [];

    private ulong _state = seed * 0x9E3779B97F4A7C15 + 1;

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    public int Below(int limit) => (int)(Next() % (ulong)limit);

    public bool Chance(double probability) => (Next() >> 11) * (1.0 / (1UL << 53)) < probability;

    public double Real(double low, double high) => low + ((Next() >> 11) * (1.0 / (1UL << 53)) * (high - low));

    public T Pick<T>(params ReadOnlySpan<T> items) => items[Below(items.Length)];

    public int[] Permutation(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            int j = Below(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>The state that a tensor's content was drawn from; null for other tensors.</summary>
    public static ulong? Origin(TensorData data) => s_origins.TryGetValue(data, out object? state) ? (ulong)state : null;

    /// <summary>The same content under another shape, still known by its origin.</summary>
    public static TensorData Reshape(TensorData data, params ReadOnlySpan<long> shape)
    {
        TensorData result = data.Reshape(shape);
        if (Origin(data) is { } state) s_origins.Add(result, state);
        return result;
    }

    /// <summary>Moderate values: floats from -2 to 2, small integers.</summary>
    public TensorData Tensor(DataType type, long count)
    {
        ulong state = _state;
        TensorData data = Draw(type, count);
        s_origins.Add(data, state);
        return data;
    }

    private TensorData Draw(DataType type, long count)
    {
        byte[] bytes = new byte[type.ByteCount(count)];
        if (type is DataType.Int4 or DataType.UInt4)
        {
            for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)Next();
            return TensorData.FromBytes(type, [count], bytes);
        }
        double[] values = new double[count];
        for (long i = 0; i < count; i++)
        {
            values[i] = type.IsFloatingPoint() ? Real(-2, 2) : type == DataType.Bool ? Below(2) : type is DataType.UInt8 or DataType.UInt16 or DataType.UInt32 or DataType.UInt64 ? Below(100) : Below(200) - 100;
        }
        return GraphText.FromDoubles(type, [count], values);
    }
}
