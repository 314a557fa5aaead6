using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Puts a body's nodes in the place of the node that held it.</summary>
internal static class BodyMover
{
    /// <summary>Copies a detached body's constants and nodes before <paramref name="owner"/>. <paramref name="map"/> holds what its inputs stand for, and gets its values.</summary>
    /// <param name="again">True when another copy stands in the graph already, whose nodes have the names.</param>
    public static void MoveInto(Node owner, Graph body, Dictionary<Value, Value> map, PassContext context, bool again = false)
    {
        Graph graph = owner.Graph;
        foreach (Value initializer in body.Initializers)
        {
            Value constant = graph.AddConstant(initializer.Name, initializer.Data!);
            constant.Origin = initializer.Origin;
            constant.Remainder = initializer.Remainder;
            map[initializer] = constant;
        }
        foreach (Node inner in body.Nodes)
        {
            Node moved = GraphCopier.CopyNode(inner, graph, map, owner, graph.FreshName);
            foreach (Node node in moved.Subgraphs.SelectMany(g => g.NodesWithSubgraphs).Prepend(moved))
            {
                if (again && node.Name.Length > 0) node.Name = context.FreshNodeName(node.Name);
                context.Touch(node);
            }
        }
    }

    /// <summary>All readers of the owner's output read the result.</summary>
    public static void Carry(Value output, Value result, PassContext context)
    {
        foreach (Use use in output.UseList) context.Touch(use.Node);
        // The owner's own shape holds for all its bodies and rounds, so it may say less, but never more, than the body's.
        result.Type = Types.MoreSpecific(result.Type, output.Type is { } declared ? declared with { Shape = null } : null);
        if (result.Data is null) result.Origin = PassContext.NamesOf(result).Join(PassContext.NamesOf(output));
        output.Graph.ReplaceUses(output, result);
        context.TouchAround(result);
    }
}
