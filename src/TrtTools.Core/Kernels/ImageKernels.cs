using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Convolutions that are no products of their own: of an image's few channels (stem.cuh), and depthwise (depthwise.cuh). Channels last out.</summary>
internal static class ImageKernels
{
    public const int Capability = 80;

    private sealed record Parts(EpilogueText Epilogue, IReadOnlyList<ProductOperand> Operands, LinearAccess Target, ProductView View);

    /// <summary>What both need of a region; null with the reason where it is not so.</summary>
    private static Parts? PartsOf(Region region, ConvolutionFacts facts, out string reason)
    {
        reason = "";
        if (region.Nests.Count != 1) return Fail($"it computes one convolution, the region has {region.Nests.Count} steps", out reason);
        LoopNest nest = region.Nests[0];
        if (facts.Input.Rank != 4 || nest.Space.Count != 4 || nest.Place is not null) return Fail("it is no convolution of images", out reason);
        if (nest.Target.Type is not (DataType.Float16 or DataType.BFloat16 or DataType.Int8)) return Fail($"it stores no {nest.Target.Type}", out reason);
        if (!facts.Weight.Shape.Skip(1).All(d => d.IsConstant)) return Fail("its filter's size is known only at run time", out reason);
        if (EpilogueText.Of(nest, integerSum: false, out reason) is not { } epilogue) return null;
        LinearAccess target = LinearAccess.Of(nest.Target, Ex.Of(nest.Space));
        if (!GeneratorOptions.Is(target.Factor(nest.Space[1]), 1)) return Fail("its result's channels are not contiguous", out reason);
        List<ProductOperand> operands = [];
        foreach (LoadExpr load in epilogue.Loads)
        {
            LinearAccess access = LinearAccess.Of(load.Source, load.Index);
            Axis last = nest.Space[3];
            DimExpr row = access.Factor(last);
            // Pixels must be one axis in what the epilogue reads.
            bool even = access.Factor(nest.Space[2]).Equals(row * last.Extent) && access.Factor(nest.Space[0]).Equals(row * last.Extent * nest.Space[2].Extent);
            if (access.Terms.Count > 0 || !even) return Fail("its epilogue reads at uneven distances", out reason);
            operands.Add(new ProductOperand(access.View.Storage, access.Offset, row, access.Factor(nest.Space[1]), DimExpr.Zero, DimExpr.Zero));
        }
        ProductOperand y = new(target.View.Storage, target.Offset, target.Factor(nest.Space[3]), DimExpr.One, target.Factor(nest.Space[0]), target.Factor(nest.Space[2]));
        ProductView view = new()
        {
            X = new ProductOperand(facts.Input.Storage, facts.Input.Offset, DimExpr.Zero, DimExpr.One, DimExpr.Zero, DimExpr.Zero), W = new ProductOperand(facts.Weight.Storage, facts.Weight.Offset, DimExpr.Zero, DimExpr.One, DimExpr.Zero, DimExpr.Zero),
            Y = y, Rows = DimExpr.One, Cols = facts.Weight.Shape[0], Depth = DimExpr.One, Batches0 = DimExpr.One, Batches1 = DimExpr.One, Epilogue = epilogue, Operands = operands,
        };
        if (operands.Any(o => ProductText.OperandKind(o, view) is null)) return Fail("its epilogue reads columns with gaps", out reason);
        return new Parts(epilogue, operands, target, view);
    }

    private static Parts? Fail(string why, out string reason)
    {
        reason = why;
        return null;
    }

    /// <summary>Null with the reason where the region is no convolution of few channels.</summary>
    /// <param name="wide">For wgmma_stem.cuh: a tile's output rows and parts of 64 pixels of a row; null: stem.cuh.</param>
    public static KernelLaunch? Stem(Region region, ConvolutionFacts facts, (int Rows, int Parts)? wide, string name, int multiprocessors, bool programmatic, out string reason)
    {
        TensorView x = facts.Input, w = facts.Weight;
        if (facts.Group != 1 || !w.Shape[1].TryGetValue(out long channels) || channels > 4)
        {
            reason = "it is for 1 to 4 input channels";
            return null;
        }
        if (PartsOf(region, facts, out reason) is not { } parts) return null;
        if (EpilogueText.ElementName(x.Type) is null or "tc::s8" || EpilogueText.ElementName(w.Type) is null or "tc::s8")
        {
            reason = $"it does not multiply {x.Type} and {w.Type}";
            return null;
        }
        // Products of Float32 by way of 16 bits only where the result has no more.
        (int height, int width) = ((int)w.Shape[2].Value, (int)w.Shape[3].Value);
        (int strideH, int strideW) = ((int)facts.Strides[0], (int)facts.Strides[1]);
        if (facts.Dilations.Any(d => d != 1))
        {
            reason = "it has no dilation";
            return null;
        }
        DimExpr outputs = w.Shape[0];
        int cols = outputs.TryGetValue(out long known) && known < 64 ? (int)((known + 15) / 16 * 16) : 64;
        int stepped = (int)channels + (strideW * (int)channels % 2), run = (width * stepped + 1) / 2 * 2, k = (height * run + 15) / 16 * 16;
        int patchH = (15 * strideH) + height, patchW = (15 * strideW) + width, patchRow = (patchW * stepped + 2) / 2 * 2, patch = ((patchH * patchRow * 2) + 16 + 15) / 16 * 16;
        DataType stored = region.Nests[0].Target.Type;
        int shared = (cols * ((k * 2) + 16 + (k / 8 % 2 != 0 ? 16 : 0))) + patch + (256 * ((cols * ProductText.Size(stored)) + 16));
        int steps = (width + 3) / 4, blocks = Math.Clamp(220 * 1024 / (shared + 1024), 1, 2);
        if (wide is { } tile)
        {
            if (strideH != 2 || strideW != 2)
            {
                reason = "its strides are not 2";
                return null;
            }
            cols = outputs.TryGetValue(out known) && known < 64 ? (int)((known + 7) / 8 * 8) : 64;
            shared = (height * steps * cols * 32) + (2 * (((tile.Rows - 1) * 2) + height) * ((((tile.Parts * 64) - 1) * 2) + (steps * 4)) * 8) + (8 * 16 * ((cols * ProductText.Size(stored)) + 16));
            blocks = Math.Clamp(WgmmaVariant.MaxSharedBytes / (shared + 1024), 1, 2);
        }
        if (shared > (wide is null ? 99 * 1024 : WgmmaVariant.MaxSharedBytes - 1024))
        {
            reason = string.Create(CultureInfo.InvariantCulture, $"its filters need {shared} bytes of shared memory");
            return null;
        }
        IReadOnlyList<Axis> space = region.Nests[0].Space;
        // 8 bits of a result are right with products of 16.
        DataType multiplied = stored != DataType.Int8 ? stored : w.Type == DataType.BFloat16 ? DataType.BFloat16 : DataType.Float16;
        List<(string, object)> definitions =
        [
            ("KERNEL", "stem"), ("TYPE", ProductText.Name(multiplied)), ("OUT", ProductText.Name(stored)), ("IN", ProductText.Name(x.Type)), ("W", ProductText.Name(w.Type)), ("CHANNELS", channels), ("PAD_H", facts.PadsBegin[0]), ("PAD_W", facts.PadsBegin[1]),
            ("COLS", cols), ("PDL", programmatic ? 1 : 0), ("VECTOR", ProductText.Vector(parts.View)), .. ProductText.OperandDefines(parts.View),
        ];
        definitions.AddRange(wide is { } shape
            ? [("TYPE_KIND", ProductText.Kind(multiplied)), ("FILTER_H", height), ("FILTER_W", width), ("TH", shape.Rows), ("WT", shape.Parts), ("QUADS", HasQuads(x) ? 1 : 0)]
            : new (string, object)[] { ("R", height), ("S", width), ("STRIDE_H", strideH), ("STRIDE_W", strideW) });
        if (parts.Operands.Any(o => ProductText.OperandKind(o, parts.View) is "Full" or "Row"))
        {
            reason = "its epilogue reads more than a vector along the channels";
            return null;
        }
        List<KernelArgument> arguments = [new PointerArgument(x.Storage, x.Offset, Access.Read), .. x.Strides.Select(ProductText.Wide), new PointerArgument(w.Storage, w.Offset, Access.Read), .. w.Strides.Select(ProductText.Wide)];
        ProductOperand y = parts.View.Y;
        arguments.AddRange([new PointerArgument(y.Storage, y.Offset, Access.Write), ProductText.Wide(y.Batch0), ProductText.Wide(y.Batch1), ProductText.Wide(y.Row)]);
        for (int i = 0; i < EpilogueText.MaxLoads; i++) arguments.Add(i < parts.Operands.Count ? new PointerArgument(parts.Operands[i].Storage, parts.Operands[i].Offset, Access.Read) : ProductText.Wide(0));
        arguments.AddRange([ProductText.Int(x.Shape[0]), ProductText.Int(x.Shape[2]), ProductText.Int(x.Shape[3]), ProductText.Int(space[2].Extent), ProductText.Int(space[3].Extent), ProductText.Int(outputs)]);
        DimExpr tiles = x.Shape[0] * DimExpr.CeilDiv(space[2].Extent, wide?.Rows ?? 16) * DimExpr.CeilDiv(space[3].Extent, wide is { } own ? own.Parts * 64 : 16);
        int room = Math.Max(1, multiprocessors * blocks);
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("stem", ProductText.Assemble(definitions, parts.Epilogue.Function, wide is null ? "stem.cuh" : "wgmma_stem.cuh"), programmatic || wide is not null ? 90 : Capability),
            Grid = [multiprocessors > 0 ? DimExpr.Min(tiles, room) : tiles, DimExpr.CeilDiv(outputs, cols), DimExpr.One], Block = [wide is null ? 256 : 384], SharedBytes = shared, Programmatic = programmatic, Arguments = arguments,
        };
    }

    /// <summary>Whether four pixels of a channel lie side by side and aligned, in rows that are a multiple of them.</summary>
    private static bool HasQuads(TensorView x) => GeneratorOptions.Is(x.Strides[3], 1) && x.Strides.Take(3).Append(x.Offset).Append(x.Shape[3]).All(s => GeneratorOptions.IsDivisible(s, 4));

    /// <summary>Null with the reason where the region is no depthwise convolution that this variant runs: pixels of a thread, threads along the channels.</summary>
    /// <param name="tile">For tma_depthwise.cuh, and nothing of the variant counts; null: depthwise.cuh.</param>
    public static KernelLaunch? Depthwise(Region region, ConvolutionFacts facts, (int Height, int Width, int Lanes) variant, DepthwiseTile? tile, string name, int multiprocessors, bool programmatic, out string reason)
    {
        TensorView x = facts.Input, w = facts.Weight;
        if (!GeneratorOptions.Is(w.Shape[1], 1) || !w.Shape[0].TryGetValue(out long channels) || facts.Group != channels)
        {
            reason = "it is for depthwise convolutions";
            return null;
        }
        if (PartsOf(region, facts, out reason) is not { } parts) return null;
        DataType stored = region.Nests[0].Target.Type;
        if ((x.Type != stored && stored != DataType.Int8) || x.Type is not (DataType.Float16 or DataType.BFloat16) || EpilogueText.ElementName(w.Type) is null or "tc::s8") reason = $"it does not multiply {x.Type} and {w.Type} to {region.Nests[0].Target.Type}";
        else if (!GeneratorOptions.Is(x.Strides[1], 1)) reason = "its input's channels are not contiguous";
        else if (channels % 8 != 0 || !x.Strides.Where((_, i) => i != 1).Append(x.Offset).All(s => GeneratorOptions.IsDivisible(s, 8)) || ProductText.Vector(parts.View) != 8) reason = "its channels are not aligned to 16 bytes";
        if (tile is not null && parts.Operands.Any(o => ProductText.OperandKind(o, parts.View) is "Full" or "Row")) reason = "its epilogue reads more than a vector along the channels";
        if (reason.Length > 0) return null;
        IReadOnlyList<Axis> space = region.Nests[0].Space;
        if (tile is not null) return Tiled(parts, facts, space, tile, name, multiprocessors, programmatic);
        int threads = Math.Max(1, 128 / variant.Lanes) * variant.Lanes;
        (string, object)[] definitions =
        [
            ("KERNEL", "depthwise"), ("TYPE", ProductText.Name(x.Type)), ("OUT", ProductText.Name(stored)), ("W", ProductText.Name(w.Type)), ("R", w.Shape[2].Value), ("S", w.Shape[3].Value), ("STRIDE_H", facts.Strides[0]), ("STRIDE_W", facts.Strides[1]),
            ("PAD_H", facts.PadsBegin[0]), ("PAD_W", facts.PadsBegin[1]), ("DILATION_H", facts.Dilations[0]), ("DILATION_W", facts.Dilations[1]), ("TH", variant.Height), ("TW", variant.Width), ("LANES", variant.Lanes), ("THREADS", threads),
            ("PDL", programmatic ? 1 : 0), ("VECTOR", 8), .. ProductText.OperandDefines(parts.View),
        ];
        ProductOperand y = parts.View.Y;
        List<KernelArgument> arguments =
        [
            new PointerArgument(x.Storage, x.Offset, Access.Read), ProductText.Wide(x.Strides[0]), ProductText.Wide(x.Strides[2]), ProductText.Wide(x.Strides[3]), new PointerArgument(w.Storage, w.Offset, Access.Read), ProductText.Wide(w.Strides[0]),
            ProductText.Wide(w.Strides[2]), ProductText.Wide(w.Strides[3]), new PointerArgument(y.Storage, y.Offset, Access.Write), ProductText.Wide(y.Batch0), ProductText.Wide(y.Batch1), ProductText.Wide(y.Row),
        ];
        for (int i = 0; i < EpilogueText.MaxLoads; i++)
        {
            arguments.AddRange(i < parts.Operands.Count ? [new PointerArgument(parts.Operands[i].Storage, parts.Operands[i].Offset, Access.Read), ProductText.Wide(parts.Operands[i].Row)] : [ProductText.Wide(0), ProductText.Wide(0)]);
        }
        arguments.AddRange([ProductText.Int(x.Shape[0]), ProductText.Int(x.Shape[2]), ProductText.Int(x.Shape[3]), ProductText.Int(space[2].Extent), ProductText.Int(space[3].Extent), ProductText.Int(channels)]);
        long columns = (channels + (variant.Lanes * 8) - 1) / (variant.Lanes * 8);
        DimExpr strips = x.Shape[0] * DimExpr.CeilDiv(space[2].Extent, variant.Height) * DimExpr.CeilDiv(space[3].Extent, variant.Width), blocks = DimExpr.CeilDiv(strips, threads / variant.Lanes);
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("depthwise", ProductText.Assemble(definitions, parts.Epilogue.Function, "depthwise.cuh"), programmatic ? 90 : Capability),
            Grid = [multiprocessors > 0 ? DimExpr.Min(blocks, Math.Max(1, multiprocessors * 16 / columns)) : blocks, columns, DimExpr.One], Block = [threads], Programmatic = programmatic, Arguments = arguments,
        };
    }

    public static ConvolutionGeometry GeometryOf(ConvolutionFacts facts) =>
        new((int)facts.Weight.Shape[2].Value, (int)facts.Weight.Shape[3].Value, (int)facts.Strides[0], (int)facts.Strides[1], (int)facts.Dilations[0], (int)facts.Dilations[1]);

    private static KernelLaunch Tiled(Parts parts, ConvolutionFacts facts, IReadOnlyList<Axis> space, DepthwiseTile tile, string name, int multiprocessors, bool programmatic)
    {
        TensorView x = facts.Input, w = facts.Weight;
        ProductOperand y = parts.View.Y;
        ConvolutionGeometry g = GeometryOf(facts);
        (int high, int wide) = tile.Box(g);
        long channels = w.Shape[0].Value, columns = (channels + tile.Slab - 1) / tile.Slab;
        (string, object)[] definitions =
        [
            ("KERNEL", "depthwise"), ("TYPE", ProductText.Name(x.Type)), ("OUT", ProductText.Name(y.Type)), ("W", ProductText.Name(w.Type)), ("R", g.FilterH), ("S", g.FilterW), ("STRIDE_H", g.StrideH), ("STRIDE_W", g.StrideW),
            ("PAD_H", facts.PadsBegin[0]), ("PAD_W", facts.PadsBegin[1]), ("DILATION_H", g.DilationH), ("DILATION_W", g.DilationW), ("SLAB", tile.Slab), ("TP", tile.High), ("TQ", tile.Wide), ("TR", tile.Rows), ("TW", tile.Cols), ("THREADS", tile.Threads),
            ("PDL", programmatic ? 1 : 0), ("VECTOR", 8), .. ProductText.OperandDefines(parts.View),
        ];
        List<KernelArgument> arguments =
        [
            new TensorMapArgument(x.Storage, x.Offset, x.Type, [channels, x.Shape[3], x.Shape[2], x.Shape[0]], [x.Strides[3] * 2, x.Strides[2] * 2, x.Strides[0] * 2], [tile.Slab, wide, high, 1], 0),
            new PointerArgument(w.Storage, w.Offset, Access.Read), ProductText.Wide(w.Strides[0]), ProductText.Wide(w.Strides[2]), ProductText.Wide(w.Strides[3]),
            new PointerArgument(y.Storage, y.Offset, Access.Write), ProductText.Wide(y.Batch0), ProductText.Wide(y.Batch1), ProductText.Wide(y.Row),
        ];
        for (int i = 0; i < EpilogueText.MaxLoads; i++) arguments.Add(i < parts.Operands.Count ? new PointerArgument(parts.Operands[i].Storage, parts.Operands[i].Offset, Access.Read) : ProductText.Wide(0));
        arguments.AddRange([ProductText.Int(x.Shape[0]), ProductText.Int(space[2].Extent), ProductText.Int(space[3].Extent), ProductText.Int(channels)]);
        DimExpr tiles = x.Shape[0] * DimExpr.CeilDiv(space[2].Extent, tile.High) * DimExpr.CeilDiv(space[3].Extent, tile.Wide);
        int shared = tile.SharedBytes(g), blocks = Math.Clamp(Math.Min(WgmmaVariant.MaxSharedBytes / (shared + 1024), 512 / tile.Threads), 1, 8);
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("depthwise", ProductText.Assemble(definitions, parts.Epilogue.Function, "tma_depthwise.cuh"), WgmmaKernel.Capability),
            Grid = [DimExpr.Min(tiles, Math.Max(1, Math.Max(1, multiprocessors) * blocks / columns)), columns, DimExpr.One], Block = [tile.Threads], SharedBytes = shared, Programmatic = programmatic, Arguments = arguments,
        };
    }
}
