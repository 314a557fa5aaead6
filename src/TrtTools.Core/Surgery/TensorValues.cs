using System.Collections;
using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Tensors of what a user writes, where no input says which type is wanted.</summary>
public static class TensorValues
{
    /// <summary>The value under a name. Without a type: 1 is Int64, 1.5 is Float32, and .NET's own single types keep theirs.</summary>
    public static Tensor From(string name, object value, DataType? type)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(value);
        object bare = TensorConversion.Unwrap(value);
        if (bare is Tensor tensor && (type is null || type == tensor.DataType)) return new Tensor(name, tensor.Content);
        return TensorConversion.From(bare, name, type ?? TypeOf(bare), null);
    }

    internal static DataType TypeOf(object value)
    {
        object bare = TensorConversion.Unwrap(value);
        if (bare is Tensor tensor) return tensor.DataType;
        if (bare is Array array && DataTypes.FromClrType(array.GetType().GetElementType()!) is not DataType.Undefined and var exact) return Plain(exact);
        object first = bare;
        List<object> leaves = [];
        Collect(first, leaves);
        if (leaves.Count == 0) return DataType.Float32;
        if (leaves.Exists(l => l is string)) return DataType.String;
        if (leaves.TrueForAll(l => l is bool)) return DataType.Bool;
        if (leaves.TrueForAll(l => l is int or long or short or byte or sbyte or ushort or uint)) return DataType.Int64;
        return leaves.TrueForAll(l => l is Half) ? DataType.Float16 : DataType.Float32;
    }

    /// <summary>What PowerShell gives unasked, int and double, becomes what models hold.</summary>
    private static DataType Plain(DataType type) => type switch { DataType.Float64 => DataType.Float32, DataType.Int32 => DataType.Int64, _ => type };

    private static void Collect(object value, List<object> leaves)
    {
        object bare = TensorConversion.Unwrap(value);
        if (bare is IEnumerable many and not string)
        {
            foreach (object? item in many)
            {
                if (item is not null) Collect(item, leaves);
            }
            return;
        }
        leaves.Add(bare);
    }
}
