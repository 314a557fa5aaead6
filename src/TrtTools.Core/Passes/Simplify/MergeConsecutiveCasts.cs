using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>A Cast of a Cast that lost nothing reads the original value.</summary>
internal sealed class MergeConsecutiveCasts : NodePass
{
    public override string Name => "merge-consecutive-casts";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Cast"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { Producer: { } inner } || !inner.Is("Cast") || inner.Input(0) is not { } source) return false;
        if (!IsExact(Types.TypeOf(source), context.View(inner).CastTarget)) return false;
        context.SetInput(node, 0, source);
        return true;
    }

    /// <summary>Every number of the first type is a number of the second.</summary>
    private static bool IsExact(DataType from, DataType to) => (from, to) switch
    {
        (DataType.Float16 or DataType.BFloat16, DataType.Float32 or DataType.Float64) => true,
        (DataType.Float32, DataType.Float64) => true,
        (DataType.Bool, _) => to.IsInteger() || to.IsFloatingPoint(),
        (DataType.UInt8, DataType.Int16 or DataType.UInt16 or DataType.Int32 or DataType.UInt32 or DataType.Int64 or DataType.UInt64 or DataType.Float32 or DataType.Float64) => true,
        (DataType.Int8, DataType.Int16 or DataType.Int32 or DataType.Int64 or DataType.Float32 or DataType.Float64) => true,
        (DataType.Int16 or DataType.UInt16, DataType.Int32 or DataType.Int64 or DataType.Float32 or DataType.Float64) => true,
        (DataType.Int32, DataType.Int64 or DataType.Float64) => true,
        (DataType.UInt32, DataType.Int64 or DataType.UInt64 or DataType.Float64) => true,
        _ => false,
    };
}
