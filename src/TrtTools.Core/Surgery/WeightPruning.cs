using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>What became of one weight when it was pruned to two of four.</summary>
public sealed record PrunedWeight
{
    public required string Weight { get; init; }

    /// <summary>The node that multiplies by it.</summary>
    public required string NodeName { get; init; }

    public required string Operator { get; init; }

    public required long[] Shape { get; init; }

    public required bool Pruned { get; init; }

    /// <summary>Why it was left as it was; empty when it was pruned.</summary>
    public required string Reason { get; init; }

    /// <summary>Elements that were not zero before and are now.</summary>
    public required long ZeroedCount { get; init; }

    /// <summary>Share of the sum of all magnitudes that went with them, in percent.</summary>
    public required double LostMagnitudePercent { get; init; }

    public required string Model { get; init; }

    public string? Path { get; init; }
}

/// <summary>Sets the two smallest of each four neighbours along the summed axis to zero: what Compress-OnnxWeight -Prune runs.</summary>
public static class WeightPruning
{
    /// <param name="wanted">Which weights, by their names or their nodes'.</param>
    public static (OnnxGraph Graph, IReadOnlyList<PrunedWeight> Weights) Prune(OnnxGraph graph, Func<string, bool> wanted, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(wanted);
        graph.RequireWeights();
        GraphEdit edit = new(graph);
        List<(Node Node, SummedWeight Weight)> found = [.. edit.Body.NodesWithSubgraphs.Select(n => (n, SummedWeight.Of(n))).Where(p => p.Item2 is { } w && (wanted(w.Value.Name) || wanted(p.n.DisplayName))).Select(p => (p.n, p.Item2!))];
        if (found.Count == 0)
        {
            string[] names = [.. edit.Body.NodesWithSubgraphs.Select(SummedWeight.Of).OfType<SummedWeight>().Select(w => w.Value.Name).Distinct(StringComparer.Ordinal)];
            throw new TrtToolsException(ErrorCode.ChangeRefused, graph.Name, "no such weight of a Conv, ConvTranspose, Gemm or MatMul is there", names.Length == 0 ? "A constant that one of them multiplies by" : $"One of {string.Join(", ", names.Take(12).Select(n => $"'{n}'"))}{(names.Length > 12 ? ", …" : "")}", "Correct -Name, or expand functions first (Expand-OnnxFunction)");
        }
        ILookup<Value, int> axes = edit.Body.NodesWithSubgraphs.Select(SummedWeight.Of).OfType<SummedWeight>().ToLookup(w => w.Value, w => w.Axis);
        List<PrunedWeight> results = [];
        HashSet<Value> done = [];
        foreach ((Node node, SummedWeight weight) in found)
        {
            stop.ThrowIfCancellationRequested();
            if (!done.Add(weight.Value)) continue;
            string reason = WhyNot(node, weight, axes[weight.Value]);
            (long zeroed, double lost) = reason.Length == 0 ? Prune(edit, weight) : default;
            results.Add(new PrunedWeight
            {
                Weight = weight.Value.Name, NodeName = node.DisplayName, Operator = node.OpType, Shape = weight.Data.Shape.ToArray(), Pruned = reason.Length == 0, Reason = reason, ZeroedCount = zeroed, LostMagnitudePercent = lost,
                Model = graph.Name, Path = graph.Path,
            });
        }
        int pruned = results.Count(r => r.Pruned);
        return (edit.Finish(WeightStrip.Command, string.Create(CultureInfo.InvariantCulture, $"-Prune ({pruned} of {results.Count} weights, {results.Sum(r => r.ZeroedCount)} elements)")), results);
    }

    private static string WhyNot(Node node, SummedWeight weight, IEnumerable<int> axes)
    {
        long extent = weight.Data.Shape[weight.Axis];
        if (extent % 4 != 0) return string.Create(CultureInfo.InvariantCulture, $"the summed axis has {extent} elements, no multiple of 4");
        if (axes.Any(a => a != weight.Axis)) return "other nodes sum it along another axis";
        if (weight.Value.IsGraphInput) return "a caller may give another content for it";
        if (!weight.Data.Type.IsFloatingPoint() && node.Input(1)?.Producer is { } dequantize && dequantize.Is("DequantizeLinear") && dequantize.Input(2) is { } zero && !(zero.Data is { } point && point.ToInt64().All(p => p == 0))) return "its zero point is not 0, so a zero means something else";
        return weight.Data.Type.BitSize() < 8 ? $"its elements are {weight.Data.Type}" : "";
    }

    private static (long Zeroed, double Lost) Prune(GraphEdit edit, SummedWeight weight)
    {
        TensorData data = weight.Data;
        double[] values = data.ToDouble();
        byte[] bytes = data.Bytes.ToArray();
        int size = data.Type.BitSize() / 8;
        long extent = data.Shape[weight.Axis], inner = TensorData.CountElements(data.Shape[(weight.Axis + 1)..]), outer = TensorData.CountElements(data.Shape[..weight.Axis]), zeroed = 0;
        double lost = 0, all = values.Sum(v => double.IsFinite(v) ? Math.Abs(v) : 0);
        long[] group = new long[4];
        for (long o = 0; o < outer; o++)
        {
            for (long i = 0; i < inner; i++)
            {
                for (long start = 0; start < extent; start += 4)
                {
                    for (int k = 0; k < 4; k++) group[k] = (((o * extent) + start + k) * inner) + i;
                    // Of equal ones the first stays.
                    foreach (long at in group.OrderByDescending(g => Math.Abs(values[g])).ThenBy(g => g).Skip(2))
                    {
                        if (values[at] != 0)
                        {
                            zeroed++;
                            lost += Math.Abs(values[at]);
                        }
                        bytes.AsSpan(checked((int)(at * size)), size).Clear();
                    }
                }
            }
        }
        TensorData pruned = TensorData.FromBytes(data.Type, data.Shape, bytes);
        if (weight.Value.Producer is { } constant)
        {
            foreach (Attribute attribute in constant.Attributes.ToList()) constant.Attributes.Remove(attribute.Name);
            constant.Attributes.Set(Attribute.Tensor("value", pruned));
        }
        else weight.Value.Graph.SetData(weight.Value, pruned);
        edit.Touch(weight.Value);
        return (zeroed, all > 0 ? 100 * lost / all : 0);
    }
}
