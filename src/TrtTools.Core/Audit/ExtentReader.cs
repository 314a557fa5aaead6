using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Audit;

/// <summary>Shapes in plain numbers: symbols that nothing decides count as 1, and it is remembered which.</summary>
internal sealed class ExtentReader
{
    private readonly Dictionary<string, long> _symbols = new(StringComparer.Ordinal);
    private readonly HashSet<(Value Value, int Axis)> _unknown = [];

    public ExtentReader(OnnxGraph graph)
    {
        foreach (Value input in graph.Body.Inputs) Collect(input.Type?.Shape);
    }

    public int UnresolvedCount => _symbols.Count + _unknown.Count;

    /// <summary>Null when not even the rank is known.</summary>
    public long[]? Read(Value value, TensorType? type)
    {
        if (type?.Shape is not { } shape) return null;
        long[] result = new long[shape.Rank];
        for (int axis = 0; axis < result.Length; axis++) result[axis] = Read(shape.Dimensions[axis], value, axis);
        return result;
    }

    public long[]? Read(Value? value) => value is null ? null : Read(value, value.Type ?? (value.Data is { } data ? TensorType.Of(data) : null));

    /// <summary>Bytes of a value; 0 when nothing is known.</summary>
    public double Bytes(Value value)
    {
        if (Read(value) is not { } shape) return 0;
        int bits = value.Type!.DataType.BitSize();
        return Ops.FlopsContext.Count(shape) * bits / 8;
    }

    public IEnumerable<string> Notes()
    {
        if (_symbols.Count > 0)
        {
            string[] names = [.. _symbols.Keys.Order(StringComparer.Ordinal).Take(8).Select(s => $"'{s}'")];
            yield return $"Counted as 1: {string.Join(", ", names)}{(_symbols.Count > names.Length ? $" and {_symbols.Count - names.Length} more" : "")}";
        }
        if (_unknown.Count > 0) yield return $"{_unknown.Count} extents of inner tensors are not known before the run and counted as 1";
    }

    private long Read(DimExpr? extent, Value value, int axis)
    {
        if (extent is not null)
        {
            if (extent.TryGetValue(out long constant)) return Math.Max(0, constant);
            foreach (string symbol in extent.Symbols) _symbols.TryAdd(symbol, 1);
            // With every symbol 1 an extent such as h-6 falls below one; such a run does not exist.
            if (extent.Evaluate(_symbols) is { } evaluated and > 0) return evaluated;
        }
        _unknown.Add((value, axis));
        return 1;
    }

    private void Collect(SymbolicShape? shape)
    {
        foreach (DimExpr? d in shape?.Dimensions ?? [])
        {
            foreach (string symbol in d?.Symbols ?? []) _symbols.TryAdd(symbol, 1);
        }
    }
}
