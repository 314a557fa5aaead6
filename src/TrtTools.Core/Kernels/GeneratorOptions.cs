using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>What the generator may assume of the shapes and the device.</summary>
internal sealed record GeneratorOptions
{
    public static GeneratorOptions Default { get; } = new();

    /// <summary>The largest value of each symbol, where a profile says so. Index arithmetic is 64 bits wide where extents have no bound below 2³¹.</summary>
    public IReadOnlyDictionary<string, long> Maximum { get; init; } = new Dictionary<string, long>();

    /// <summary>The values that forms are chosen for; a symbol that is missing counts as <see cref="UnknownExtent"/>. Any value must compute right.</summary>
    public IReadOnlyDictionary<string, long> Typical { get; init; } = new Dictionary<string, long>();

    public int Multiprocessors { get; init; } = 132;

    /// <summary>Kernels start while their predecessors end, and wait for them before they touch what others wrote. Needs compute capability 9.0.</summary>
    public bool Programmatic { get; init; }

    public const long UnknownExtent = 256;

    /// <summary>A guess of the value that matters for speed alone.</summary>
    public long Guess(DimExpr extent)
    {
        if (extent.TryGetValue(out long value)) return value;
        Dictionary<string, long> symbols = new(StringComparer.Ordinal);
        foreach (string symbol in extent.Symbols) symbols[symbol] = Typical.TryGetValue(symbol, out long typical) ? typical : UnknownExtent;
        return extent.Evaluate(symbols) ?? UnknownExtent;
    }

    /// <summary>Least and greatest value; null when some symbol has no bound.</summary>
    public (long Low, long High)? Range(DimExpr extent)
    {
        if (extent.TryGetValue(out long value)) return (value, value);
        string[] symbols = [.. extent.Symbols.Order(StringComparer.Ordinal)];
        if (symbols.Length > 8 || symbols.Any(s => !Maximum.ContainsKey(s))) return null;
        // Extents are sums of products and floors of them, each of which is least and greatest at the ends of its symbols' ranges.
        long low = long.MaxValue, high = long.MinValue;
        Dictionary<string, long> corner = new(StringComparer.Ordinal);
        for (int mask = 0; mask < 1 << symbols.Length; mask++)
        {
            for (int i = 0; i < symbols.Length; i++) corner[symbols[i]] = (mask >> i & 1) != 0 ? Maximum[symbols[i]] : Math.Min(1, Maximum[symbols[i]]);
            if (extent.Evaluate(corner) is not { } at) return null;
            low = Math.Min(low, at);
            high = Math.Max(high, at);
        }
        return (low, high);
    }

    /// <summary>Whether every value fits in 32 bits.</summary>
    public bool IsNarrow(DimExpr extent) => Range(extent) is { } range && range.Low >= int.MinValue && range.High <= int.MaxValue;

    public static bool IsDivisible(DimExpr extent, long by) => by == 1 || DimExpr.Modulo(extent, by) is { IsConstant: true, Value: 0 };

    public static bool Is(DimExpr extent, long value) => extent.TryGetValue(out long known) && known == value;
}
