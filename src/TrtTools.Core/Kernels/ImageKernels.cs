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
    public static KernelLaunch? Stem(Region region, ConvolutionFacts facts, string name, int multiprocessors, bool programmatic, out string reason)
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
        if (shared > 99 * 1024)
        {
            reason = string.Create(CultureInfo.InvariantCulture, $"its filters need {shared} bytes of shared memory");
            return null;
        }
        IReadOnlyList<Axis> space = region.Nests[0].Space;
        // 8 bits of a result are right with products of 16.
        DataType multiplied = stored != DataType.Int8 ? stored : w.Type == DataType.BFloat16 ? DataType.BFloat16 : DataType.Float16;
        (string, object)[] definitions =
        [
            ("KERNEL", "stem"), ("TYPE", ProductText.Name(multiplied)), ("OUT", ProductText.Name(stored)), ("IN", ProductText.Name(x.Type)), ("W", ProductText.Name(w.Type)), ("CHANNELS", channels), ("R", height), ("S", width), ("STRIDE_H", strideH), ("STRIDE_W", strideW),
            ("PAD_H", facts.PadsBegin[0]), ("PAD_W", facts.PadsBegin[1]), ("COLS", cols), ("PDL", programmatic ? 1 : 0), ("VECTOR", ProductText.Vector(parts.View)), .. ProductText.OperandDefines(parts.View),
        ];
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
        DimExpr tiles = x.Shape[0] * DimExpr.CeilDiv(space[2].Extent, 16) * DimExpr.CeilDiv(space[3].Extent, 16);
        int room = Math.Max(1, multiprocessors * Math.Clamp(220 * 1024 / (shared + 1024), 1, 2));
        return new KernelLaunch
        {
            Name = name, Source = new KernelSource("stem", ProductText.Assemble(definitions, parts.Epilogue.Function, "stem.cuh"), programmatic ? 90 : Capability),
            Grid = [multiprocessors > 0 ? DimExpr.Min(tiles, room) : tiles, DimExpr.CeilDiv(outputs, cols), DimExpr.One], Block = [256], SharedBytes = shared, Programmatic = programmatic, Arguments = arguments,
        };
    }

    /// <summary>Null with the reason where the region is no depthwise convolution that this variant runs: pixels of a thread, threads along the channels.</summary>
    public static KernelLaunch? Depthwise(Region region, ConvolutionFacts facts, (int Height, int Width, int Lanes) variant, string name, int multiprocessors, bool programmatic, out string reason)
    {
        int threads = Math.Max(1, 128 / variant.Lanes) * variant.Lanes;
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
        if (reason.Length > 0) return null;
        IReadOnlyList<Axis> space = region.Nests[0].Space;
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
}
