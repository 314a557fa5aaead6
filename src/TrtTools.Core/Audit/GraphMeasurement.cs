using System.Globalization;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Audit;

/// <summary>Counts a graph's nodes, weights, work and memory.</summary>
public static class GraphMeasurement
{
    /// <param name="graph">The graph; it is not changed.</param>
    /// <param name="inputShape">Shapes of inputs by name; a dimension left open counts as 1.</param>
    public static GraphSummary Measure(OnnxGraph graph, IDictionary<string, long[]>? inputShape = null)
    {
        CheckNames(graph, inputShape);
        using OnnxGraph copy = graph.Copy();
        ShapeResult shapes = ShapeInference.Infer(copy, inputShape is null ? null : new Dictionary<string, long[]>(inputShape, StringComparer.Ordinal));
        ExtentReader extents = new(copy);
        WorkCounter work = new(copy, extents);
        double flops = work.Count();
        long peak = MemoryPeak.Of(copy.Body, extents);
        List<Node> nodes = [.. copy.Body.NodesWithSubgraphs];
        (long parameters, long weightBytes) = Weights(copy);
        string[] operators = [.. nodes.GroupBy(NameOf, StringComparer.Ordinal).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key}: {g.Count()}"))];
        return new GraphSummary
        {
            Model = graph.Name,
            Path = graph.Path,
            NodeCount = nodes.Count,
            OperatorCount = operators.Length,
            Operators = operators,
            Parameters = parameters,
            WeightBytes = weightBytes,
            Flops = ToInt64(flops),
            PeakActivationBytes = peak,
            Opset = [.. graph.Opset.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Key}: {p.Value}"))],
            Inputs = [.. graph.Inputs.Select(i => i.ToString())],
            Outputs = [.. graph.Outputs.Select(o => o.ToString())],
            UnresolvedDimensions = extents.UnresolvedCount,
            Notes = [.. extents.Notes(), .. shapes.Contradictions],
        };
    }

    private static void CheckNames(OnnxGraph graph, IDictionary<string, long[]>? inputShape)
    {
        foreach (string name in inputShape?.Keys ?? [])
        {
            if (graph.Body.Inputs.Any(i => i.Data is null && i.Name == name)) continue;
            throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{name}'", $"{graph.Name} has no such input",
                $"Its inputs are {string.Join(", ", graph.Inputs.Select(i => $"'{i.Name}'"))}", "Give the shape under one of these names");
        }
    }

    private static (long Parameters, long Bytes) Weights(OnnxGraph graph)
    {
        long parameters = 0, bytes = 0;
        HashSet<TensorData> counted = new(ReferenceEqualityComparer.Instance);
        foreach (Graph body in graph.FunctionTable.Values.Select(f => f.Body).Prepend(graph.Body).SelectMany(b => b.WithSubgraphs))
        {
            IEnumerable<TensorData> constants = body.Initializers.Select(i => i.Data!).Concat(body.Nodes.Where(n => n.Is("Constant")).Select(n => n.Attributes.Tensor("value")).OfType<TensorData>());
            foreach (TensorData data in constants)
            {
                if (!counted.Add(data)) continue;
                bytes += data.Type == DataType.String ? 0 : data.ByteCount;
                if (data.Type is not (DataType.Int64 or DataType.Bool or DataType.String)) parameters += data.ElementCount;
            }
        }
        return (parameters, bytes);
    }

    private static string NameOf(Node node) => node.Domain.Length == 0 ? node.OpType : $"{node.Domain}::{node.OpType}";

    private static long ToInt64(double value) => value >= long.MaxValue ? long.MaxValue : (long)value;
}
