using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Computes what depends only on constants, in one ONNX Runtime session a round. Quantization and random operators stay, and so
/// does what would bloat the file (Expand, Tile, ConstantOfShape, …).</summary>
internal sealed class FoldConstants : GraphPass
{
    /// <summary>How much larger a result may be than the constants it replaces.</summary>
    private const long Allowance = 64 * 1024;

    private const int MostCollapses = 4;

    public override string Name => "fold-constants";

    public override int Apply(PassContext context)
    {
        HashSet<Node> exhausted = context.ExhaustedBy(Name);
        int count = FoldShapes(context);
        while (true)
        {
            List<Value> frontier = FindFrontier(context, exhausted);
            if (frontier.Count == 0) return count;
            Dictionary<Value, TensorData> results = [];
            Evaluate(frontier, context, exhausted, results);
            bool rejected = false;
            foreach (Value value in frontier)
            {
                if (!results.TryGetValue(value, out TensorData? data)) continue;
                if (value.Producer is not { IsAlive: true } producer) continue;
                if (IsBloated(producer, data.ByteCount))
                {
                    rejected = true;
                    exhausted.Add(producer);
                    continue;
                }
                context.ReplaceByConstant(value, data);
                count++;
            }
            // What a rejected node reads may now be the edge of what can be folded.
            if (!rejected) return count;
        }
    }

    /// <summary>Shape and Size of values whose extents are known.</summary>
    private static int FoldShapes(PassContext context)
    {
        int count = 0;
        foreach (Node node in context.Model.Body.NodesWithSubgraphs)
        {
            if (node.Output() is not { HasUses: true } output || node.Domain.Length > 0 || node.OpType is not ("Shape" or "Size") || Types.StaticShapeOf(node.Input(0)) is not { } shape) continue;
            if (node.OpType == "Size")
            {
                context.ReplaceByConstant(output, TensorData.From<long>([TensorData.CountElements(shape)], []));
            }
            else
            {
                int start = Clamp(node.Attributes.Int("start", 0), shape.Length);
                int end = Math.Max(start, Clamp(node.Attributes.Int("end", shape.Length), shape.Length));
                context.ReplaceByConstant(output, TensorData.Vector<long>(shape.AsSpan()[start..end]));
            }
            count++;
        }
        return count;
    }

    private static int Clamp(long index, int rank) => (int)Math.Clamp(index < 0 ? index + rank : index, 0, rank);

    /// <summary>Values that can be computed and that something else than foldable nodes reads.</summary>
    private static List<Value> FindFrontier(PassContext context, HashSet<Node> exhausted)
    {
        HashSet<Node> foldable = [];
        List<Node> order = [];
        Collect(context.Model.Body, context, exhausted, foldable, order);
        List<Value> frontier = [];
        foreach (Node node in order)
        {
            foreach (Value? output in node.Outputs)
            {
                if (output is not { HasUses: true }) continue;
                if (!output.IsGraphOutput && output.UseList.All(u => foldable.Contains(u.Node))) continue;
                frontier.Add(output);
            }
        }
        return frontier;
    }

    private static void Collect(Graph graph, PassContext context, HashSet<Node> exhausted, HashSet<Node> foldable, List<Node> order)
    {
        foreach (Node node in graph.Nodes)
        {
            if (IsFoldable(node, context, exhausted, foldable))
            {
                foldable.Add(node);
                order.Add(node);
            }
            else
            {
                foreach (Graph below in node.Subgraphs) Collect(below, context, exhausted, foldable, order);
            }
        }
    }

    private static bool IsFoldable(Node node, PassContext context, HashSet<Node> exhausted, HashSet<Node> foldable)
    {
        // Most nodes read something that is not known: they are done with here.
        foreach (Value? input in node.Inputs)
        {
            if (input is not null && !IsKnown(input, foldable)) return false;
        }
        if (exhausted.Contains(node) || Traits.IsNeverFolded(node) || Traits.GivesNoTensor(node) || node.Is("Constant") || context.Model.FindFunction(node) is not null) return false;
        // An Identity of an initializer that carries a graph output cannot become less.
        if (node.Is("Identity") && node.Output() is { IsGraphOutput: true } && PassContext.Constant(node.Input(0)) is not null) return false;
        foreach (Graph below in node.Subgraphs)
        {
            if (below.NodesWithSubgraphs.Any(n => Traits.IsNeverFolded(n) || context.Model.FindFunction(n) is not null)) return false;
            if (!Captures.Of(below).All(v => IsKnown(v, foldable))) return false;
        }
        // The declared size tells most of what would bloat before it is computed.
        return !node.Outputs.All(o => o is null || (Types.StaticShapeOf(o) is { } shape && IsBloated(node, SizeOf(Types.TypeOf(o), shape))))
            || node.Outputs.Any(o => o is not null && o.UseList.Count > 0 && !o.IsGraphOutput && o.UseList.All(u => CanShrink(u.Node)));
    }

    /// <summary>Bytes of a tensor; the largest number where no number is large enough.</summary>
    private static long SizeOf(DataType type, long[] shape)
    {
        Int128 bits = type.BitSize();
        foreach (long extent in shape) bits = extent == 0 ? 0 : Int128.Min(bits * Math.Max(0, extent), long.MaxValue);
        return (long)(bits / 8);
    }

    /// <summary>Operators whose result is often far smaller than what they read, so that a large value on the way is no harm.</summary>
    private static bool CanShrink(Node node) => node.Domain.Length == 0 && (node.OpType.StartsWith("Reduce", StringComparison.Ordinal) || node.OpType is "Slice" or "Gather" or "Shape" or "Size" or "ArgMax" or "ArgMin");

    private static bool IsKnown(Value value, HashSet<Node> foldable) => PassContext.Constant(value) is not null || (value.Producer is { } producer && foldable.Contains(producer));

    private static bool IsBloated(Node producer, long bytes)
    {
        long limit = Allowance;
        if (bytes <= limit) return false;
        HashSet<Value> seen = [];
        Stack<Node> pending = new([producer]);
        while (pending.TryPop(out Node? node))
        {
            foreach (Value? input in node.Inputs)
            {
                if (input is null || !seen.Add(input)) continue;
                if (PassContext.Constant(input) is { } data) limit += data.ByteCount;
                else if (input.Producer is { } deeper) pending.Push(deeper);
                if (bytes <= limit) return false;
            }
        }
        return true;
    }

    /// <summary>Evaluates all at once; when ONNX Runtime refuses, halves, so that what it cannot compute is found and left alone.</summary>
    private static void Evaluate(IReadOnlyList<Value> wanted, PassContext context, HashSet<Node> exhausted, Dictionary<Value, TensorData> results)
    {
        try
        {
            foreach ((Value value, TensorData data) in SubgraphEvaluator.Evaluate(context.Model, wanted, null, context.Stop)) results[value] = data;
        }
        catch (TrtToolsException e) when (e.Code != ErrorCode.Cancelled && e.Code != ErrorCode.NativeLibraryMissing)
        {
            if (e.Data.Contains(EvaluationProcess.Collapsed) && ++context.Collapses >= MostCollapses)
            {
                // Each costs a new process: what brings ONNX Runtime down again and again is left alone.
                if (context.Collapses == MostCollapses) context.Report.Warning($"{context.Model.Name}: constants are folded no further. {e.Message}");
                foreach (Value value in wanted) exhausted.Add(value.Producer!);
                return;
            }
            if (wanted.Count == 1)
            {
                context.Report.Debug($"fold-constants leaves '{wanted[0].Producer!.DisplayName}': {e.Message}");
                exhausted.Add(wanted[0].Producer!);
                return;
            }
            int half = wanted.Count / 2;
            Evaluate([.. wanted.Take(half)], context, exhausted, results);
            Evaluate([.. wanted.Skip(half)], context, exhausted, results);
        }
    }
}
