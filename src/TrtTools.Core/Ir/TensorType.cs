using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Element type and shape of a value. A null shape is of unknown rank; a null dimension is unknown.</summary>
internal sealed record TensorType(DataType DataType, SymbolicShape? Shape)
{
    public static TensorType Of(TensorData data) => new(data.Type, SymbolicShape.Of(data.Shape));

    public override string ToString() => $"{DataType}{(Shape is null ? "[?…]" : Shape)}";
}

/// <summary>A shape whose dimensions are expressions; null where nothing is known.</summary>
internal sealed class SymbolicShape(params IReadOnlyList<DimExpr?> dimensions) : IEquatable<SymbolicShape>
{
    public static SymbolicShape Scalar { get; } = new();

    public IReadOnlyList<DimExpr?> Dimensions { get; } = dimensions;

    public int Rank => Dimensions.Count;

    public DimExpr? this[int axis] => Dimensions[axis < 0 ? axis + Rank : axis];

    public bool IsStatic => Dimensions.All(d => d is { IsConstant: true });

    public static SymbolicShape Of(ReadOnlySpan<long> extents)
    {
        DimExpr?[] dimensions = new DimExpr?[extents.Length];
        for (int i = 0; i < extents.Length; i++) dimensions[i] = DimExpr.Constant(extents[i]);
        return new SymbolicShape(dimensions);
    }

    /// <summary>The extents, when all are constants.</summary>
    public long[]? ToStatic() => IsStatic ? [.. Dimensions.Select(d => d!.Value)] : null;

    public bool Equals(SymbolicShape? other) => other is not null && Dimensions.SequenceEqual(other.Dimensions);

    public override bool Equals(object? obj) => Equals(obj as SymbolicShape);

    public override int GetHashCode()
    {
        HashCode hash = new();
        foreach (DimExpr? d in Dimensions) hash.Add(d);
        return hash.ToHashCode();
    }

    public override string ToString() => $"[{string.Join(',', Dimensions.Select(d => d?.ToString() ?? "?"))}]";
}
