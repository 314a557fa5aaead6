using TrtTools.Ir;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>Gives a name to every extent that only the run tells, so that all shapes downstream are expressions.</summary>
internal static class UnknownExtents
{
    public static ShapeResult Resolve(OnnxGraph graph)
    {
        ShapeResult shapes = ShapeInference.Infer(graph);
        // Each round names the extents of those nodes whose inputs are all known; what follows from them is inferred, not named.
        for (int round = 0; round < graph.Body.NodeCount; round++)
        {
            bool changed = false;
            foreach (Node node in graph.Body.Nodes)
            {
                if (!node.Inputs.All(i => i is null || IsKnown(i))) continue;
                foreach (Value? output in node.Outputs)
                {
                    if (output is null || output.Type is not { Shape: { } shape } type || IsKnown(output)) continue;
                    output.Type = type with { Shape = new SymbolicShape([.. shape.Dimensions.Select((d, axis) => d ?? Name(output, axis))]) };
                    changed = true;
                }
            }
            if (!changed) break;
            shapes = ShapeInference.Infer(graph);
        }
        return shapes;
    }

    /// <summary>The extent is one that a value's producer tells, and nothing before it.</summary>
    public static bool IsNamedAfter(DimExpr extent, Value value, int axis) => extent.SymbolName is not null && extent.Equals(Name(value, axis));

    private static DimExpr Name(Value value, int axis) => DimExpr.GeneratedSymbol($"{value.Name}.{axis}");

    private static bool IsKnown(Value value) => value.Data is not null || value.Type is null || value.Type.Shape is null || value.Type.Shape.Dimensions.All(d => d is not null);
}
