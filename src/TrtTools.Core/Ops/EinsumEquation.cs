using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>An Einsum equation: labels of each input's axes and of the output's; '.' stands for the ellipsis.</summary>
internal sealed class EinsumEquation
{
    private readonly string[] _inputs;
    private readonly string _output;

    private EinsumEquation(string[] inputs, string output)
    {
        _inputs = inputs;
        _output = output;
    }

    /// <summary>Labels of each input's axes.</summary>
    public IReadOnlyList<string> Inputs => _inputs;

    /// <summary>Labels of the output's axes.</summary>
    public string Output => _output;

    /// <summary>Null when the text is no equation.</summary>
    public static EinsumEquation? Parse(string text)
    {
        string compact = text.Replace(" ", "", StringComparison.Ordinal).Replace("...", ".", StringComparison.Ordinal);
        string[] sides = compact.Split("->");
        if (sides.Length > 2 || sides[0].Length == 0) return null;
        string[] inputs = sides[0].Split(',');
        if (inputs.Append(sides[^1]).Any(t => t.Replace(",", "", StringComparison.Ordinal).Any(c => c != '.' && !char.IsAsciiLetter(c)) || t.Count(c => c == '.') > inputs.Length)) return null;
        return new EinsumEquation(inputs, sides.Length == 2 ? sides[1] : ImplicitOutput(inputs));
    }

    public SymbolicShape? Infer(InferenceContext context)
    {
        if (context.InputCount != _inputs.Length) return null;
        Dictionary<char, DimExpr?> labels = [];
        SymbolicShape ellipsis = SymbolicShape.Scalar;
        for (int i = 0; i < _inputs.Length; i++)
        {
            if (context.Shape(i) is not { } shape) return null;
            int named = _inputs[i].Count(c => c != '.'), free = shape.Rank - named;
            bool hasEllipsis = _inputs[i].Contains('.', StringComparison.Ordinal);
            if (free < 0 || (free > 0 && !hasEllipsis))
            {
                context.Contradict($"the equation names {named} axes for input {i}, which is {shape}");
                return null;
            }
            int axis = 0;
            foreach (char label in _inputs[i])
            {
                if (label == '.')
                {
                    if (Dims.Broadcast([ellipsis, new SymbolicShape([.. shape.Dimensions.Skip(axis).Take(free)])], context.Contradict) is not { } joined) return null;
                    ellipsis = joined;
                    axis += free;
                    continue;
                }
                DimExpr? extent = shape.Dimensions[axis++];
                if (!labels.TryGetValue(label, out DimExpr? known) || known is null) labels[label] = extent;
                else if (!Dims.TryBroadcast(known, extent, out DimExpr? joined)) context.Contradict($"label '{label}' stands for {known} and {extent}");
                else labels[label] = joined ?? known;
            }
        }
        List<DimExpr?> result = [];
        foreach (char label in _output)
        {
            if (label == '.') result.AddRange(ellipsis.Dimensions);
            else result.Add(labels.GetValueOrDefault(label));
        }
        return new SymbolicShape(result);
    }

    /// <summary>Multiply-adds over the whole index space.</summary>
    public double Flops(FlopsContext context)
    {
        Dictionary<char, long> labels = [];
        double ellipsis = 1;
        for (int i = 0; i < _inputs.Length; i++)
        {
            if (context.Input(i) is not { } shape) return 0;
            int free = shape.Length - _inputs[i].Count(c => c != '.'), axis = 0;
            if (free < 0) return 0;
            foreach (char label in _inputs[i])
            {
                if (label == '.')
                {
                    ellipsis = Math.Max(ellipsis, FlopsContext.Count([.. shape.Skip(axis).Take(free)]));
                    axis += free;
                }
                else if (axis < shape.Length)
                {
                    labels[label] = Math.Max(labels.GetValueOrDefault(label), shape[axis++]);
                }
            }
        }
        double space = labels.Values.Aggregate(ellipsis, static (product, extent) => product * extent);
        return space * (_inputs.Length > 1 ? 2 * (_inputs.Length - 1) : 1);
    }

    private static string ImplicitOutput(string[] inputs)
    {
        string all = string.Concat(inputs);
        IEnumerable<char> once = all.Where(c => c != '.').GroupBy(c => c).Where(g => g.Count() == 1).Select(g => g.Key).Order();
        return (all.Contains('.', StringComparison.Ordinal) ? "." : "") + string.Concat(once);
    }
}
