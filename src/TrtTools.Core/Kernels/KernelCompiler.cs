using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using TrtTools.Cuda;

namespace TrtTools.Kernels;

/// <summary>Kernel texts to machine code, several at a time, each distinct text once.</summary>
/// <param name="cache">Where code is kept between builds; null: nowhere.</param>
internal sealed class KernelCompiler(KernelCache? cache = null)
{
    /// <summary>The real architecture that kernels for a compute capability are compiled for: tensor-core instructions of 9.0 exist in sm_90a alone.</summary>
    public static string Architecture(int capability) => capability == 90 ? "sm_90a" : $"sm_{capability}";

    /// <summary>Options that every kernel is compiled with, for "sm_90a" or the like.</summary>
    public static IReadOnlyList<string> Options(string architecture) => [$"--gpu-architecture={architecture}", "--std=c++17", "--ptxas-options=-v"];

    /// <summary>The code of each of the sources. A text that does not compile is an error with the compiler's log in it.</summary>
    /// <param name="threads">How many at a time; 0: one for each processor.</param>
    public IReadOnlyDictionary<KernelSource, CompiledSource> Compile(IEnumerable<KernelSource> sources, string architecture, int threads = 0, Report? report = null, CancellationToken stop = default)
    {
        KernelSource[] distinct = [.. sources.Distinct()];
        ConcurrentDictionary<KernelSource, CompiledSource> compiled = new();
        int done = 0;
        try
        {
            Parallel.ForEach(distinct, new ParallelOptions { MaxDegreeOfParallelism = threads > 0 ? threads : Environment.ProcessorCount, CancellationToken = stop }, source =>
            {
                compiled[source] = Compile(source, architecture);
                int number = Interlocked.Increment(ref done);
                report?.Progress("Compiling kernels", $"kernel {number} of {distinct.Length}", (double)number / distinct.Length);
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<TrtToolsException>().FirstOrDefault() is { } first)
        {
            ExceptionDispatchInfo.Throw(first);
        }
        return compiled;
    }

    public CompiledSource Compile(KernelSource source, string architecture)
    {
        IReadOnlyDictionary<string, string> headers = KernelHeaders.Of(source.Text);
        IReadOnlyList<string> options = Options(architecture);
        Nvrtc compiler = Nvrtc.Current;
        string key = KernelCache.Key(source, headers, options, compiler.Version);
        if (cache?.Find(key) is { } found) return new CompiledSource(source, architecture, found.Code, found.Resources) { FromCache = true };
        CompiledKernel result = compiler.Compile(source.Text, source.Function + ".cu", headers, options);
        KernelResources resources = KernelResources.Parse(result.Log);
        cache?.Add(key, source, result.Cubin!, resources);
        return new CompiledSource(source, architecture, result.Cubin!, resources);
    }
}
