using TrtTools.Cuda;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tactics;
using TrtTools.Tensors;
using TrtTools.Tests.Kernels;

namespace TrtTools.Tests.Gpu;

/// <summary>Generated and hand-made kernels compute on the GPU what the Reference device computes. Small cases, so that they end under a sanitizer too.</summary>
[Collection("GPU")]
public sealed class KernelTests
{
    /// <summary>TRTTOOLS_GPU_EACH says how many of each kind; more takes longer, above all under a sanitizer.</summary>
    private static int Each => int.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_GPU_EACH"), out int each) ? each : 20;

    [Fact]
    public void Generated_kernels_compute_what_the_Reference_device_computes()
    {
        using CudaContext device = Cuda.Gpu.Open();
        KernelCase[] cases = [.. Enumerable.Range(0, Each).SelectMany(i => new[] { RandomNests.Map(i), RandomNests.Reduce(i), RandomNests.Contract(i), RandomNests.Scatter(i) }).Concat(RowCases.All().Where((_, n) => n % Math.Max(1, 40 / Each) == 0))];
        Check(device, [.. cases.Where(c => !c.IsTimed).Select(c => (c, c.Name, c.Launches()))]);
    }

    /// <summary>On Hopper they start while their predecessors end: the kernels of a case read what the ones before them wrote.</summary>
    [Fact]
    public void Generated_kernels_that_start_early_compute_the_same()
    {
        using CudaContext device = Cuda.Gpu.Open();
        Assert.SkipWhen(device.Properties.ComputeCapability < 90, "Programmatic launches need compute capability 9.0.");
        GeneratorOptions options = new() { Programmatic = true };
        IEnumerable<KernelCase> cases = Enumerable.Range(0, Each).SelectMany(i => new[] { RandomNests.Map(i), RandomNests.Reduce(i), RandomNests.Scatter(i) }).Concat(RowCases.All());
        Check(device, [.. cases.Where(c => !c.IsTimed).Select(c => (c, c.Name, c.Launches(options)))]);
    }

    [Fact]
    public void Hand_made_kernels_compute_what_the_Reference_device_computes()
    {
        using CudaContext device = Cuda.Gpu.Open();
        int capability = device.Properties.ComputeCapability, each = Math.Max(1, Each / 3);
        List<(KernelCase, string, IReadOnlyList<KernelLaunch>)> cases = [];
        foreach ((KernelCase made, Region region) in HandMadeCases.All)
        {
            TacticContext context = new() { Architecture = KernelCompiler.Architecture(capability), Capability = capability, Multiprocessors = device.Properties.Multiprocessors, Tf32 = true, Thorough = true, Symbols = made.Symbols };
            Tactic[] tactics = [.. new HandMadeTactics().Offers(region, context).Select(o => o.Tactic).OfType<Tactic>()];
            // Spread over all: neighbours differ least.
            foreach (Tactic tactic in tactics.Where((_, i) => i % Math.Max(1, tactics.Length / each) == 0)) cases.Add((made, $"{made.Name}, {tactic.Name}", [.. tactic.Launches.Select(l => ((KernelTacticLaunch)l).Launch)]));
        }
        Assert.True(cases.Count > 20);
        Check(device, cases);
    }

    private static void Check(CudaContext device, IReadOnlyList<(KernelCase Case, string Name, IReadOnlyList<KernelLaunch> Launches)> cases)
    {
        _ = Cuda.Gpu.Compiler;
        IReadOnlyDictionary<KernelSource, CompiledSource> code = new KernelCompiler(new KernelCache(KernelCache.DefaultFolder)).Compile(cases.SelectMany(c => c.Launches).Select(l => l.Source), KernelCompiler.Architecture(device.Properties.ComputeCapability));
        CaseRunner runner = new(device, code);
        Dictionary<KernelCase, TensorData> expected = [];
        List<string> wrong = [];
        foreach ((KernelCase made, string name, IReadOnlyList<KernelLaunch> launches) in cases)
        {
            if (!expected.TryGetValue(made, out TensorData? wanted)) expected.Add(made, wanted = made.Expected());
            string difference = runner.Run(made, launches, wanted);
            if (difference.Length > 0) wrong.Add($"{name}: {difference}");
        }
        Console.WriteLine($"KERNELS {cases.Count - wrong.Count} of {cases.Count} right, {code.Count} texts");
        foreach (string line in wrong) Console.WriteLine($"WRONG {line}");
        Assert.Empty(wrong);
    }
}
