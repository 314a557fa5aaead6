namespace TrtTools.Surgery;

/// <summary>What ConvertTo-DynamicShape was asked for.</summary>
public sealed record DynamicShapeOptions
{
    /// <summary>Input → shape, extents as numbers or symbols. Null: the first extent of every input becomes <see cref="Symbol"/>.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? InputShape { get; init; }

    public string Symbol { get; init; } = "batch";

    /// <summary>Do not run the result beside the model to see that they agree.</summary>
    public bool SkipCheck { get; init; }
}
