using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace TrtTools.Tensors;

/// <summary>A named tensor as users see it: what an engine takes and gives.</summary>
public sealed class Tensor
{
    private Array? _data;

    internal Tensor(string name, TensorData content)
    {
        Name = name;
        Content = content;
        Shape = content.Shape.ToArray();
    }

    public string Name { get; }

    /// <summary>Extents, outermost first; empty for a scalar.</summary>
    public long[] Shape { get; }

    public DataType DataType => Content.Type;

    /// <summary>All elements, row-major, as a flat .NET array (float[] for Float32, Half[] for Float16, long[] for Int64 …).
    /// BFloat16 comes as ushort[] of its bits, Complex64 as float[] of pairs, types under 8 bits as packed byte[].</summary>
    public Array Data => _data ??= Flatten();

    internal TensorData Content { get; }

    /// <summary>The elements in an array of this tensor's rank; the single element for a scalar.</summary>
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = ArraysOfPrimitives)]
    public object ToArray()
    {
        if (Shape.Length == 0) return Data.GetValue(0)!;
        if (Shape.Length == 1 || Data.Length != Content.ElementCount) return Data.Clone();
        Array shaped = Array.CreateInstance(DataType.ClrType(), Shape);
        if (DataType == DataType.String)
        {
            long[] index = new long[Shape.Length];
            foreach (object? item in Data)
            {
                shaped.SetValue(item, index);
                for (int d = index.Length - 1; d >= 0 && ++index[d] == Shape[d]; d--) index[d] = 0;
            }
            return shaped;
        }
        Content.Bytes.CopyTo(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(shaped), checked((int)Content.ByteCount)));
        return shaped;
    }

    private const string ArraysOfPrimitives = "The elements are primitives and strings, whose arrays need no code of their own.";

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = ArraysOfPrimitives)]
    private Array Flatten()
    {
        if (DataType == DataType.String) return Content.Strings.ToArray();
        Array flat = Array.CreateInstance(DataType.ClrType(), Content.ByteCount * 8 / Math.Max(8, ElementBits));
        Content.Bytes.CopyTo(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(flat), checked((int)Content.ByteCount)));
        return flat;
    }

    private int ElementBits => DataType switch { DataType.Complex64 => 32, DataType.Complex128 => 64, _ => DataType.BitSize() };

    public override string ToString() => $"{Name}: {DataType}[{string.Join(",", Shape)}]";
}
