using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>A Concat of one value with constants of zeros is a Pad: a file need not hold the zeros, as exporters write them for residuals of fewer channels.</summary>
internal sealed class ReplaceZeroConcatWithPad : NodePass
{
    /// <summary>Fewer zeros are no burden.</summary>
    private const long LeastBytes = 1024;

    public override string Name => "replace-zero-concat-with-pad";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Concat"];

    public override bool Apply(Node node, PassContext context)
    {
        // Before opset 11 the amounts were an attribute, and only floats were padded.
        if (context.Opset < 11 || node.Inputs.Count < 2 || node.Output() is not { } output || Types.TypeOf(output) is not (DataType.Float32 or DataType.Float64 or DataType.Int32 or DataType.Int64)) return false;
        if (Types.RankOf(output) is not { } rank || rank == 0) return false;
        long axis = context.View(node).Axis;
        if (axis < 0) axis += rank;
        if (axis < 0 || axis >= rank) return false;
        Value? kept = null;
        long[] amounts = new long[rank * 2];
        long bytes = 0;
        foreach (Value? input in node.Inputs)
        {
            if (input is null) return false;
            if (PassContext.Constant(input) is not { } data)
            {
                if (kept is not null) return false;
                kept = input;
                continue;
            }
            // −0 is another number.
            if (data.Rank != rank || data.Bytes.IndexOfAnyExcept((byte)0) >= 0) return false;
            amounts[kept is null ? axis : axis + rank] += data.Shape[(int)axis];
            bytes += data.ByteCount;
        }
        if (kept is null || Types.RankOf(kept) != rank || bytes < LeastBytes) return false;
        Node pad = context.AddNode("Pad", [kept, node.Graph.AddConstant(output.Name + "_pads", TensorData.Vector<long>(amounts))], output.Name + "_padded", node, PassContext.SourcesOf(node));
        pad.Attributes.Set(Attribute.String("mode", "constant"));
        for (int i = 0; i < node.Inputs.Count; i++) context.SetInput(node, i, null);
        context.Reproduce(output, pad);
        return true;
    }
}
