using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Lowering;

/// <summary>Products of one value with several constant matrices (queries, keys and values) become one product whose result is split, which is no work.</summary>
internal static class SiblingProducts
{
    private const int FewestMerged = 2;

    /// <summary>A product with what is added to it.</summary>
    private sealed record Branch(Node Product, Node? Addition, TensorData Weight, TensorData? Bias)
    {
        public Value Result => (Addition ?? Product).Output()!;
    }

    public static void Run(OnnxGraph graph)
    {
        Dictionary<Node, int> positions = [];
        foreach (Node node in graph.Body.Nodes) positions.Add(node, positions.Count);
        foreach (Value value in graph.Body.Nodes.SelectMany(n => n.Inputs).OfType<Value>().Distinct().ToList())
        {
            List<Branch> branches = [.. value.Uses.Where(u => u.Index == 0 && u.Node.Graph == graph.Body && positions.ContainsKey(u.Node)).OrderBy(u => positions[u.Node]).Select(u => BranchOf(u.Node)).OfType<Branch>()];
            foreach (IGrouping<(long, bool, DataType, string), Branch> alike in branches.GroupBy(b => (b.Weight.Shape[0], b.Bias is not null, b.Weight.Type, b.Product.OpType)).ToList())
            {
                if (alike.Count() >= FewestMerged) Merge(graph, value, [.. alike]);
            }
        }
    }

    private static Branch? BranchOf(Node node)
    {
        if (node.Is("MatMul") && OperatorView.Constant(node.Input(1)) is { Rank: 2 } weight && weight.Type.BitSize() >= 8 && node.Output()?.Type?.Shape is { Rank: >= 2 })
        {
            // A bias that all rows share, where nothing else reads the product.
            Value product = node.Output()!;
            if (product is { HasSingleUse: true } && product.Uses[0].Node is { } addition && addition.Is("Add") && OperatorView.Constant(addition.Input(1 - product.Uses[0].Index)) is { Rank: 1 } bias
                && bias.Shape[0] == weight.Shape[1] && bias.Type == weight.Type) return new Branch(node, addition, weight, bias);
            return new Branch(node, null, weight, null);
        }
        if (node.Is("Gemm") && node.Attributes.Float("alpha", 1) == 1 && node.Attributes.Float("beta", 1) == 1 && node.Attributes.Int("transA", 0) == 0 && node.Attributes.Int("transB", 0) == 0
            && OperatorView.Constant(node.Input(1)) is { Rank: 2 } matrix && OperatorView.Constant(node.Input(2)) is { Rank: 1 } shift && shift.Shape[0] == matrix.Shape[1])
        {
            return new Branch(node, null, matrix, shift);
        }
        return null;
    }

    private static void Merge(OnnxGraph graph, Value input, List<Branch> branches)
    {
        Graph body = graph.Body;
        // Before the first of them, since its result may be read before the last one stands.
        Node first = body.Nodes.First(n => branches.Any(b => b.Product == n));
        string name = branches[0].Result.Name + "_siblings";
        Value weight = body.AddConstant(name + "_weight", Columns([.. branches.Select(b => b.Weight)]));
        Value? bias = branches[0].Bias is null ? null : body.AddConstant(name + "_bias", Columns([.. branches.Select(b => b.Bias!)]));
        bool isGemm = branches[0].Product.Is("Gemm");
        Value result = body.AddNode(branches[0].Product.OpType, isGemm ? [input, weight, bias] : [input, weight], [body.FreshName(name)], before: first).Output()!;
        List<Node> made = [result.Producer!];
        TensorType type = branches[0].Product.Output()!.Type!;
        TensorType wide = type with { Shape = new SymbolicShape([.. type.Shape!.Dimensions.SkipLast(1), weight.Data!.Shape[1]]) };
        result.Type = wide;
        if (!isGemm && bias is not null)
        {
            result = body.AddNode("Add", [result, bias], [body.FreshName(name + "_biased")], before: first).Output()!;
            result.Type = wide;
            made.Add(result.Producer!);
        }
        foreach (Node node in made) node.SourceNodes = PassContext.SourcesOf([.. branches.SelectMany(b => b.Addition is null ? [b.Product] : new[] { b.Product, b.Addition })]);
        Node split = body.AddNode("Split", [result], [], before: first);
        split.Attributes.Set(Attribute.Int("axis", type.Shape.Rank - 1));
        long[] sizes = [.. branches.Select(b => b.Weight.Shape[1])];
        if (graph.OnnxOpset >= 13) split.SetInput(1, body.AddConstant(name + "_sizes", TensorData.Vector<long>(sizes)));
        else split.Attributes.Set(Attribute.Ints("split", sizes));
        for (int i = 0; i < branches.Count; i++)
        {
            Branch branch = branches[i];
            Value output = branch.Result;
            body.MoveOutput(output, split, i);
            if (branch.Addition is not null) body.Remove(branch.Addition);
            body.Remove(branch.Product);
        }
    }

    /// <summary>Matrices or vectors side by side.</summary>
    private static TensorData Columns(IReadOnlyList<TensorData> parts)
    {
        int size = parts[0].Type.BitSize() / 8;
        long rows = parts[0].Rank == 2 ? parts[0].Shape[0] : 1, columns = parts.Sum(p => p.Shape[^1]);
        byte[] bytes = new byte[rows * columns * size];
        long start = 0;
        foreach (TensorData part in parts)
        {
            int width = (int)(part.Shape[^1] * size);
            for (long row = 0; row < rows; row++) part.Slice(row * width, width).CopyTo(bytes.AsSpan((int)((row * columns * size) + start), width));
            start += width;
        }
        return TensorData.FromBytes(parts[0].Type, parts[0].Rank == 2 ? [rows, columns] : [columns], bytes);
    }
}
