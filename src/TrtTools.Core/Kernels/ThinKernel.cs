using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Choices of thin.cuh that do not change what is computed, but for the order of sums.</summary>
/// <param name="Rows">Rows of a block.</param>
/// <param name="Cols">Columns of a warp.</param>
/// <param name="Parts">Warps that share the k of their columns.</param>
/// <param name="Steps">Pieces of a column that a lane holds at once.</param>
internal sealed record ThinVariant(int Rows, int Cols, int Parts, int Steps)
{
    public const int Warps = 8;

    public bool Programmatic { get; init; }

    public int Groups => Warps / Parts;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rows}x{Cols}-{Parts}-s{Steps}");
}

/// <summary>Products of at most <see cref="MaxRows"/> rows, which cost what reading the weights costs: thin.cuh.</summary>
internal static class ThinKernel
{
    public const int MaxRows = 8;

    /// <summary>Why a product cannot be run by any variant; null when it can.</summary>
    public static string? Problem(ProductView view, long rows)
    {
        DataType type = view.X.Type;
        if (view.Window is not null) return "it is a convolution";
        if (rows > MaxRows) return string.Create(CultureInfo.InvariantCulture, $"it has {rows} rows, {MaxRows} are the most");
        if (type != view.W.Type) return $"its operands have two types, {type} and {view.W.Type}";
        if (type is not (DataType.Float16 or DataType.BFloat16 or DataType.Float32)) return $"it does not multiply {type}";
        int items = 16 / ProductText.Size(type);
        if (!ProductText.IsDense(view.X.Inner) || !ProductText.IsDense(view.W.Inner)) return "its rows or weights have gaps along k";
        if (!GeneratorOptions.IsDivisible(view.Depth, items) || !ProductText.IsAligned(view.X, items) || !ProductText.IsAligned(view.W, items)) return "its rows or weights are not aligned to 16 bytes";
        return WgmmaKernel.Operands(view);
    }

    /// <summary>Likely fast ones first: enough warps to have the weights under way at once, and no more.</summary>
    public static IEnumerable<ThinVariant> Variants(long rows, long cols, long depth, int size, int multiprocessors)
    {
        List<(double Distance, ThinVariant Variant)> found = [];
        foreach (int parts in (ReadOnlySpan<int>)[1, 2, 4, 8])
        {
            int pieces = (int)Math.Min(64, Ceiling(depth, parts * 32 * (16 / size)));
            foreach (int columns in (ReadOnlySpan<int>)[1, 2, 4])
            {
                if (columns > cols || rows * columns > 16) continue;
                int steps = Math.Min(pieces, 16 / columns);
                // All chunks alike.
                steps = (int)Ceiling(pieces, Ceiling(pieces, steps));
                double warps = Ceiling(cols, columns) * (double)parts, wanted = multiprocessors * 24.0;
                found.Add((Math.Abs(Math.Log2(warps / wanted)) + (steps * columns < 3 ? 1 : 0), new ThinVariant((int)rows, columns, parts, steps)));
            }
        }
        return found.OrderBy(f => f.Distance).ThenBy(f => f.Variant.ToString(), StringComparer.Ordinal).Select(f => f.Variant).Take(4);
    }

    public static KernelLaunch Launch(ProductView view, ThinVariant variant, string name)
    {
        (string, object)[] definitions =
        [
            ("KERNEL", "thin_product"), ("IN", ProductText.Name(view.X.Type)), ("OUT", ProductText.Name(view.Y.Type)), ("ROWS", variant.Rows), ("COLS", variant.Cols), ("PARTS", variant.Parts), ("GROUPS", variant.Groups), ("STEPS", variant.Steps),
            ("CONSTANT", view.W.Storage.Kind == StorageKind.Weight ? 1 : 0), ("PDL", variant.Programmatic ? 1 : 0), ("VECTOR", 1), .. ProductText.OperandDefines(view),
        ];
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("thin_product", ProductText.Assemble(definitions, view.Epilogue.Function, "thin.cuh"), variant.Programmatic ? 90 : MmaKernel.Capability),
            Grid = [DimExpr.CeilDiv(view.Cols, variant.Groups * variant.Cols), DimExpr.CeilDiv(view.Rows, variant.Rows), view.Batches0 * view.Batches1], Block = [ThinVariant.Warps * 32], Programmatic = variant.Programmatic,
            Arguments =
            [
                .. ProductText.Of(view.X, Access.Read), .. ProductText.Of(view.W, Access.Read), .. ProductText.Results(view), ProductText.Int(view.Rows), ProductText.Int(view.Cols), ProductText.Int(view.Depth), ProductText.Int(view.Batches0),
            ],
        };
    }

    private static long Ceiling(long a, long b) => (a + b - 1) / b;
}
