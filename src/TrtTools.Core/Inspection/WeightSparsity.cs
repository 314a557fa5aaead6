using System.Globalization;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Inspection;

/// <summary>Whether a weight has the pattern that sparse Tensor Cores take: of each four neighbours along the summed axis, two at most are not zero.</summary>
public sealed record WeightSparsity
{
    public required string Weight { get; init; }

    /// <summary>The node that multiplies by it.</summary>
    public required string NodeName { get; init; }

    public required string Operator { get; init; }

    public required long[] Shape { get; init; }

    /// <summary>Every group of four fits, and groups of four are all there is.</summary>
    public required bool IsSparse { get; init; }

    /// <summary>Why it has not the pattern; empty when it has.</summary>
    public required string Reason { get; init; }

    /// <summary>Groups of four along the summed axis.</summary>
    public required long GroupCount { get; init; }

    /// <summary>Groups with more than two that are not zero.</summary>
    public required long DenseGroupCount { get; init; }

    /// <summary>Share of zeros among all elements, in percent.</summary>
    public required double ZeroPercent { get; init; }

    public required string Model { get; init; }

    public string? Path { get; init; }
}

/// <summary>Looks at the weights of Conv, ConvTranspose, Gemm and MatMul, behind DequantizeLinear too.</summary>
public static class SparsityCheck
{
    public static IReadOnlyList<WeightSparsity> Check(OnnxGraph graph, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        List<WeightSparsity> found = [];
        foreach (Node node in graph.Body.NodesWithSubgraphs.Concat(graph.FunctionTable.Values.SelectMany(f => f.Body.NodesWithSubgraphs)))
        {
            stop.ThrowIfCancellationRequested();
            if (SummedWeight.Of(node) is not var (value, data, axis)) continue;
            (long groups, long dense, long zeros) = Count(data, axis);
            string reason = data.Shape[axis] % 4 != 0 ? string.Create(CultureInfo.InvariantCulture, $"the summed axis has {data.Shape[axis]} elements, no multiple of 4")
                : dense > 0 ? string.Create(CultureInfo.InvariantCulture, $"{dense} of {groups} groups have more than two that are not zero") : "";
            found.Add(new WeightSparsity
            {
                Weight = value.Name, NodeName = node.DisplayName, Operator = node.OpType, Shape = data.Shape.ToArray(), IsSparse = reason.Length == 0, Reason = reason, GroupCount = groups, DenseGroupCount = dense,
                ZeroPercent = 100.0 * zeros / data.ElementCount, Model = graph.Name, Path = graph.Path,
            });
        }
        return found;
    }

    private static (long Groups, long Dense, long Zeros) Count(TensorData data, int axis)
    {
        double[] values = data.ToDouble();
        long extent = data.Shape[axis], inner = TensorData.CountElements(data.Shape[(axis + 1)..]), outer = TensorData.CountElements(data.Shape[..axis]);
        long groups = 0, dense = 0;
        for (long o = 0; o < outer; o++)
        {
            for (long i = 0; i < inner; i++)
            {
                for (long start = 0; start < extent; start += 4)
                {
                    int full = 0;
                    for (long at = start; at < Math.Min(extent, start + 4); at++)
                    {
                        if (values[(o * extent + at) * inner + i] != 0) full++;
                    }
                    groups++;
                    if (full > 2) dense++;
                }
            }
        }
        return (groups, dense, values.LongCount(v => v == 0));
    }
}
