using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Shapes as users write them: numbers, symbols, and ? or -1 for what is unknown.</summary>
internal static class ShapeText
{
    public static SymbolicShape Parse(IReadOnlyList<string> extents, string subject) => new([.. extents.Select(e => Extent(e, subject))]);

    public static DimExpr? Extent(string text, string subject)
    {
        string bare = text.Trim();
        if (bare is "?" or "-1") return null;
        if (bare.Length == 0) throw new TrtToolsException(ErrorCode.OptionInvalid, subject, "an extent is empty", "A whole number, a symbol such as batch, or ?", "Write a shape as 'batch',3,224,224");
        if (!char.IsAsciiDigit(bare[0]) && bare[0] is not ('-' or '+' or '.')) return DimExpr.Symbol(bare);
        return long.TryParse(bare, NumberStyles.None, CultureInfo.InvariantCulture, out long extent) ? DimExpr.Constant(extent)
            : throw new TrtToolsException(ErrorCode.OptionInvalid, subject, $"'{bare}' is no extent", "A whole number, a symbol such as batch, or ?", "Write a shape as 'batch',3,224,224");
    }

    /// <summary>Why a declared type cannot be true; null when nothing is known against it.</summary>
    public static string? WhyNot(TensorType declared, TensorType? inferred)
    {
        if (inferred is null) return null;
        if (inferred.DataType != DataType.Undefined && inferred.DataType != declared.DataType) return $"it is {inferred}";
        if (inferred.Shape is not { } found || declared.Shape is not { } shape) return null;
        if (found.Rank != shape.Rank) return $"it is {inferred}";
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            if (found[axis] is { IsConstant: true } known && shape[axis] is { IsConstant: true } said && !known.Equals(said)) return $"it is {inferred}";
        }
        return null;
    }
}
