using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Lowering;

/// <summary>A Concat that begins with all parts of a Split, in order, takes what was split: one value to write in place instead of copies of its parts.</summary>
internal static class JoinedSplits
{
    public static void Run(OnnxGraph graph)
    {
        foreach (Node node in graph.Body.Nodes.ToList())
        {
            if (!node.Is("Concat") || node.Output()?.Type?.Shape is not { } shape) continue;
            long axis = AxisOf(graph, node, shape.Rank);
            List<Value> inputs = [.. node.Inputs.OfType<Value>()];
            for (int i = 0; i < inputs.Count; i++)
            {
                if (inputs[i].Producer is not { } split || !split.Is("Split") || split.Graph != graph.Body || inputs[i].OutputIndex != 0 || AxisOf(graph, split, shape.Rank) != axis) continue;
                int parts = split.Outputs.Count;
                if (i + parts > inputs.Count || !Enumerable.Range(0, parts).All(p => ReferenceEquals(inputs[i + p], split.Outputs[p]))) continue;
                inputs.RemoveRange(i, parts);
                inputs.Insert(i, split.Input(0)!);
            }
            if (inputs.Count < node.Inputs.Count) node.SetInputs(inputs);
        }
    }

    private static long AxisOf(OnnxGraph graph, Node node, int rank) => OperatorView.Of(graph, node).Axis is var axis && axis < 0 ? axis + rank : axis;
}
