using TrtTools.Kernels;
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

    [Fact]
    public void Cases_can_be_written_for_a_machine_with_a_GPU()
    {
        string? folder = Environment.GetEnvironmentVariable("TRTTOOLS_DUMP_KERNELS");
        Assert.SkipUnless(folder is { Length: > 0 }, "TRTTOOLS_DUMP_KERNELS names no folder.");
        KernelDump.Write(folder!, Cases(int.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_DUMP_EACH"), out int each) ? each : 100).Concat(TimingCases.All()));
    }
}
