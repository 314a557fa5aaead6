using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>
/// A tensor while its graph is lowered: a logical shape, and a storage of its own. Nests read and write it by logical indices through <see cref="View"/>; where it
/// really stands (a part of another storage, other strides, another type) is decided at the end, by <see cref="StorageAssignment"/>.
/// </summary>
internal sealed class LoweredValue
{
    public LoweredValue(string name, StorageKind kind, DataType type, IReadOnlyList<DimExpr> shape, TensorData? data = null, int binding = -1, IReadOnlyList<string>? tensors = null)
    {
        Name = name;
        Shape = shape;
        Storage = new Storage(name, kind, type, shape.Aggregate(DimExpr.One, static (product, extent) => product * extent)) { Binding = binding, Data = data, Tensors = tensors ?? [] };
        View = TensorView.Dense(Storage, shape);
    }

    public string Name { get; }

    public IReadOnlyList<DimExpr> Shape { get; }

    public int Rank => Shape.Count;

    public DataType Type => Storage.Type;

    public Storage Storage { get; }

    /// <summary>Dense, row-major: stands for the value in nests and facts until storages are assigned.</summary>
    public TensorView View { get; }

    /// <summary>A constant's content.</summary>
    public TensorData? Data => Storage.Data;

    /// <summary>Statistics, integers that stand for floats and the like keep their type whatever the storage type of activations is.</summary>
    public bool KeepsType { get; set; }

    public override string ToString() => $"{Name}: {Type}[{string.Join(',', Shape)}]";
}
