using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>What a source of data needs to know of a model's or an engine's input. -1 is a dynamic extent; a null shape is of unknown rank.</summary>
public sealed record InputInfo(string Name, DataType DataType, long[]? Shape)
{
    /// <summary>The inputs that a caller of <paramref name="graph"/> must give.</summary>
    public static IReadOnlyList<InputInfo> Of(OnnxGraph graph) =>
        [.. graph.Inputs.Select(i => new InputInfo(i.Name, i.DataType, i.HasRank ? i.Shape : null))];

    public override string ToString() => $"{Name}: {DataType}{ShapeText(Shape)}";

    internal static string ShapeText(long[]? shape) => shape is null ? "[…]" : $"[{string.Join(',', shape.Select(d => d < 0 ? "?" : d.ToString(System.Globalization.CultureInfo.InvariantCulture)))}]";
}
