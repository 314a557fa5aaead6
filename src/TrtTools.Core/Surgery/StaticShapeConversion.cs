using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Fixes a graph's free extents and computes what follows from them: what ConvertTo-StaticShape runs.</summary>
public static class StaticShapeConversion
{
    public const string Command = "ConvertTo-StaticShape";

    /// <param name="shapes">Input → shape; inputs whose free extents are all symbols of <paramref name="symbols"/> need none.</param>
    /// <param name="symbols">Symbol → extent, everywhere.</param>
    public static OnnxGraph Convert(OnnxGraph graph, IReadOnlyDictionary<string, long[]>? shapes, IReadOnlyDictionary<string, long>? symbols, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(report);
        OnnxGraph copy = graph.Copy();
        Dictionary<string, long> known = new(symbols ?? new Dictionary<string, long>(), StringComparer.Ordinal);
        foreach ((string name, long[] shape) in shapes ?? new Dictionary<string, long[]>()) Pin(copy, name, shape, known);
        foreach (Value input in copy.Body.Inputs.Where(i => i.Data is null && i.Type?.Shape is not null))
        {
            SymbolicShape shape = new([.. input.Type!.Shape!.Dimensions.Select(d => d?.Substitute(s => known.TryGetValue(s, out long extent) ? DimExpr.Constant(extent) : null))]);
            if (!shape.IsStatic)
            {
                throw new TrtToolsException(ErrorCode.ShapeUnknown, $"Input '{input.Name}'", $"its shape {shape} is still free", "Every extent needs a number",
                    shape.Dimensions.SelectMany(d => d?.Symbols ?? []).FirstOrDefault() is { } left ? $"Add -Symbol @{{ {left} = 1 }}, or -InputShape @{{ {input.Name} = … }}" : $"Add -InputShape @{{ {input.Name} = … }}");
            }
            input.Type = input.Type with { Shape = shape };
        }
        foreach (Value output in copy.Body.Outputs.Where(o => o.Type is not null)) output.Type = output.Type! with { Shape = null };
        OnnxGraph result = GraphOptimizer.Optimize(copy, new OptimizeOptions(), report, stop);
        List<string> open = [.. result.Body.Outputs.Where(o => o.Type?.Shape is not { IsStatic: true }).Select(o => o.Name)];
        if (open.Count > 0) report.Warning($"{graph.Name}: the shape of {string.Join(", ", open.Select(o => $"'{o}'"))} depends on the data, so it stays free");
        HistoryText text = new HistoryText().Add("InputShape", shapes?.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key} = {string.Join(',', s.Value)}")).Add("Symbol", symbols?.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => FormattableString.Invariant($"{s.Key} = {s.Value}")));
        result.History = graph.History;
        return result.WithHistory(Command, text.ToString());
    }

    private static void Pin(OnnxGraph graph, string name, long[] shape, Dictionary<string, long> known)
    {
        Value input = graph.Body.Inputs.FirstOrDefault(i => i.Data is null && string.Equals(i.Name, name, StringComparison.Ordinal))
            ?? throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{name}'", $"'{graph.Name}' has no such input", "", NameFinder.Nearest(name, graph.Body.Inputs.Select(i => i.Name), "It has no inputs"));
        if (input.Type?.Shape is { } declared)
        {
            bool fits = declared.Rank == shape.Length;
            for (int d = 0; fits && d < shape.Length; d++)
            {
                if (declared[d] is { IsConstant: true } own) fits = own.Value == shape[d];
                if (declared[d]?.SymbolName is not { } symbol) continue;
                if (known.TryGetValue(symbol, out long before) && before != shape[d])
                    throw new TrtToolsException(ErrorCode.ShapeMismatch, $"Input '{name}'", $"'{symbol}' is {shape[d]} here and {before} elsewhere", "A symbol has one extent", "Give equal extents");
                known[symbol] = shape[d];
            }
            if (!fits) throw new TrtToolsException(ErrorCode.ShapeMismatch, $"Input '{name}'", $"[{string.Join(',', shape)}] does not fit {declared}", "It needs as many extents, its own where it is fixed", "Correct the shape");
        }
        input.Type = new TensorType(input.Type?.DataType ?? DataType.Undefined, SymbolicShape.Of(shape));
    }
}
