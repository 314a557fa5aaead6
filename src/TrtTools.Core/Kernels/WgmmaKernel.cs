using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Products and convolutions on Hopper's tensor cores: wgmma_gemm.cuh, compute capability 9.0 alone.</summary>
internal static class WgmmaKernel
{
    public const int Capability = 90;

    /// <summary>Why a product cannot be run by any variant; null when it can.</summary>
    public static string? Problem(ProductView view, bool tf32)
    {
        DataType type = view.X.Type;
        if (type != view.W.Type) return $"its operands have two types, {type} and {view.W.Type}";
        if (type is not (DataType.Float16 or DataType.BFloat16 or DataType.Int8 or DataType.Float32)) return $"tensor cores do not multiply {type} here";
        if (type == DataType.Float32 && !tf32) return "tensor cores multiply Float32 as TF32 only";
        int pieces = 16 / ProductText.Size(type);
        if (view.Window is { } window)
        {
            if (window.Channels % pieces != 0) return string.Create(CultureInfo.InvariantCulture, $"its {window.Channels} channels are no multiple of {pieces}");
            if (!new[] { view.X.Offset, window.Image, window.Line, window.Pixel }.All(e => GeneratorOptions.IsDivisible(e, pieces))) return "rows of its input are not aligned to 16 bytes";
            if (window.Stride.H > 8 || window.Stride.W > 8) return "its strides are above 8";
            if (new[] { (window.FilterHeight - 1) * window.Dilation.H, (window.FilterWidth - 1) * window.Dilation.W }.Any(r => r > 127) || window.PadBegin.H > 127 || window.PadBegin.W > 127) return "its window is larger than tensor maps take";
        }
        else
        {
            if (!ProductText.IsDense(view.X.Inner)) return "the summed axis of its rows is not contiguous";
            if (!ProductText.IsAligned(view.X, pieces)) return "its rows are not aligned to 16 bytes";
        }
        if (!ProductText.IsDense(view.W.Inner) && (ProductText.Size(type) != 2 || !ProductText.IsDense(view.W.Row))) return "its weights have no contiguous axis that tensor cores take";
        ProductOperand weights = Outside(view) ? view.W with { Row = view.W.Inner } : view.W;
        if (!ProductText.IsAligned(weights, pieces)) return "rows of its weights are not aligned to 16 bytes";
        return Operands(view);
    }

    internal static string? Operands(ProductView view) => view.Operands.Any(o => ProductText.OperandKind(o, view) is null) ? "its epilogue reads columns with gaps" : null;

    /// <summary>Weights stored [k, column].</summary>
    private static bool Outside(ProductView view) => view.Window is null && !ProductText.IsDense(view.W.Inner);

    /// <summary>Why one variant cannot run a product; null when it can.</summary>
    public static string? Problem(ProductView view, WgmmaVariant variant)
    {
        int size = ProductText.Size(view.X.Type), depth = variant.Span / size;
        if (view.X.Type == DataType.Int8 && variant.Q > 32 && variant.Q % 16 != 0) return "Int8 tiles are multiples of 16";
        if (Outside(view) && variant.Multicast == 1) return "weights stored by k are not shared between blocks";
        if (variant.Sub > 1 && !(Pieces(view, depth).TryGetValue(out long pieces) && pieces % variant.Sub == 0)) return "its k is no multiple of a stage";
        bool stored = Stores(view, variant);
        if (view.Requantized is not null && (!stored || variant.Swap)) return "a tile of integers is stored by TMA";
        if (variant.Panels > 0 && (!stored || FirstByTma(view, variant) >= 0)) return "it keeps no ring of panels";
        int shared = variant.SharedBytes(size, ProductText.Size(view.Y.Type), Outside(view), stored);
        return shared > variant.SharedLimit ? string.Create(CultureInfo.InvariantCulture, $"needs {shared} bytes of shared memory, a block has {variant.SharedLimit}") : null;
    }

    private static DimExpr Pieces(ProductView view, int depth) =>
        view.Window is { } window ? window.FilterHeight * window.FilterWidth * ((window.Channels + depth - 1) / depth) : DimExpr.CeilDiv(view.Depth, depth);

    private static bool Stores(ProductView view, WgmmaVariant variant)
    {
        int size = ProductText.Size(view.Y.Type);
        return variant.Split == 1 && (!variant.Swap || size == 2) && variant.RowBytes(size) % 32 == 0 && ProductText.IsAligned(view.Y, 16 / size) && ProductText.IsDense(view.Y.Inner);
    }

    /// <summary>Which operand of the epilogue comes by TMA as the result goes; -1: none.</summary>
    private static int FirstByTma(ProductView view, WgmmaVariant variant)
    {
        if (view.Requantized is not null) return view.Requantized.Residual is null ? -1 : 0;
        if (!Stores(view, variant) || ProductText.Size(view.Y.Type) != 2) return -1;
        for (int i = 0; i < view.Operands.Count; i++)
        {
            ProductOperand operand = view.Operands[i];
            if (operand.Type == view.Y.Type && ProductText.OperandKind(operand, view) == "Full" && ProductText.IsAligned(operand, 8)) return i;
        }
        return -1;
    }

    public static KernelLaunch Launch(ProductView view, WgmmaVariant variant, string name, int multiprocessors)
    {
        DataType type = view.X.Type;
        int size = ProductText.Size(type), outSize = ProductText.Size(view.Y.Type), depth = variant.Span / size;
        bool outside = Outside(view), stored = Stores(view, variant);
        int first = FirstByTma(view, variant);
        // The kernel takes what comes by TMA as operand 0.
        if (first > 0) view = FirstSwapped(view, first);
        ImageWindow? window = view.Window;
        List<(string, object)> definitions =
        [
            ("KERNEL", "wgmma_product"), ("IN", ProductText.Name(type)), ("IN_KIND", ProductText.Kind(type)), ("OUT", ProductText.Name(view.Y.Type)), ("SWAP", variant.Swap ? 1 : 0), ("BP", variant.P), ("BQ", variant.Q),
            ("GROUPS", variant.Groups), ("PINGPONG", variant.PingPong ? 1 : 0), ("SPAN", variant.Span), ("SUB", variant.Sub), ("STAGES", variant.Stages), ("SPLIT", variant.Split), ("MULTICAST", variant.Multicast),
            ("REGISTERS", variant.Registers), ("PANELS", variant.Panels), ("W_MN", outside ? 1 : 0), ("X_BATCHED", Batched(view.X)), ("W_BATCHED", Batched(view.W)), ("STORE", stored ? 1 : 0), ("FIRST_TMA", first >= 0 ? 1 : 0),
            ("PDL", variant.Programmatic ? 1 : 0), ("RESIDENT", variant.Resident), ("VECTOR", ProductText.Vector(view)), ("CONV", window is null ? 0 : 1), .. ProductText.OperandDefines(view),
        ];
        if (view.Requantized is { } form)
        {
            definitions.AddRange([("PERMUTED", 1), ("REQUANTIZE", 1), ("NARROW_SUM", view.NarrowSums ? 1 : 0), ("LOW", Float(form.Low)), ("SPREAD", Float(form.Spread)), ("RESIDUAL", Float(form.Factor))]);
        }
        List<KernelArgument> arguments = [];
        if (window is not null)
        {
            definitions.AddRange(
            [
                ("TAPS", window.FilterHeight * window.FilterWidth), ("FILTER_W", window.FilterWidth), ("CHANNEL_BLOCKS", (window.Channels + depth - 1) / depth), ("STRIDE_H", window.Stride.H), ("STRIDE_W", window.Stride.W),
                ("PAD_H", window.PadBegin.H), ("PAD_W", window.PadBegin.W), ("DILATION_H", window.Dilation.H), ("DILATION_W", window.Dilation.W),
            ]);
            arguments.Add(ImageMap(view.X, window, variant, size, depth));
            arguments.Add(new TensorMapArgument(view.W.Storage, view.W.Offset, type, [window.Channels, window.FilterHeight * window.FilterWidth, view.Cols], [window.Channels * size, view.W.Row * size],
                [depth, 1, variant.TileCols / (variant.Multicast == 1 ? 2 : 1)], variant.Span));
        }
        else
        {
            arguments.Add(Map(view.X, view.Depth, view.Rows, view.X.Row, view, size, [depth, variant.TileRows / (variant.Multicast == 2 ? 2 : 1), 1, 1], variant.Span, Access.Read));
            arguments.Add(outside
                ? Map(view.W, view.Cols, view.Depth, view.W.Inner, view, size, [64, depth, 1, 1], 128, Access.Read)
                : Map(view.W, view.Depth, view.Cols, view.W.Row, view, size, [depth, variant.TileCols / (variant.Multicast == 1 ? 2 : 1), 1, 1], variant.Span, Access.Read));
        }
        int panel = variant.PanelSpan(outSize);
        int[] box = [panel / outSize, variant.Swap ? variant.Q : 64, 1, 1];
        if (stored) arguments.Add(Map(view.Y, view.Cols, view.Rows, view.Y.Row, view, outSize, box, panel, Access.Write));
        if (first >= 0) arguments.Add(Map(view.Operands[0], view.Cols, view.Rows, view.Operands[0].Row, view, outSize, box, panel, Access.Read));
        arguments.AddRange(ProductText.Results(view));
        arguments.AddRange([ProductText.Int(view.Rows), ProductText.Int(view.Cols), ProductText.Int(Pieces(view, depth)), ProductText.Int(view.Batches0), ProductText.Int(view.Batches1),
            ProductText.Int(window?.OutWidth ?? DimExpr.One), ProductText.Int(window?.OutHeight ?? DimExpr.One)]);
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("wgmma_product", ProductText.Assemble(definitions, view.Epilogue.Function, "wgmma_gemm.cuh"), Capability), Grid = [Grid(view, variant, multiprocessors), DimExpr.One, DimExpr.One],
            Block = [variant.Threads], Cluster = variant.Cluster > 1 ? [variant.Cluster] : [], SharedBytes = variant.SharedBytes(size, outSize, outside, stored), Programmatic = variant.Programmatic, Arguments = arguments,
        };
    }

    private static string Float(float number) => ElementText.Number(number, 0, ScalarType.Float32, narrow: false);

    /// <summary>Thread blocks when every tile has its own.</summary>
    public static DimExpr Tiles(ProductView view, WgmmaVariant variant)
    {
        DimExpr rows = DimExpr.CeilDiv(view.Rows, variant.TileRows), cols = DimExpr.CeilDiv(view.Cols, variant.TileCols);
        if (variant.Multicast == 1) rows = DimExpr.CeilDiv(rows, 2);
        if (variant.Multicast == 2) cols = DimExpr.CeilDiv(cols, 2);
        return rows * cols * view.Batches0 * view.Batches1;
    }

    private static DimExpr Grid(ProductView view, WgmmaVariant variant, int multiprocessors)
    {
        DimExpr tiles = Tiles(view, variant);
        if (variant.Persistent && variant.Split == 1 && multiprocessors > 0) tiles = DimExpr.Min(tiles, multiprocessors * variant.Resident / variant.Cluster);
        return tiles * variant.Cluster;
    }

    private static int Batched(ProductOperand operand) => (ProductText.IsZero(operand.Batch0) ? 0 : 1) | (ProductText.IsZero(operand.Batch1) ? 0 : 2);

    /// <summary>Four dimensions: contiguous, across, and two of batches, which have one element where all batches share the operand.</summary>
    private static TensorMapArgument Map(ProductOperand operand, DimExpr inner, DimExpr outer, DimExpr stride, ProductView view, int size, int[] box, int swizzle, Access access)
    {
        DimExpr row = ProductText.IsZero(stride) ? DimExpr.Max(inner, 16) * 16 : stride;
        DimExpr Stride(DimExpr batch) => (ProductText.IsZero(batch) ? row * 16 : batch) * size;
        DimExpr Extent(DimExpr batch, DimExpr extent) => ProductText.IsZero(batch) ? DimExpr.One : extent;
        return new TensorMapArgument(operand.Storage, operand.Offset, operand.Type, [inner, outer, Extent(operand.Batch0, view.Batches0), Extent(operand.Batch1, view.Batches1)],
            [row * size, Stride(operand.Batch0), Stride(operand.Batch1)], box, swizzle) { Access = access };
    }

    private static TensorMapArgument ImageMap(ProductOperand x, ImageWindow window, WgmmaVariant variant, int size, int depth) =>
        new(x.Storage, x.Offset, x.Type, [window.Channels, window.Width, window.Height, window.Images], [window.Pixel * size, window.Line * size, window.Image * size], [], variant.Span)
        {
            ElementStrides = [1, (int)window.Stride.W, (int)window.Stride.H, 1],
            Im2Col = new Im2Col([(int)-window.PadBegin.W, (int)-window.PadBegin.H],
                [(int)(window.PadEnd.W - ((window.FilterWidth - 1) * window.Dilation.W)), (int)(window.PadEnd.H - ((window.FilterHeight - 1) * window.Dilation.H))],
                depth, variant.TileRows / (variant.Multicast == 2 ? 2 : 1)),
        };

    /// <summary>The same product with two operands of the epilogue in each other's place.</summary>
    private static ProductView FirstSwapped(ProductView view, int with)
    {
        ProductOperand[] operands = [.. view.Operands];
        LoadExpr[] loads = [.. view.Epilogue.Loads];
        (operands[0], operands[with], loads[0], loads[with]) = (operands[with], operands[0], loads[with], loads[0]);
        string zero = "float e0", other = string.Create(CultureInfo.InvariantCulture, $"float e{with}");
        string function = view.Epilogue.Function.Replace(zero, "float swapping", StringComparison.Ordinal).Replace(other, zero, StringComparison.Ordinal).Replace("float swapping", other, StringComparison.Ordinal);
        return view with { Operands = operands, Epilogue = new EpilogueText(function, loads) };
    }
}
