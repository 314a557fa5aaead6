using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Lowering;

/// <summary>A linear layer that an exporter wrote as Reshape, Gemm (or MatMul), Reshape becomes a product over the axes that the last one restores, so that what follows sees its result in place.</summary>
internal static class UnflattenProducts
{
    public static void Run(OnnxGraph graph)
    {
        foreach (Node node in graph.Body.Nodes.ToList())
        {
            if (node.IsAlive && (node.Is("Gemm") || node.Is("MatMul"))) Unflatten(graph, node);
        }
    }

    private static void Unflatten(OnnxGraph graph, Node node)
    {
        Value output = node.Output()!;
        if (node.Input(0) is not { Type.Shape: { Rank: 2 } flat } a || output.Type?.Shape is not { Rank: 2 } result || result[1] is null || flat[1] is null) return;
        bool isGemm = node.Is("Gemm");
        if (isGemm && (node.Attributes.Float("alpha", 1) != 1 || node.Attributes.Float("beta", 1) != 1 || node.Attributes.Int("transA", 0) != 0)) return;
        if (node.Input(1)?.Type?.Shape is not { Rank: 2 } || (isGemm && node.Input(2) is { } bias && bias.Type?.Shape is not { Rank: <= 1 })) return;
        if (node.Input(1)?.Producer is { } dequantize && Traits.IsQuantization(dequantize)) return;
        SymbolicShape? wide = output.Uses.Select(u => u.Node).Where(n => n.Is("Reshape") && n.Graph == graph.Body).Select(n => n.Output()!.Type?.Shape)
            .FirstOrDefault(s => s is { Rank: > 2 } && result[1]!.Equals(s[-1]) && s.Dimensions.All(d => d is not null));
        if (wide is null) return;
        Value weight = node.Input(1)!;
        if (isGemm && node.Attributes.Int("transB", 0) != 0) weight = Transposed(graph, weight, node);
        Value x = Restored(graph, node, a, new SymbolicShape([.. wide.Dimensions.SkipLast(1), flat[1]]));
        Value product = Add(graph, node, "MatMul", [x, weight], wide);
        if (isGemm && node.Input(2) is { } shift) product = Add(graph, node, "Add", [product, shift], wide);
        foreach (Node reshape in output.Uses.Select(u => u.Node).Where(n => n.Is("Reshape") && n.Graph == graph.Body && wide.Equals(n.Output()!.Type?.Shape)).Distinct().ToList())
        {
            if (reshape.Output()!.IsGraphOutput) continue;
            graph.Body.ReplaceUses(reshape.Output()!, product);
            graph.Body.Remove(reshape);
        }
        if (output.HasUses)
        {
            // Who reads it flat goes on doing so.
            Node again = graph.Body.AddNode("Flatten", [product], [], before: node);
            again.Attributes.Set(Attribute.Int("axis", wide.Rank - 1));
            graph.Body.MoveOutput(output, again, 0);
        }
        graph.Body.Remove(node);
    }

    /// <summary>The left operand with the axes that were flattened; what was flattened to it where that has them.</summary>
    private static Value Restored(OnnxGraph graph, Node node, Value flat, SymbolicShape shape)
    {
        Value source = flat;
        while (source.Producer is { } producer && (producer.Is("Reshape") || producer.Is("Flatten")) && producer.Input(0) is { Type.Shape: not null } before)
        {
            source = before;
            if (shape.Equals(source.Type!.Shape)) return source;
        }
        // Its shape stands in its type; a Reshape of lowering's own needs no second input.
        return Add(graph, node, "Reshape", [source], shape);
    }

    private static Value Add(OnnxGraph graph, Node like, string opType, Value?[] inputs, SymbolicShape shape)
    {
        Node made = graph.Body.AddNode(opType, inputs, [graph.Body.FreshName(like.Output()!.Name)], before: like);
        made.SourceNodes = PassContext.SourcesOf(like);
        made.Output()!.Type = new TensorType(like.Output()!.Type!.DataType, shape);
        return made.Output()!;
    }

    private static Value Transposed(OnnxGraph graph, Value weight, Node before)
    {
        if (OperatorView.Constant(weight) is { } data && data.Type.BitSize() >= 8) return graph.Body.AddConstant(weight.Name + "_transposed", WeightLayout.Reorder(data, [1, 0]));
        Node transpose = graph.Body.AddNode("Transpose", [weight], [graph.Body.FreshName(weight.Name + "_transposed")], before: before);
        transpose.Attributes.Set(Attribute.Ints("perm", 1, 0));
        transpose.Output()!.Type = new TensorType(weight.Type!.DataType, new SymbolicShape(weight.Type.Shape![1], weight.Type.Shape[0]));
        return transpose.Output()!;
    }
}
