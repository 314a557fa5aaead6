using System.Globalization;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>How made-up numbers are spread.</summary>
public enum InputDistribution
{
    /// <summary>Evenly over the range.</summary>
    Uniform,

    /// <summary>Around 0 with deviation 1; bytes evenly, other integers 0 or 1.</summary>
    Normal,
}

/// <summary>What data to make up.</summary>
public sealed record InputDataOptions
{
    public int Count { get; init; } = 1;

    public int Seed { get; init; } = 1;

    public InputDistribution Distribution { get; init; }

    /// <summary>Least and greatest value for inputs that <see cref="Ranges"/> does not name.</summary>
    public (double Low, double High) Range { get; init; } = (0, 1);

    /// <summary>Least and greatest value by input.</summary>
    public IReadOnlyDictionary<string, (double Low, double High)> Ranges { get; init; } = new Dictionary<string, (double, double)>();

    /// <summary>Shapes by input; a dynamic extent that nothing settles is 1.</summary>
    public IReadOnlyDictionary<string, long[]>? Shapes { get; init; }
}

/// <summary>Makes up inputs: the same seed gives the same numbers on every machine, whatever the other inputs are.</summary>
public static class InputDataGenerator
{
    public static IEnumerable<IReadOnlyDictionary<string, Tensor>> Create(IReadOnlyList<InputInfo> inputs, InputDataOptions options)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Count < 1) throw new TrtToolsException(ErrorCode.OptionInvalid, "Count", $"it is {options.Count}", "1 or more", "Correct the value");
        foreach (string name in options.Ranges.Keys.Concat(options.Shapes?.Keys ?? []))
        {
            if (inputs.Any(i => string.Equals(i.Name, name, StringComparison.Ordinal))) continue;
            throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{name}'", "there is no such input", NearestName.Advice(name, [.. inputs.Select(i => i.Name)], "input"), "Correct the name");
        }
        List<(InputInfo Input, long[] Shape)> settled = [.. inputs.Select(i => (i, Shape(i, options)))];
        return Enumerable.Range(0, options.Count).Select(sample => Sample(settled, options, sample));
    }

    private static long[] Shape(InputInfo input, InputDataOptions options)
    {
        if (options.Shapes is not null && options.Shapes.TryGetValue(input.Name, out long[]? given))
        {
            return TensorConversion.Fits(given, input.Shape) ? given : throw new TrtToolsException(ErrorCode.ShapeMismatch, $"Input '{input.Name}'", $"the shape {InputInfo.ShapeText(given)} was given", $"It takes {InputInfo.ShapeText(input.Shape)}", "Correct the shape");
        }
        if (input.Shape is null) throw new TrtToolsException(ErrorCode.ShapeUnknown, $"Input '{input.Name}'", "its number of dimensions is unknown", "", "Give its shape");
        return [.. input.Shape.Select(d => d < 0 ? 1 : d)];
    }

    private static Dictionary<string, Tensor> Sample(List<(InputInfo Input, long[] Shape)> inputs, InputDataOptions options, int sample)
    {
        ulong seed = ((ulong)(uint)options.Seed << 32) + (uint)sample;
        Dictionary<string, Tensor> made = new(StringComparer.Ordinal);
        foreach ((InputInfo input, long[] shape) in inputs)
        {
            bool ranged = options.Ranges.TryGetValue(input.Name, out (double Low, double High) range);
            if (!ranged) range = options.Range;
            if (!(range.Low <= range.High) || !double.IsFinite(range.Low) || !double.IsFinite(range.High))
            {
                throw new TrtToolsException(ErrorCode.OptionInvalid, $"Range of '{input.Name}'", string.Create(CultureInfo.InvariantCulture, $"it is {range.Low}, {range.High}"), "The least value and the greatest", "Correct the range");
            }
            made.Add(input.Name, options.Distribution == InputDistribution.Normal && !ranged ? SyntheticData.Create(input.Name, input.DataType, shape, seed) : SyntheticData.Uniform(input.Name, input.DataType, shape, seed, range.Low, range.High));
        }
        return made;
    }
}
