using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>The largest of quantized numbers is the largest of the integers that stand for them: a MaxPool between DequantizeLinear and QuantizeLinear of one scale compares integers.</summary>
internal static class IntegerPools
{
    public static void Run(OnnxGraph graph)
    {
        foreach (Node pool in graph.Body.Nodes.ToList())
        {
            if (!pool.IsAlive || !pool.Is("MaxPool") || pool.Outputs.Count(o => o is not null) != 1 || pool.Output() is not { IsGraphOutput: false } output) continue;
            if (pool.Input(0)?.Producer is not { } dequantize || !dequantize.Is("DequantizeLinear") || dequantize.Input(0)!.Type is not { DataType: DataType.Int8 or DataType.UInt8 } type) continue;
            List<Node> readers = [.. output.Uses.Select(u => u.Node).Distinct()];
            if (readers.Count == 0 || readers.Any(r => r.Graph != graph.Body || !r.Is("QuantizeLinear") || !ReferenceEquals(r.Input(0), output) || r.Output()!.IsGraphOutput || r.Output()!.Type?.DataType != type.DataType || !SameScale(dequantize, r))) continue;
            pool.SetInput(0, dequantize.Input(0));
            output.Type = output.Type is { } own ? own with { DataType = type.DataType } : null;
            foreach (Node reader in readers)
            {
                foreach (Use use in reader.Output()!.Uses.ToList()) use.Node.SetInput(use.Index, output);
                graph.Body.Remove(reader);
            }
            if (!dequantize.Output()!.HasUses && !dequantize.Output()!.IsGraphOutput) graph.Body.Remove(dequantize);
        }
    }

    /// <summary>One positive scale and one zero point for all, the same in both.</summary>
    private static bool SameScale(Node a, Node b)
    {
        if (Scalar(a.Input(1)) is not { } scale || Scalar(b.Input(1)) is not { } other || scale != other || !(scale > 0)) return false;
        return (a.Input(2) is null ? 0 : Scalar(a.Input(2))) is { } zero && (b.Input(2) is null ? 0 : Scalar(b.Input(2))) == zero;
    }

    private static double? Scalar(Value? value) => OperatorView.Constant(value) is { ElementCount: 1 } data ? data.ToDouble()[0] : null;
}
