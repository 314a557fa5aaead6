using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Lowering.Reference;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>Compares a lowered program, run by the Reference device, with ONNX Runtime on the graph it came from.</summary>
internal static class LoweringCheck
{
    /// <summary>Float32 sums in another order than ours.</summary>
    public const double Float32 = 1e-4;

    /// <summary>Where all that is expected is 0, what rounding leaves of a difference of ones is no error.</summary>
    private const double LeastScale = 1e-3;

    /// <summary>Activations and weights of half precision.</summary>
    public const double Float16 = 1e-2;

    /// <summary>Both the plain and the fused program of a text graph give what ONNX Runtime gives.</summary>
    public static void Equal(string text, double tolerance = Float32, IReadOnlyDictionary<string, TensorData>? inputs = null, long dynamicExtent = 3)
    {
        OnnxGraph graph = TestGraphs.Parse(text);
        IReadOnlyDictionary<string, TensorData> given = inputs ?? Inputs(graph, dynamicExtent);
        IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(graph, given, CancellationToken.None);
        foreach (bool fuse in new[] { false, true })
        {
            foreach (bool channelsLast in fuse ? [false, true] : new[] { false })
            {
                LoweredProgram program = GraphLowering.Lower(graph, new LoweringOptions { Fuse = fuse, ChannelsLast = channelsLast, Strict = true }, Report.None, CancellationToken.None);
                Compare($"fuse {fuse}, channels last {channelsLast}", program, given, expected, tolerance);
            }
        }
    }

    public static IReadOnlyDictionary<string, TensorData> Inputs(OnnxGraph graph, long dynamicExtent)
    {
        Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
        ulong seed = 100;
        foreach (Value input in graph.Body.Inputs.Where(i => i.Data is null))
        {
            long[] shape = [.. input.Type!.Shape!.Dimensions.Select(d => d is { IsConstant: true } ? d.Value : dynamicExtent)];
            inputs.Add(input.Name, GraphText.Random(input.Type.DataType, shape, seed++));
        }
        return inputs;
    }

    public static void Compare(string label, LoweredProgram program, IReadOnlyDictionary<string, TensorData> inputs, IReadOnlyDictionary<string, TensorData> expected, double tolerance, long steps = 0)
    {
        IReadOnlyDictionary<string, TensorData> actual = new ReferenceDevice(program).Run(inputs);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, TensorData wanted) in expected) Close($"{label}, output '{name}'", wanted, actual[name], tolerance, steps);
    }

    /// <summary>Equal type and shape; floats within a part of the largest finite value, NaN and ∞ at the same places; integers equal, or within some steps where they were rounded from floats.</summary>
    public static void Close(string label, TensorData expected, TensorData actual, double tolerance, long steps = 0)
    {
        Assert.True(expected.Type == actual.Type && expected.Shape.SequenceEqual(actual.Shape), $"{label}: expected {expected}, got {actual}");
        if (!expected.Type.IsFloatingPoint())
        {
            bool equal = expected.ContentEquals(actual) || (steps > 0 && expected.ToInt64().Zip(actual.ToInt64()).All(p => Math.Abs(p.First - p.Second) <= steps));
            Assert.True(equal, $"{label}: expected {Text(expected)}, got {Text(actual)}");
            return;
        }
        double[] a = expected.ToDouble(), b = actual.ToDouble();
        double scale = a.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        for (int i = 0; i < a.Length; i++)
        {
            bool close = double.IsNaN(a[i]) ? double.IsNaN(b[i]) : double.IsInfinity(a[i]) ? a[i] == b[i] : Math.Abs(a[i] - b[i]) <= tolerance * Math.Max(scale, LeastScale);
            Assert.True(close, $"{label}: element {i} of {a.Length} is {b[i]:R}, expected {a[i]:R} (scale {scale:G4})");
        }
    }

    private static string Text(TensorData data) => data.Type == DataType.UInt64 ? data.ToString() : string.Join(",", data.ToInt64().Take(40));
}
