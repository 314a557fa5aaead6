using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Element type and shape of a value. A null shape is of unknown rank; a null dimension is unknown.</summary>
internal sealed record TensorType(DataType DataType, SymbolicShape? Shape)
{
    public static TensorType Of(TensorData data) => new(data.Type, SymbolicShape.Of(data.Shape));

    public override string ToString() => $"{DataType}{(Shape is null ? "[?…]" : Shape)}";
}

/// <summary>A shape whose dimensions are expressions; null where nothing is known.</summary>
internal sealed class SymbolicShape(params DimExpr?[] dimensions) : IEquatable<SymbolicShape>
{
    public SymbolicShape(IReadOnlyList<DimExpr?> dimensions) : this([.. dimensions])
    {
    }

    public static SymbolicShape Scalar { get; } = new(Array.Empty<DimExpr?>());

    private readonly DimExpr?[] _dimensions = dimensions;

    public IReadOnlyList<DimExpr?> Dimensions => _dimensions;

    public int Rank => _dimensions.Length;

    public DimExpr? this[int axis] => _dimensions[axis < 0 ? axis + Rank : axis];

    public bool IsStatic
    {
        get
        {
            foreach (DimExpr? d in _dimensions)
            {
                if (d is not { IsConstant: true }) return false;
            }
            return true;
        }
    }

    public static SymbolicShape Of(ReadOnlySpan<long> extents)
    {
        DimExpr?[] dimensions = new DimExpr?[extents.Length];
        for (int i = 0; i < extents.Length; i++) dimensions[i] = DimExpr.Constant(extents[i]);
        return new SymbolicShape(dimensions);
    }

    /// <summary>The extents, when all are constants.</summary>
    public long[]? ToStatic() => IsStatic ? Array.ConvertAll(_dimensions, d => d!.Value) : null;

    public bool Equals(SymbolicShape? other) => other is not null && (ReferenceEquals(this, other) || IsSame(_dimensions, other._dimensions));

    private static bool IsSame(DimExpr?[] a, DimExpr?[] b)
    {
        if (a.Length != b.Length) return false;
        for (int i = 0; i < a.Length; i++)
        {
            if (!Equals(a[i], b[i])) return false;
        }
        return true;
    }

    public override bool Equals(object? obj) => Equals(obj as SymbolicShape);

    public override int GetHashCode()
    {
        HashCode hash = new();
        foreach (DimExpr? d in Dimensions) hash.Add(d);
        return hash.ToHashCode();
    }

    public override string ToString() => $"[{string.Join(',', Dimensions.Select(d => d?.ToString() ?? "?"))}]";
}
