using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>
/// What a region computes, as text without names: two regions with one text are run by the same kernels, whatever weights and tensors they are about. Timing cache and lock file
/// know a region by the text's hash. Where integers stand for floats, the numbers that say how are as good as weights: layers that differ in their scales alone have one text.
/// </summary>
internal sealed class RegionKey
{
    private readonly StringBuilder _text = new();
    private readonly Dictionary<Storage, int> _storages = [];
    private readonly Dictionary<Axis, int> _axes = [];
    private readonly Dictionary<Expr, int> _exprs = new(ReferenceEqualityComparer.Instance);

    private readonly bool _quantizes;

    private RegionKey(Region region)
    {
        _quantizes = region.Nests.SelectMany(n => Ex.Parts(n.Result)).Any(e => e is ConvertExpr { Target: DataType.Int8 or DataType.UInt8, Saturates: true } or ConvertExpr { Value: LoadExpr { Source.Type: DataType.Int8 or DataType.UInt8 } });
        Line($"{region.Kind}");
        if (region.Sequence is not null) Line($"sequence {Number(_axes, region.Sequence, "a")}");
        switch (region.Facts)
        {
            case ConvolutionFacts f: Line($"conv {Of(f.Input)} {Of(f.Weight)} {string.Join(',', f.Strides)} {string.Join(',', f.PadsBegin)} {string.Join(',', f.PadsEnd)} {string.Join(',', f.Dilations)} {f.Group} {f.Nest}"); break;
            case MatMulFacts f: Line($"matmul {Of(f.A)} {Of(f.B)} {f.Nest}"); break;
            case RowFacts f: Line($"row {f.Function} {Of(f.Input)} {f.FirstRowAxis}"); break;
            case AttentionFacts f: Line($"attention {Of(f.Query)} {Of(f.Key)} {Of(f.Value)} {(f.Mask is null ? "-" : Of(f.Mask))} {f.Scale.ToString("R", CultureInfo.InvariantCulture)} {f.Causal} {Of(f.Output)}"); break;
        }
        foreach (LoopNest nest in region.Nests)
        {
            Line($"nest {string.Join(' ', nest.Space.Concat(nest.Reduced).Select(a => $"{Number(_axes, a, "a")}<{a.Extent.Text}>"))} | {nest.Space.Count} {nest.Combine} {nest.ScatterCombine}");
            string body = nest.Body is null ? "-" : Of(nest.Body), result = Of(nest.Result), place = nest.Place is null ? "-" : string.Join(',', nest.Place.Select(Of));
            Line($"to {Of(nest.Target)} {body} {result} {place}");
        }
    }

    /// <summary>The text.</summary>
    public static string Text(Region region) => new RegionKey(region)._text.ToString();

    /// <summary>16 hexadecimal digits of the text's SHA-256.</summary>
    public static string Of(Region region, int profile = 0) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(profile == 0 ? Text(region) : string.Create(CultureInfo.InvariantCulture, $"{Text(region)}profile {profile}\n"))))[..16];

    private void Line(string text) => _text.Append(text).Append('\n');

    private static string Number<T>(Dictionary<T, int> known, T item, string prefix) where T : notnull
    {
        if (!known.TryGetValue(item, out int number)) known.Add(item, number = known.Count);
        return string.Create(CultureInfo.InvariantCulture, $"{prefix}{number}");
    }

    private string Of(TensorView view) =>
        $"{Number(_storages, view.Storage, "s")}:{view.Type}{(view.Storage.Kind == StorageKind.Weight ? "w" : "")}[{string.Join(',', view.Shape.Select(e => e.Text))}]({string.Join(',', view.Strides.Select(e => e.Text))})+{view.Offset.Text}";

    /// <summary>The number of an expression, which is written on a line of its own when first met.</summary>
    private string Of(Expr expr)
    {
        if (_exprs.TryGetValue(expr, out int known)) return $"e{known}";
        string text = expr switch
        {
            ConstantExpr c when _quantizes && c.Type == ScalarType.Float32 && c.Number > 0 && c.Number != 1 => "scale",
            ConstantExpr c => c.Type.IsFloat() ? $"{c.Type} {c.Number.ToString("R", CultureInfo.InvariantCulture)}" : $"{c.Type} {c.Integer.ToString(CultureInfo.InvariantCulture)}",
            AxisExpr a => Number(_axes, a.Axis, "a"),
            ExtentExpr e => $"<{e.Extent.Text}>",
            LoadExpr load => $"{Of(load.Source)}[{string.Join(',', load.Index.Select(Of))}]",
            CallExpr call => $"{call.Function.Name}({string.Join(',', call.Operands.Select(Of))})",
            SelectExpr select => $"select({Of(select.Condition)},{Of(select.WhenTrue)},{Of(select.WhenFalse)})",
            ConvertExpr convert => $"{convert.Target}{(convert.Saturates ? "!" : "")}({Of(convert.Value)})",
            ReducedExpr reduced => $"reduced {reduced.Type}",
            _ => throw new InvalidOperationException($"{expr.GetType().Name} has no text."),
        };
        int number = _exprs.Count;
        _exprs.Add(expr, number);
        Line($"e{number.ToString(CultureInfo.InvariantCulture)} = {text}");
        return $"e{number}";
    }
}
