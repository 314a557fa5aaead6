namespace TrtTools.Ir;

/// <summary>Copies bodies. Weights, remainders and attribute contents are shared, since they are immutable.</summary>
internal static class GraphCopier
{
    public static Graph Copy(Graph source) => Copy(source, new Dictionary<Value, Value>(source.ValueCount));

    /// <summary>Copies a body; a value of an outer body that <paramref name="map"/> holds is replaced, any other is read as it is.</summary>
    public static Graph Copy(Graph source, Dictionary<Value, Value> map)
    {
        Graph copy = new(source.Name, source.ValueCount) { Remainder = source.Remainder };
        foreach (Value input in source.Inputs)
        {
            Value twin = copy.AddInput(input.Name, input.Type);
            Annotate(twin, input, map);
        }
        foreach (Value initializer in source.Initializers)
        {
            Value twin = copy.AddInitializer(initializer.Name, initializer.Data!);
            Annotate(twin, initializer, map);
        }
        foreach (Node node in source.Nodes) CopyNode(node, copy, map);
        foreach (Value output in source.Outputs) copy.AddOutput(map.GetValueOrDefault(output, output));
        return copy;
    }

    /// <summary>Copies one node into <paramref name="target"/>; output names are kept unless <paramref name="rename"/> changes them.</summary>
    public static Node CopyNode(Node node, Graph target, Dictionary<Value, Value> map, Node? before = null, Func<string, string>? rename = null)
    {
        Node twin = target.AddTwin(node, map, before, rename);
        twin.Name = node.Name;
        twin.Overload = node.Overload;
        twin.SourceNodes = node.SourceNodes;
        twin.Remainder = node.Remainder;
        twin.Outlined = node.Outlined;
        for (int i = 0; i < node.Outputs.Count; i++)
        {
            if (node.Outputs[i] is { } output) Annotate(twin.Outputs[i]!, output, map);
        }
        if (!node.Attributes.HasGraphs)
        {
            twin.Attributes.Share(node.Attributes);
            return twin;
        }
        foreach (Attribute attribute in node.Attributes)
        {
            twin.Attributes.Set(attribute.Content switch
            {
                Graph graph => attribute with { Content = Copy(graph, map) },
                Graph[] graphs => attribute with { Content = graphs.Select(g => Copy(g, map)).ToArray() },
                _ => attribute,
            });
        }
        return twin;
    }

    private static void Annotate(Value twin, Value original, Dictionary<Value, Value> map)
    {
        twin.Type = original.Type;
        twin.Origin = original.Origin;
        twin.Remainder = original.Remainder;
        map[original] = twin;
    }
}
