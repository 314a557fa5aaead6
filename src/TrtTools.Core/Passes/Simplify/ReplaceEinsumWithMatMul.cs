using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>An Einsum that is a matrix product, batched or not, is a MatMul, with Transposes where its letters stand in another order.</summary>
internal sealed class ReplaceEinsumWithMatMul : NodePass
{
    public override string Name => "replace-einsum-with-matmul";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Einsum"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Inputs.Count != 2 || node.Input(0) is not { } a || node.Input(1) is not { } b || node.Output() is not { } output) return false;
        if (EinsumEquation.Parse(context.View(node).String("equation", "")) is not { Inputs: [var left, var right] } equation) return false;
        string result = equation.Output;
        // Sums of one operand's own axes, diagonals and ellipses are other operators.
        if ((left + right + result).Contains('.', StringComparison.Ordinal) || HasTwice(left) || HasTwice(right) || HasTwice(result)) return false;
        string batch = string.Concat(result.Where(c => left.Contains(c, StringComparison.Ordinal) && right.Contains(c, StringComparison.Ordinal)));
        string inner = string.Concat(left.Where(c => right.Contains(c, StringComparison.Ordinal) && !result.Contains(c, StringComparison.Ordinal)));
        string rows = string.Concat(left.Where(c => !right.Contains(c, StringComparison.Ordinal))), columns = string.Concat(right.Where(c => !left.Contains(c, StringComparison.Ordinal)));
        if (inner.Length != 1 || rows.Length != 1 || columns.Length != 1 || !result.Contains(rows[0], StringComparison.Ordinal) || !result.Contains(columns[0], StringComparison.Ordinal)) return false;
        if (Types.TypeOf(a) is not (DataType.Float32 or DataType.Float64 or DataType.Float16) || !AgreesInExtents(a, left, b, right)) return false;
        Value first = Ordered(node, a, left, batch + rows + inner, context), second = Ordered(node, b, right, batch + inner + columns, context);
        Node product = context.AddNode("MatMul", [first, second], output.Name + "_matmul", node, PassContext.SourcesOf(node));
        string order = batch + rows + columns;
        if (order != result) product = Transposed(node, product.Output()!, order, result, context);
        context.SetInput(node, 0, null);
        context.SetInput(node, 1, null);
        context.Reproduce(output, product);
        return true;
    }

    private static bool HasTwice(string labels) => labels.Distinct().Count() != labels.Length;

    /// <summary>Both have all ranks and, for each common letter, known equal extents: MatMul stretches no inner extent of 1.</summary>
    private static bool AgreesInExtents(Value a, string left, Value b, string right)
    {
        if (Types.ShapeOf(a) is not { } x || Types.ShapeOf(b) is not { } y || x.Rank != left.Length || y.Rank != right.Length) return false;
        for (int i = 0; i < left.Length; i++)
        {
            int j = right.IndexOf(left[i], StringComparison.Ordinal);
            if (j >= 0 && (x[i] is not { } extent || !extent.Equals(y[j]))) return false;
        }
        return true;
    }

    private static Value Ordered(Node node, Value value, string labels, string wanted, PassContext context) =>
        labels == wanted ? value : Transposed(node, value, labels, wanted, context).Output()!;

    private static Node Transposed(Node node, Value value, string labels, string wanted, PassContext context)
    {
        Node transpose = context.AddNode("Transpose", [value], value.Name + "_ordered", node, PassContext.SourcesOf(node));
        transpose.Attributes.Set(Attribute.Ints("perm", [.. wanted.Select(c => (long)labels.IndexOf(c, StringComparison.Ordinal))]));
        return transpose;
    }
}
