using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>One loop of a nest: from 0 to <paramref name="Extent"/>. Two axes are the same axis only when they are the same object.</summary>
internal sealed class Axis(string name, DimExpr extent)
{
    public string Name { get; } = name;

    public DimExpr Extent { get; } = extent;

    public override string ToString() => $"{Name}<{Extent}";
}
