using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Nests of every kind become texts that compile. What they compute is checked on a GPU: TRTTOOLS_DUMP_KERNELS=folder writes them with what the Reference device computes.</summary>
public sealed class RandomNestTests
{
    private static IEnumerable<KernelCase> Cases(int each) =>
        Enumerable.Range(0, each).SelectMany(i => new[] { RandomNests.Map(i), RandomNests.Reduce(i), RandomNests.Contract(i), RandomNests.Scatter(i) }).Concat(RowCases.All().Where((_, n) => n % Math.Max(1, 40 / each) == 0));

    [Fact]
    public void Every_nest_has_a_text_and_the_same_one_each_time()
    {
        foreach (KernelCase made in Cases(100))
        {
            string[] first = [.. made.Launches().Select(l => l.Source.Text)], second = [.. made.Launches().Select(l => l.Source.Text)];
            Assert.Equal(first, second);
            Assert.All(made.Launches(), l => Assert.All(l.Grid, g => Assert.InRange(g.Evaluate(made.Symbols)!.Value, 1, int.MaxValue)));
        }
    }

    [Theory]
    [InlineData("sm_80", 1)]
    [InlineData("sm_90a", 4)]
    public void Texts_compile_without_a_warning(string architecture, int each)
    {
        KernelCompilerTests.NeedCompiler();
        KernelLaunch[] launches = [.. Cases(each).SelectMany(c => c.Launches())];
        IReadOnlyDictionary<KernelSource, CompiledSource> compiled = new KernelCompiler().Compile(launches.Select(l => l.Source), architecture);
        Assert.All(launches, l => Assert.False(compiled[l.Source].Resources.Spills, $"{l.Name}: {compiled[l.Source].Resources}\n{l.Source.Text}"));
    }

    /// <summary>A kernel that starts before its predecessors end touches nothing that they may write, and lets no thread end, before it has waited.</summary>
    [Fact]
    public void Programmatic_kernels_wait_before_they_read_or_end()
    {
        GeneratorOptions options = new() { Programmatic = true };
        foreach (KernelLaunch launch in Cases(20).SelectMany(c => c.Launches(options)))
        {
            string text = launch.Source.Text;
            Assert.True(launch.Programmatic && launch.Source.MinimumCapability == 90, launch.Name);
            int parameters = text.IndexOf("extern \"C\"", StringComparison.Ordinal), body = text.IndexOf("\n{\n", parameters, StringComparison.Ordinal), wait = text.IndexOf("trt::wait_for_predecessors();", StringComparison.Ordinal);
            Assert.True(wait > 0 && text.IndexOf("trt::wait_for_predecessors();", wait + 1, StringComparison.Ordinal) < 0, text);
            string before = text[body..wait];
            Assert.DoesNotContain("return", before, StringComparison.Ordinal);
            foreach (System.Text.RegularExpressions.Match pointer in System.Text.RegularExpressions.Regex.Matches(text[parameters..body], @"\*(?<constant>__restrict__ )?(?<name>[xy]\d+)"))
            {
                int number = int.Parse(pointer.Groups["name"].Value[1..], System.Globalization.CultureInfo.InvariantCulture);
                bool isWeight = launch.Arguments.OfType<PointerArgument>().ElementAt(number).Storage.Kind == StorageKind.Weight;
                Assert.Equal(isWeight, pointer.Groups["constant"].Success);
                if (!isWeight) Assert.DoesNotMatch($@"\b{pointer.Groups["name"].Value}\b", before);
            }
        }
    }

    /// <summary>Maps that fill one value are one launch, whatever their forms.</summary>
    [Fact]
    public void Maps_that_fill_one_value_are_one_kernel()
    {
        foreach (KernelCase made in RowCases.All().Where(c => c.Name.StartsWith("joint.", StringComparison.Ordinal)))
        {
            foreach (bool programmatic in (bool[])[false, true])
            {
                KernelLaunch launch = Assert.Single(made.Launches(new GeneratorOptions { Programmatic = programmatic }));
                Assert.Equal(made.Name == "joint.rolled" ? 2 : 3, System.Text.RegularExpressions.Regex.Count(launch.Source.Text, @"if \((block|\(block -= \d+\)) < \d+\)"));
                if (TrtTools.Cuda.Nvrtc.IsAvailable) Assert.Single(new KernelCompiler().Compile([launch.Source], "sm_90a"));
            }
        }
    }

    [Fact]
    public void Programmatic_kernels_compile_for_Hopper()
    {
        KernelCompilerTests.NeedCompiler();
        KernelLaunch[] launches = [.. Cases(4).SelectMany(c => c.Launches(new GeneratorOptions { Programmatic = true }))];
        IReadOnlyDictionary<KernelSource, CompiledSource> compiled = new KernelCompiler().Compile(launches.Select(l => l.Source), "sm_90a");
        Assert.All(launches, l => Assert.False(compiled[l.Source].Resources.Spills, $"{l.Name}: {compiled[l.Source].Resources}\n{l.Source.Text}"));
    }

    [Fact]
    public void Cases_can_be_written_for_a_machine_with_a_GPU()
    {
        string? folder = Environment.GetEnvironmentVariable("TRTTOOLS_DUMP_KERNELS");
        Assert.SkipUnless(folder is { Length: > 0 }, "TRTTOOLS_DUMP_KERNELS names no folder.");
        KernelDump.Write(folder!, Cases(int.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_DUMP_EACH"), out int each) ? each : 100).Concat(TimingCases.All()));
    }
}
