using TrtTools.Tensors;

namespace TrtTools.Lowering;

internal enum StorageKind
{
    /// <summary>In the arena, for as long as its readers need it.</summary>
    Scratch,
    Input,
    Output,
    /// <summary>Read only; content is known.</summary>
    Weight,
}

/// <summary>A piece of memory that holds elements of one type.</summary>
internal sealed class Storage(string name, StorageKind kind, DataType type, DimExpr elementCount)
{
    public string Name { get; } = name;

    public StorageKind Kind { get; } = kind;

    public DataType Type { get; } = type;

    /// <summary>Elements that it has room for.</summary>
    public DimExpr ElementCount { get; } = elementCount;

    /// <summary>Number among the program's inputs or outputs.</summary>
    public int Binding { get; init; } = -1;

    /// <summary>A weight's content, in memory order.</summary>
    public TensorData? Data { get; init; }

    /// <summary>Names of the model's tensors that it holds.</summary>
    public IReadOnlyList<string> Tensors { get; init; } = [];

    public override string ToString() => $"{Name}: {Type}[{ElementCount}]";
}

/// <summary>Elements of a storage as a tensor: element i, j, … stands at Offset + i·Strides[0] + j·Strides[1] + …. Concat, Split, Slice, Transpose and
/// broadcasting are views: other offsets and strides (0 to repeat) over the same storage.</summary>
internal sealed record TensorView(Storage Storage, IReadOnlyList<DimExpr> Shape, IReadOnlyList<DimExpr> Strides, DimExpr Offset)
{
    public int Rank => Shape.Count;

    public DataType Type => Storage.Type;

    /// <summary>A whole storage, row by row in the order of <paramref name="order"/> (outermost first; axis numbers), or of the axes themselves.</summary>
    public static TensorView Dense(Storage storage, IReadOnlyList<DimExpr> shape, IReadOnlyList<int>? order = null)
    {
        DimExpr[] strides = new DimExpr[shape.Count];
        DimExpr stride = DimExpr.One;
        for (int i = shape.Count - 1; i >= 0; i--)
        {
            int axis = order?[i] ?? i;
            strides[axis] = stride;
            stride *= shape[axis];
        }
        return new TensorView(storage, shape, strides, DimExpr.Zero);
    }

    public override string ToString() => $"{Storage.Name}[{string.Join(',', Shape)}]({string.Join(',', Strides)})+{Offset}";
}
