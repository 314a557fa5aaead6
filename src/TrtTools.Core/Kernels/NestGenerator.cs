using TrtTools.Lowering;

namespace TrtTools.Kernels;

/// <summary>
/// Kernels for nests, whatever they are. The form follows from how the nest walks through memory; every form computes the same. Bases of storages are aligned to 16 bytes, which <see cref="KernelLaunch"/>
/// promises of them.
/// </summary>
internal static class NestGenerator
{
    /// <summary>The launches of a nest: one, or two where a long reduction is split.</summary>
    public static IReadOnlyList<KernelLaunch> Generate(LoopNest nest, GeneratorOptions? options = null)
    {
        options ??= GeneratorOptions.Default;
        NestAnalysis analysis = new(nest, options);
        if (nest.ScatterCombine is not null && nest.Body is null) return [ScatterKernel.Write(analysis)];
        if (nest.Body is null) return [MapKernel.Write(analysis)];
        if (nest.ScatterCombine is not null) throw new InvalidOperationException($"Nest '{nest.Name}' scatters what it reduces; that takes two nests.");
        if (ContractionKernel.TryWrite(analysis) is { } contraction) return [contraction];
        if (SplitReduction.TrySplit(nest, options) is { } parts) return [.. parts.Select(p => ReduceKernel.Write(new NestAnalysis(p, options)))];
        return [ReduceKernel.Write(analysis)];
    }

    /// <summary>The launches of a region: one for a sequence and where its nests go over the same rows, else those of each nest.</summary>
    public static IReadOnlyList<KernelLaunch> Generate(Region region, GeneratorOptions? options = null) =>
        region.Sequence is { } sequence ? [SequenceKernel.Write(region, sequence, options ?? GeneratorOptions.Default)]
        : RowKernel.TryWrite(region, options ?? GeneratorOptions.Default) is { } row ? [row]
        : JointMapKernel.TryWrite(region, options ?? GeneratorOptions.Default) is { } joint ? [joint] : [.. region.Nests.SelectMany(n => Generate(n, options))];
}
