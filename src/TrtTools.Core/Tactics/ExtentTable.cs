using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>A plan's extents: each text once, in the order of first use.</summary>
/// <param name="simplify">What to put down instead of an extent; null: the extent.</param>
internal sealed class ExtentTable(Func<DimExpr, DimExpr>? simplify = null)
{
    private readonly Dictionary<string, uint> _known = new(StringComparer.Ordinal);

    public List<string> Texts { get; } = [];

    public uint Add(DimExpr extent)
    {
        string text = (simplify?.Invoke(extent) ?? extent).Text;
        if (_known.TryGetValue(text, out uint index)) return index;
        index = (uint)Texts.Count;
        _known.Add(text, index);
        Texts.Add(text);
        return index;
    }
}
