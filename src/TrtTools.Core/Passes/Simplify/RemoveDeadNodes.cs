using TrtTools.Ir;

namespace TrtTools.Passes.Simplify;

/// <summary>Nodes, outputs of If, initializers and functions that nothing needs.</summary>
internal sealed class RemoveDeadNodes : GraphPass
{
    public override string Name => "remove-dead-nodes";

    public override int Apply(PassContext context)
    {
        int count = 0;
        bool again = true;
        while (again)
        {
            again = false;
            // From the end, so that a chain goes in one walk.
            foreach (Graph graph in context.Model.Body.WithSubgraphs.Reverse().ToList())
            {
                for (Node? node = graph.Last; node is not null;)
                {
                    // A removed node keeps its link to what stood before it.
                    Node? previous = node.Previous;
                    if (!node.IsAlive)
                    {
                        node = previous;
                        continue;
                    }
                    if (!node.Outputs.Any(o => o is { HasUses: true }))
                    {
                        bool hadSubgraphs = node.Subgraphs.Any();
                        context.Remove(node);
                        count++;
                        again |= hadSubgraphs;
                    }
                    else
                    {
                        int dropped = DropOutputs(node, context);
                        count += dropped;
                        again |= dropped > 0 && node.Is("If");
                    }
                    node = previous;
                }
            }
        }
        foreach (Graph graph in context.Model.Body.WithSubgraphs.ToList())
        {
            foreach (Value initializer in graph.Initializers.Where(v => !v.HasUses && !v.IsGraphInput).ToList())
            {
                graph.RemoveInitializer(initializer);
                count++;
            }
        }
        return count + RemoveFunctions(context.Model);
    }

    private static int DropOutputs(Node node, PassContext context)
    {
        if (node.Outputs.Count < 2) return 0;
        if (node.Is("If"))
        {
            List<int> unused = [.. Enumerable.Range(0, node.Outputs.Count).Where(i => node.Outputs[i] is not { HasUses: true })];
            if (unused.Count == 0 || node.Subgraphs.Any(g => g.Outputs.Count != node.Outputs.Count)) return 0;
            foreach (Graph branch in node.Subgraphs)
            {
                foreach (int index in unused.AsEnumerable().Reverse())
                {
                    Value output = branch.Outputs[index];
                    branch.RemoveOutput(index);
                    context.Touch(output.Producer);
                }
            }
            foreach (int index in unused.AsEnumerable().Reverse()) node.Graph.RemoveOutputOf(node, index);
            context.Touch(node);
            return unused.Count;
        }
        if (!HasOptionalOutputs(node)) return 0;
        int last = node.Outputs.Count - 1;
        int dropped = 0;
        for (; last > 0 && node.Outputs[last] is not { HasUses: true }; last--)
        {
            dropped++;
            node.Graph.RemoveOutputOf(node, last);
        }
        if (dropped > 0) context.Touch(node);
        return dropped;
    }

    private static bool HasOptionalOutputs(Node node) => node.Domain.Length == 0 && node.OpType is "Dropout" or "MaxPool" or "LSTM" or "GRU" or "RNN" or "LayerNormalization" or "Unique";

    private static int RemoveFunctions(OnnxGraph model)
    {
        if (model.FunctionTable.Count == 0) return 0;
        HashSet<Function> called = [];
        Stack<Graph> pending = new([model.Body]);
        while (pending.TryPop(out Graph? body))
        {
            foreach (Node node in body.NodesWithSubgraphs)
            {
                if (model.FindFunction(node) is { } function && called.Add(function)) pending.Push(function.Body);
            }
        }
        List<Function> unused = [.. model.FunctionTable.Values.Where(f => !called.Contains(f))];
        foreach (Function function in unused) model.FunctionTable.Remove(function.Key);
        return unused.Count;
    }
}
