using TrtTools.Lowering;

namespace TrtTools.Kernels;

/// <summary>
/// Kernels for nests, whatever they are. The form follows from how the nest walks through memory; every form computes the same. Bases of storages are aligned to 16 bytes, which <see cref="KernelLaunch"/>
/// promises of them.
/// </summary>
internal static class NestGenerator
{
    /// <summary>One launch for a nest.</summary>
    public static KernelLaunch Generate(LoopNest nest, GeneratorOptions? options = null)
    {
        NestAnalysis analysis = new(nest, options ?? GeneratorOptions.Default);
        if (nest.ScatterCombine is not null && nest.Body is null) return ScatterKernel.Write(analysis);
        if (nest.Body is null) return MapKernel.Write(analysis);
        if (nest.ScatterCombine is not null) throw new InvalidOperationException($"Nest '{nest.Name}' scatters what it reduces; that takes two nests.");
        return ContractionKernel.TryWrite(analysis) ?? ReduceKernel.Write(analysis);
    }

    /// <summary>The launches of a region's nests, in their order.</summary>
    public static IReadOnlyList<KernelLaunch> Generate(Region region, GeneratorOptions? options = null) => [.. region.Nests.Select(n => Generate(n, options))];
}
