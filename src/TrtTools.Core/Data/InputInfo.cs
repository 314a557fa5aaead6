using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>What a source of data needs to know of a model's or an engine's input. -1 is a dynamic extent; a null shape is of unknown rank.</summary>
public sealed record InputInfo(string Name, DataType DataType, long[]? Shape)
{
    /// <summary>What the graph itself does to a raw image that this input takes; null for all other inputs.</summary>
    internal PreprocessingInside? Inside { get; init; }

    /// <summary>The inputs that a caller of <paramref name="graph"/> must give.</summary>
    public static IReadOnlyList<InputInfo> Of(OnnxGraph graph) =>
        [.. graph.Inputs.Select(i => new InputInfo(i.Name, i.DataType, i.HasRank ? i.Shape : null) { Inside = PreprocessingInside.Of(graph, i.Name) })];

    /// <summary>The inputs that a caller of <paramref name="engine"/> must give.</summary>
    public static IReadOnlyList<InputInfo> Of(Engine engine) =>
        [.. engine.Inputs.Select(i => new InputInfo(i.Name, i.DataType, i.HasRank ? i.Shape : null) { Inside = PreprocessingInside.Parse(i.Preprocessing) })];

    public override string ToString() => $"{Name}: {DataType}{ShapeText(Shape)}";

    internal static string ShapeText(long[]? shape) => shape is null ? "[…]" : $"[{string.Join(',', shape.Select(d => d < 0 ? "?" : d.ToString(System.Globalization.CultureInfo.InvariantCulture)))}]";
}
