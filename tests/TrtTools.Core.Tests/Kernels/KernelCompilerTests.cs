using TrtTools.Cuda;
using TrtTools.Kernels;

namespace TrtTools.Tests.Kernels;

public sealed class KernelCompilerTests
{
    private static readonly KernelSource s_twice = new("twice", "#include \"scalar.cuh\"\nextern \"C\" __global__ void twice(const trt::half *x, trt::half *y) { trt::store(y[threadIdx.x], 2.f * trt::load(x[threadIdx.x])); }\n");

    internal static void NeedCompiler() => Assert.SkipUnless(Nvrtc.IsAvailable, $"NVRTC is not here; install {CudaLibraries.InstallHint(CudaLibraries.Nvrtc)}.");

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_89")]
    [InlineData("sm_90a")]
    public void A_text_becomes_code_with_its_resources(string architecture)
    {
        NeedCompiler();
        CompiledSource compiled = new KernelCompiler().Compile(s_twice, architecture);
        Assert.True(compiled.Code.AsSpan().StartsWith("\u007fELF"u8));
        Assert.InRange(compiled.Resources.Registers, 1, 32);
        Assert.False(compiled.Resources.Spills);
        Assert.False(compiled.FromCache);
    }

    [Fact]
    public void Spills_and_local_memory_are_seen()
    {
        NeedCompiler();
        KernelSource array = new("scatter", "extern \"C\" __global__ void scatter(const int *x, int *y) { volatile int a[512]; for (int i = 0; i < 512; i++) a[i] = x[i]; y[0] = a[x[64] & 511] + a[x[65] & 511]; }");
        Assert.InRange(new KernelCompiler().Compile(array, "sm_90a").Resources.StackBytes, 2048, 4096);
    }

    [Fact]
    public void An_error_holds_the_compilers_log()
    {
        NeedCompiler();
        KernelSource wrong = new("wrong", "extern \"C\" __global__ void wrong() { undeclared = 1; }");
        foreach (TrtToolsException e in (TrtToolsException[])[
            Assert.Throws<TrtToolsException>(() => new KernelCompiler().Compile(wrong, "sm_80")), Assert.Throws<TrtToolsException>(() => new KernelCompiler().Compile([s_twice, wrong], "sm_80"))])
        {
            Assert.Contains("undeclared", e.Message, StringComparison.Ordinal);
            Assert.Contains("wrong.cu", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Code_is_kept_with_its_text_and_damage_counts_as_absence()
    {
        NeedCompiler();
        using TestFolder folder = new();
        KernelCompiler compiler = new(new KernelCache(folder.FullPath));
        CompiledSource first = compiler.Compile(s_twice, "sm_90a"), second = compiler.Compile([s_twice], "sm_90a")[s_twice];
        Assert.True(second.FromCache);
        Assert.Equal(first.Code, second.Code);
        Assert.Equal(first.Resources, second.Resources);
        Assert.False(compiler.Compile(s_twice, "sm_80").FromCache);

        Assert.Contains(Directory.GetFiles(folder.FullPath, "*.cu", SearchOption.AllDirectories), f => File.ReadAllText(f) == s_twice.Text);
        foreach (string file in Directory.GetFiles(folder.FullPath, "*.cubin", SearchOption.AllDirectories)) File.WriteAllBytes(file, [1, 2, 3]);
        CompiledSource third = compiler.Compile(s_twice, "sm_90a");
        Assert.False(third.FromCache);
        Assert.Equal(first.Code, third.Code);
        Assert.True(compiler.Compile(s_twice, "sm_90a").FromCache);
    }

    [Fact]
    public void A_key_changes_with_whatever_changes_the_code()
    {
        Dictionary<string, string> headers = new() { ["a.cuh"] = "1" };
        string key = KernelCache.Key(s_twice, headers, ["x"], new Version(12, 4));
        Assert.Equal(key, KernelCache.Key(new KernelSource(s_twice.Function, s_twice.Text), headers, ["x"], new Version(12, 4)));
        Assert.Equal(6, new HashSet<string>([
            key, KernelCache.Key(s_twice with { Text = s_twice.Text + " " }, headers, ["x"], new Version(12, 4)), KernelCache.Key(s_twice, new Dictionary<string, string> { ["a.cuh"] = "2" }, ["x"], new Version(12, 4)),
            KernelCache.Key(s_twice, headers, ["x", ""], new Version(12, 4)), KernelCache.Key(s_twice, headers, ["x"], new Version(13, 0)), KernelCache.Key(s_twice with { Function = "other" }, headers, ["x"], new Version(12, 4)),
        ]).Count);
    }

    [Fact]
    public void Headers_are_found_through_each_other_and_foreign_ones_left_to_the_compiler()
    {
        Assert.Equal(["scalar.cuh"], KernelHeaders.Of(s_twice.Text + "#include \"of-somebody-else.cuh\"").Keys);
        Assert.Empty(KernelHeaders.Of("extern \"C\" __global__ void nothing() {}"));
        Assert.All(KernelHeaders.All.Values, text => Assert.DoesNotContain("#include <", text, StringComparison.Ordinal));
    }
}
