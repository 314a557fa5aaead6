using System.Globalization;
using TrtTools.Ir;

namespace TrtTools.Ops;

/// <summary>An attribute that an operator takes in some of its versions.</summary>
/// <param name="Name">The attribute's name.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="IsRequired">True when a node must give it.</param>
/// <param name="Default">The default as text, in the notation of the operator tables; null when there is none.</param>
/// <param name="First">First opset that knows it.</param>
/// <param name="Last">Last opset that knows it.</param>
internal sealed record AttributeDefinition(string Name, AttributeKind Kind, bool IsRequired, string? Default, int First, int Last)
{
    public bool AppliesTo(long opset) => opset >= First && opset <= Last;

    /// <summary>Reads "axis:int=0 mode:string! pads:ints@2-10": name, kind, ! for required, =default, @first-last opset.</summary>
    public static IReadOnlyList<AttributeDefinition> Parse(string text) =>
        [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(ParseOne)];

    private static AttributeDefinition ParseOne(string text)
    {
        int first = 1, last = int.MaxValue;
        int at = text.LastIndexOf('@');
        if (at > 0)
        {
            (first, last) = OpsetRange(text[(at + 1)..]);
            text = text[..at];
        }
        string? content = null;
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals > 0)
        {
            content = text[(equals + 1)..];
            text = text[..equals];
        }
        bool required = text.EndsWith('!');
        string[] parts = text.TrimEnd('!').Split(':');
        return new AttributeDefinition(parts[0], KindOf(parts[1]), required, content, first, last);
    }

    private static (int First, int Last) OpsetRange(string text)
    {
        string[] ends = text.Split('-');
        int first = ends[0].Length == 0 ? 1 : int.Parse(ends[0], CultureInfo.InvariantCulture);
        int last = ends.Length == 1 ? first : ends[1].Length == 0 ? int.MaxValue : int.Parse(ends[1], CultureInfo.InvariantCulture);
        return (first, last);
    }

    private static AttributeKind KindOf(string text) => text switch
    {
        "int" => AttributeKind.Int, "ints" => AttributeKind.Ints, "float" => AttributeKind.Float, "floats" => AttributeKind.Floats,
        "string" => AttributeKind.String, "strings" => AttributeKind.Strings, "tensor" => AttributeKind.Tensor, "graph" => AttributeKind.Graph,
        "sparse" => AttributeKind.SparseTensor, "type" => AttributeKind.Type,
        _ => throw new ArgumentException($"'{text}' is no kind of attribute.", nameof(text)),
    };
}
