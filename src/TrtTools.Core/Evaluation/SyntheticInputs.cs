using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Evaluation;

/// <summary>Inputs for checking that two graphs compute the same; the same numbers every time.</summary>
internal static class SyntheticInputs
{
    /// <summary>Extents for dynamic dimensions, in the order to try.</summary>
    public static IReadOnlyList<long> ExtentsToTry { get; } = [1, 2, 4, 8, 16, 32, 64, 128, 256, 320, 512];

    /// <summary>Sets of inputs in the order to try: not every model runs with every extent of its dynamic dimensions.</summary>
    public static IEnumerable<IReadOnlyDictionary<string, TensorData>> ToTry(OnnxGraph model)
    {
        bool isDynamic = model.Body.Inputs.Any(i => i.Data is null && i.Type?.Shape is { IsStatic: false });
        foreach (bool onlyLast in isDynamic ? new[] { false, true } : [false])
        {
            foreach (long extent in isDynamic ? ExtentsToTry : [1]) yield return Make(model, extent, onlyLast);
        }
    }

    /// <param name="onlyLast">Dynamic dimensions other than the last have extent 1, as those of a state that is one per batch element.</param>
    public static IReadOnlyDictionary<string, TensorData> Make(OnnxGraph model, long dynamicExtent, bool onlyLast = false)
    {
        Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
        uint state = 2463534242;
        foreach (Value input in model.Body.Inputs)
        {
            if (input.Data is not null || input.Type is not { } type) continue;
            long[] shape = [];
            if (type.Shape is { } symbolic)
            {
                // The first dimension is nearly always the batch: one element runs everywhere.
                shape = [.. symbolic.Dimensions.Select((d, i) => d is { IsConstant: true } ? d.Value : (i == 0 && symbolic.Rank > 1) || (onlyLast && i < symbolic.Rank - 1) ? 1 : dynamicExtent)];
            }
            inputs.Add(input.Name, Fill(type.DataType, shape, ref state));
        }
        return inputs;
    }

    private static TensorData Fill(DataType type, long[] shape, ref uint state)
    {
        int count = checked((int)TensorData.CountElements(shape));
        if (type == DataType.String) return TensorData.FromStrings(shape, [.. Enumerable.Repeat("a", count)]);
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            // Integers are mostly indices, lengths or flags: 0 and 1 are valid for all of them.
            values[i] = type.IsFloatingPoint() ? (state / (double)uint.MaxValue * 2) - 1 : state >> 31;
        }
        return TensorMath.FromDouble(type, shape, values);
    }
}
