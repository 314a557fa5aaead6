using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Choices of mma_gemm.cuh that do not change what is computed.</summary>
internal sealed record MmaVariant(int Rows, int Cols, int RowWarps, int ColWarps, int DepthBytes, int Stages)
{
    public bool Programmatic { get; init; }

    public int Threads => RowWarps * ColWarps * 32;

    public int SharedBytes(int size, bool rowsOutside, bool weightsOutside)
    {
        int depth = DepthBytes / size;
        int x = rowsOutside ? depth * ((Rows * size) + 16) : Rows * (DepthBytes + 16), w = weightsOutside ? depth * ((Cols * size) + 16) : Cols * (DepthBytes + 16);
        return Stages * (x + w);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rows}x{Cols}-{RowWarps}x{ColWarps}-k{DepthBytes}-s{Stages}");
}

/// <summary>Products and convolutions on the tensor cores of every chip since 8.0, and for operands that Hopper's own instructions cannot address: mma_gemm.cuh.</summary>
internal static class MmaKernel
{
    public const int Capability = 80;

    /// <summary>Why a product cannot be run by any variant; null when it can.</summary>
    public static string? Problem(ProductView view)
    {
        DataType type = view.X.Type;
        if (type != view.W.Type) return $"its operands have two types, {type} and {view.W.Type}";
        if (type is not (DataType.Float16 or DataType.BFloat16 or DataType.Int8)) return $"tensor cores do not multiply {type} here";
        bool wide = ProductText.Size(type) == 2;
        if (view.Window is null && !ProductText.IsDense(view.X.Inner) && !(wide && ProductText.IsDense(view.X.Row))) return "its rows have no contiguous axis";
        if (!ProductText.IsDense(view.W.Inner) && !(wide && ProductText.IsDense(view.W.Row))) return "its weights have no contiguous axis";
        return WgmmaKernel.Operands(view);
    }

    /// <summary>Why one variant cannot run a product; null when it can.</summary>
    public static string? Problem(ProductView view, MmaVariant variant, int sharedLimit)
    {
        int size = ProductText.Size(view.X.Type), copy = Copy(view);
        if (view.Window is not null && variant.Threads % (variant.DepthBytes / copy) != 0) return "its threads do not share a row evenly";
        int shared = variant.SharedBytes(size, RowsOutside(view), WeightsOutside(view));
        return shared > sharedLimit ? string.Create(CultureInfo.InvariantCulture, $"needs {shared} bytes of shared memory, a block has {sharedLimit}") : null;
    }

    private static bool RowsOutside(ProductView view) => view.Window is null && !ProductText.IsDense(view.X.Inner);

    private static bool WeightsOutside(ProductView view) => !ProductText.IsDense(view.W.Inner);

    /// <summary>Bytes that may be copied at once: pieces must not cross a row's end nor be out of line.</summary>
    private static int Copy(ProductView view)
    {
        int size = ProductText.Size(view.X.Type);
        for (int bytes = 16; bytes > size; bytes /= 2)
        {
            int elements = bytes / size;
            DimExpr inner = RowsOutside(view) ? view.Rows : view.Window is { } image ? image.Channels : view.Depth, weightInner = WeightsOutside(view) ? view.Cols : view.Depth;
            ProductOperand x = RowsOutside(view) ? view.X with { Row = view.X.Inner } : view.X, w = WeightsOutside(view) ? view.W with { Row = view.W.Inner } : view.W;
            bool window = view.Window is null || new[] { view.Window.Image, view.Window.Line, view.Window.Pixel }.All(s => GeneratorOptions.IsDivisible(s, elements));
            if (window && GeneratorOptions.IsDivisible(inner, elements) && GeneratorOptions.IsDivisible(weightInner, elements) && ProductText.IsAligned(x, elements) && ProductText.IsAligned(w, elements)) return bytes;
        }
        return size;
    }

    public static KernelLaunch Launch(ProductView view, MmaVariant variant, string name)
    {
        DataType type = view.X.Type;
        int size = ProductText.Size(type);
        bool rowsOutside = RowsOutside(view), weightsOutside = WeightsOutside(view);
        ImageWindow? window = view.Window;
        List<(string, object)> definitions =
        [
            ("KERNEL", "mma_product"), ("IN", ProductText.Name(type)), ("IN_KIND", ProductText.Kind(type)), ("OUT", ProductText.Name(view.Y.Type)), ("BM", variant.Rows), ("BN", variant.Cols), ("WM", variant.RowWarps), ("WN", variant.ColWarps),
            ("DEPTH", variant.DepthBytes), ("STAGES", variant.Stages), ("COPY", Copy(view)), ("CONV", window is null ? 0 : 1), ("X_MN", rowsOutside ? 1 : 0), ("W_MN", weightsOutside ? 1 : 0), ("PDL", variant.Programmatic ? 1 : 0),
            ("VECTOR", ProductText.Vector(view)), .. ProductText.OperandDefines(view),
        ];
        if (window is not null)
        {
            definitions.AddRange(
            [
                ("CHANNELS", window.Channels), ("FILTER_H", window.FilterHeight), ("FILTER_W", window.FilterWidth), ("STRIDE_H", window.Stride.H), ("STRIDE_W", window.Stride.W), ("PAD_H", window.PadBegin.H), ("PAD_W", window.PadBegin.W),
                ("DILATION_H", window.Dilation.H), ("DILATION_W", window.Dilation.W),
            ]);
        }
        ProductOperand x = window is not null ? view.X with { Row = window.Pixel } : rowsOutside ? view.X with { Row = view.X.Inner } : view.X, w = weightsOutside ? view.W with { Row = view.W.Inner } : view.W;
        DimExpr zero = DimExpr.Zero, one = DimExpr.One;
        KernelArgument[] arguments =
        [
            .. ProductText.Of(x, Access.Read), .. ProductText.Of(w, Access.Read), .. ProductText.Results(view), ProductText.Int(view.Rows), ProductText.Int(view.Cols), ProductText.Int(view.Depth), ProductText.Int(view.Batches0),
            ProductText.Wide(window?.Image ?? zero), ProductText.Wide(window?.Line ?? zero), ProductText.Int(window?.Height ?? zero), ProductText.Int(window?.Width ?? zero), ProductText.Int(window?.OutHeight ?? one), ProductText.Int(window?.OutWidth ?? one),
        ];
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("mma_product", ProductText.Assemble(definitions, view.Epilogue.Function, "mma_gemm.cuh"), variant.Programmatic ? 90 : Capability),
            Grid = [DimExpr.CeilDiv(view.Rows, variant.Rows) * DimExpr.CeilDiv(view.Cols, variant.Cols), view.Batches0 * view.Batches1, one], Block = [variant.Threads],
            SharedBytes = variant.SharedBytes(size, rowsOutside, weightsOutside), Programmatic = variant.Programmatic, Arguments = arguments,
        };
    }
}
