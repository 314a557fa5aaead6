using System.Collections;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>Makes tensors of what a script has at hand: numbers, arrays of any rank, nested arrays and lists, tensors.
/// Numbers convert to the input's type when that is exact; nested arrays give the shape.</summary>
public static class TensorConversion
{
    /// <summary>Takes a host's wrapper off a value (PowerShell's PSObject). The host sets it once, when it loads.</summary>
    public static Func<object, object> Unwrap { get; set; } = static value => value;

    /// <param name="value">A number, text or array; a <see cref="Tensor"/>.</param>
    /// <param name="name">The input it is for.</param>
    /// <param name="type">The input's element type.</param>
    /// <param name="shape">The input's shape with -1 for dynamic extents, or null to take the value's own. A flat array of the right
    /// number of elements takes this shape.</param>
    public static Tensor From(object value, string name, DataType type, long[]? shape)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (value is null) throw Invalid(name, "the value is null", type, shape);
        value = Unwrap(value);
        if (value is Tensor { DataType: DataType given } same && given == type) return new Tensor(name, Fit(same.Content, name, type, shape));
        if (type != DataType.String && (type.BitSize() % 8 != 0 || !type.IsFloatingPoint() && !type.IsInteger() && type != DataType.Bool))
            throw Invalid(name, $"a {value.GetType().Name} does not convert to {type}", type, shape);
        (List<Array> leaves, long[] found) = value is Tensor other ? ([Numbers(other, name, type, shape)], other.Shape) : Flatten(value, name, type, shape);
        TensorData data = type == DataType.String ? Strings(leaves, found, name, shape) : Convert(leaves, found, name, type, shape);
        return new Tensor(name, Fit(data, name, type, shape));
    }

    /// <summary>True when <paramref name="found"/> is what an input of <paramref name="expected"/> takes.</summary>
    internal static bool Fits(ReadOnlySpan<long> found, long[]? expected)
    {
        if (expected is null) return true;
        if (found.Length != expected.Length) return false;
        for (int i = 0; i < found.Length; i++)
        {
            if (expected[i] >= 0 && expected[i] != found[i]) return false;
        }
        return true;
    }

    private static TensorData Fit(TensorData data, string name, DataType type, long[]? shape)
    {
        if (Fits(data.Shape, shape)) return data;
        // Only what has no structure of its own may take another one.
        if (data.Rank <= 1)
        {
            long known = 1;
            int dynamic = 0;
            foreach (long d in shape!)
            {
                if (d < 0) dynamic++; else known *= d;
            }
            long count = data.ElementCount;
            if (dynamic == 0 && known == count) return data.Reshape(shape);
            if (dynamic == 1 && known > 0 && count > 0 && count % known == 0) return data.Reshape([.. shape.Select(d => d < 0 ? count / known : d)]);
        }
        throw Invalid(name, $"the shape is [{string.Join(',', data.Shape.ToArray())}]", type, shape);
    }

    private static Array Numbers(Tensor tensor, string name, DataType type, long[]? shape)
    {
        if (tensor.DataType == DataType.BFloat16) return tensor.Content.ToDouble();
        if (tensor.DataType is DataType.String != (type is DataType.String) || !tensor.DataType.IsFloatingPoint() && !tensor.DataType.IsInteger() && tensor.DataType is not (DataType.Bool or DataType.String))
            throw Invalid(name, $"the tensor is {tensor.DataType}", type, shape);
        return tensor.Data;
    }

    private static TensorData Convert(List<Array> leaves, long[] found, string name, DataType type, long[]? shape)
    {
        byte[] bytes = new byte[checked((int)type.ByteCount(TensorData.CountElements(found)))];
        int at = 0;
        foreach (Array leaf in leaves)
        {
            int length = (int)type.ByteCount(leaf.Length);
            if (!ElementConversion.TryConvert(leaf, type, bytes.AsSpan(at, length), out string why)) throw Invalid(name, why, type, shape);
            at += length;
        }
        return TensorData.FromBytes(type, found, bytes);
    }

    private static TensorData Strings(List<Array> leaves, long[] found, string name, long[]? shape)
    {
        List<string> texts = [];
        foreach (object? item in leaves.SelectMany(l => l.Cast<object?>()))
        {
            texts.Add((item is null ? null : Unwrap(item)) as string ?? throw Invalid(name, $"an element is {item?.GetType().Name ?? "null"}", DataType.String, shape));
        }
        return TensorData.FromStrings(found, [.. texts]);
    }

    private static (List<Array> Leaves, long[] Shape) Flatten(object value, string name, DataType type, long[]? shape)
    {
        List<Array> leaves = [];
        List<long> extents = [];
        Collect(value, 0);
        return (leaves, [.. extents]);

        void Collect(object? item, int depth)
        {
            item = item is null ? null : Unwrap(item);
            if (depth > 32) throw Invalid(name, "arrays are nested more than 32 deep", type, shape);
            switch (item)
            {
                case Tensor tensor:
                    for (int d = 0; d < tensor.Shape.Length; d++) Extent(depth + d, tensor.Shape[d]);
                    Leaf(depth + tensor.Shape.Length);
                    leaves.Add(Numbers(tensor, name, type, shape));
                    break;
                case IDictionary:
                    throw Invalid(name, "the value is a dictionary", type, shape);
                case Array array when array.Rank > 1 || IsPrimitive(array.GetType().GetElementType()!) || !array.Cast<object?>().Any(IsNested):
                    for (int d = 0; d < array.Rank; d++) Extent(depth + d, array.GetLongLength(d));
                    Leaf(depth + array.Rank);
                    leaves.Add(array);
                    break;
                case string or null:
                    Leaf(depth);
                    leaves.Add(new object?[] { item });
                    break;
                case IEnumerable sequence:
                    object?[] items = sequence is Array nested ? [.. nested.Cast<object?>()] : [.. sequence.Cast<object?>()];
                    Extent(depth, items.Length);
                    if (!items.Any(IsNested))
                    {
                        Leaf(depth + 1);
                        leaves.Add(items);
                        break;
                    }
                    foreach (object? child in items) Collect(child, depth + 1);
                    break;
                default:
                    Leaf(depth);
                    leaves.Add(new object?[] { item });
                    break;
            }
        }

        void Extent(int depth, long length)
        {
            if (depth == extents.Count && leaves.Count == 0) extents.Add(length);
            else if (depth >= extents.Count || extents[depth] != length)
                throw Invalid(name, $"nested arrays are of different lengths or depths ({(depth < extents.Count ? $"{extents[depth]} and {length}" : "some hold arrays, some numbers")})", type, shape);
        }

        void Leaf(int depth)
        {
            if (depth != extents.Count) throw Invalid(name, "some elements are arrays and some are numbers", type, shape);
        }
    }

    private static bool IsPrimitive(Type element) => element.IsPrimitive || element == typeof(Half) || element == typeof(string) || element == typeof(decimal);

    private static bool IsNested(object? item) => item is not null && Unwrap(item) is IEnumerable and not string or Tensor;

    private static TrtToolsException Invalid(string name, string found, DataType type, long[]? shape) => new(ErrorCode.InputInvalid, $"Input '{name}'", found,
        $"Expected {type} {InputInfo.ShapeText(shape)}", shape is null ? "Give numbers that convert exactly" : "Give an array of that shape, or a flat one with as many elements, whose numbers convert exactly");
}
