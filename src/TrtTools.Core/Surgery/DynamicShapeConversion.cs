using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>
/// Frees fixed extents of a graph's inputs: what ConvertTo-DynamicShape runs. Constants that carry the old extent (Reshape targets, Expand shapes, Resize sizes, initial states, tokens put in front) are found by comparing
/// the fixed shapes with what inference makes of the free ones, and are rewritten; what cannot be is named and nothing is changed.
/// </summary>
public static class DynamicShapeConversion
{
    public const string Command = "ConvertTo-DynamicShape";

    public static OnnxGraph Convert(OnnxGraph graph, DynamicShapeOptions options, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(report);
        GraphEdit edit = new(graph);
        FunctionInliner.Inline(edit.Model, static _ => true);
        IReadOnlyDictionary<Value, TensorType> fixedTypes = edit.InferredTypes();
        List<FreedExtent> freed = Free(edit, options);
        foreach (Value value in edit.Body.WithSubgraphs.SelectMany(g => g.Values))
        {
            // What was declared for the fixed extents says nothing any more.
            if (value.Producer is not null) value.Type = null;
        }
        ExtentCarriers carriers = new(edit, fixedTypes, freed);
        carriers.Rewrite(stop);
        report.Verbose(FormattableString.Invariant($"{graph.Name}: {carriers.Count} constants that carried the old extents were rewritten{(carriers.Count > 0 ? ": " + string.Join(", ", carriers.Rewritten.Take(8)) : "")}"));
        ShapeInference.Infer(edit.Model);
        foreach (Value value in edit.Body.Values.Where(v => v.Producer is not null && !v.IsGraphOutput)) value.Type = null;
        OnnxGraph result = edit.Finish(Command, new HistoryText().Add("InputShape", freed.Select(f => $"{f.Input}[{f.Axis}] {f.Old} → {f.Symbol}")).ToString());
        if (!options.SkipCheck) FreedExtentCheck.Run(graph, result, freed, report, stop);
        return result;
    }

    private static List<FreedExtent> Free(GraphEdit edit, DynamicShapeOptions options)
    {
        List<FreedExtent> freed = [];
        // Without -InputShape, an extent that is free already and gets the symbol too.
        string? free = null;
        List<Value> inputs = [.. edit.Body.Inputs.Where(i => i.Data is null)];
        foreach (string name in options.InputShape?.Keys ?? [])
        {
            if (!inputs.Exists(i => i.Name == name)) throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{name}'", $"'{edit.Model.Name}' has no such input", "", NameFinder.Nearest(name, inputs.Select(i => i.Name), "It has no inputs"));
        }
        foreach (Value input in inputs)
        {
            string subject = $"Input '{input.Name}'";
            if (input.Type?.Shape is not { Rank: > 0 } shape) continue;
            IReadOnlyList<string>? wanted = options.InputShape?.GetValueOrDefault(input.Name);
            if (options.InputShape is not null && wanted is null) continue;
            wanted ??= [options.Symbol, .. shape.Dimensions.Skip(1).Select(d => d?.ToString() ?? "?")];
            if (wanted.Count != shape.Rank) throw new TrtToolsException(ErrorCode.ShapeMismatch, subject, $"{wanted.Count} extents were given", $"{shape.Rank}, for {shape}", "Give one for each dimension");
            DimExpr?[] extents = [.. shape.Dimensions];
            for (int axis = 0; axis < shape.Rank; axis++)
            {
                DimExpr? extent = options.InputShape is null && axis > 0 ? extents[axis] : ShapeText.Extent(wanted[axis], subject);
                if (extent is null || extent.Equals(extents[axis]) || extents[axis] is not { IsConstant: true } old)
                {
                    if (options.InputShape is null && axis == 0 && extents[axis] is not { IsConstant: true }) free ??= input.Name;
                    if (extents[axis] is { IsConstant: false } or null && extent is not null) extents[axis] = extent;
                    continue;
                }
                if (extent.SymbolName is not { } symbol) throw new TrtToolsException(ErrorCode.ShapeMismatch, subject, $"extent {axis} is {old}, not {extent}", "It takes its own extent, or a symbol", "Use ConvertTo-StaticShape to fix extents");
                freed.Add(new FreedExtent(input.Name, axis, old.Value, symbol));
                extents[axis] = extent;
            }
            input.Type = input.Type with { Shape = new SymbolicShape(extents) };
            edit.Touch(input);
        }
        if (freed.Count == 0) throw new TrtToolsException(ErrorCode.OptionInvalid, edit.Model.Name, "no extent that was asked for is fixed", $"Its inputs are {string.Join(", ", edit.Model.Inputs.Select(i => i.ToString()))}", "Name extents to free with -InputShape @{ input = 'batch',3,224,224 }");
        if (freed.GroupBy(f => f.Symbol).FirstOrDefault(g => g.Select(f => f.Old).Distinct().Count() > 1) is { } unequal)
            throw new TrtToolsException(ErrorCode.OptionInvalid, $"Symbol '{unequal.Key}'", $"it would stand for {string.Join(" and ", unequal.Select(f => $"{f.Old} ('{f.Input}', extent {f.Axis})"))}", "A symbol stands for equal extents", "Give another symbol to one of them with -InputShape");
        if (free is not null && freed.Find(f => f.Old != 1) is { } other)
            throw new TrtToolsException(ErrorCode.OptionInvalid, $"Symbol '{other.Symbol}'", FormattableString.Invariant($"it would stand for {other.Old} ('{other.Input}', extent {other.Axis}) and for the free extent 0 of '{free}'"), "A symbol stands for equal extents", "Name the extents to free with -InputShape");
        return freed;
    }
}

/// <summary>An extent of an input that was a number and is a symbol now.</summary>
internal sealed record FreedExtent(string Input, int Axis, long Old, string Symbol);
