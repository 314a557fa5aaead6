using System.Text;
using TrtTools.Cuda;

namespace TrtTools.Tests.Cuda;

public sealed class NvrtcTests
{
    private const string Kernel = """extern "C" __global__ void twice(const float* x, float* y, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] = scale(x[i]); }""";

    private static readonly Dictionary<string, string> Headers = new() { ["scale.cuh"] = "__device__ float scale(float x) { return FACTOR * x; }", ["unused.cuh"] = "#error not to be read" };

    private static Nvrtc Compiler => Gpu.Compiler;

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_89")]
    [InlineData("sm_90a")]
    public void A_kernel_with_headers_from_memory_becomes_machine_code(string architecture)
    {
        CompiledKernel compiled = Compiler.Compile("#include \"scale.cuh\"\n" + Kernel, "twice.cu", Headers, $"--gpu-architecture={architecture}", "-DFACTOR=2.f");
        Assert.True(compiled.Cubin.AsSpan().StartsWith("\u007fELF"u8));
        Assert.Contains("twice", Encoding.Latin1.GetString(compiled.Cubin!), StringComparison.Ordinal);
        Assert.InRange(Compiler.Version.Major, 12, 99);
        Assert.Contains(90, Compiler.Architectures);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(90)]
    public void The_texts_of_the_GPUs_tests_compile(int capability)
    {
        Assert.NotNull(Gpu.Compile(DriverTests.Text, capability));
        Assert.NotNull(Gpu.Compile(Launch.TestKernels.Text, capability));
    }

    [Fact]
    public void An_error_holds_the_compilers_log()
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Compiler.Compile(Kernel, "twice.cu", new Dictionary<string, string>(), "--gpu-architecture=sm_90a"));
        Assert.Contains("Kernel 'twice.cu'", e.Message, StringComparison.Ordinal);
        Assert.Contains("\"scale\" is undefined", e.Message, StringComparison.Ordinal);
        CompiledKernel tried = Compiler.TryCompile("#include \"missing.cuh\"", "a.cu", Headers, "--gpu-architecture=sm_90a");
        Assert.False(tried.Succeeded);
        Assert.Contains("missing.cuh", tried.Log, StringComparison.Ordinal);
    }

    [Fact]
    public void An_option_that_is_none_is_named()
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Compiler.Compile("", "a.cu", new Dictionary<string, string>(), "--no-such-option"));
        Assert.Contains("no-such-option", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Compiler.Compile("", "a.cu", new Dictionary<string, string>(), "--gpu-architecture=compute_90"));
    }

    [Fact]
    public void Threads_compile_side_by_side_and_get_the_same_bytes()
    {
        Nvrtc compiler = Compiler;
        byte[][] results = new byte[8][];
        Parallel.For(0, results.Length, i => results[i] = compiler.Compile("#include \"scale.cuh\"\n" + Kernel, "twice.cu", Headers, "--gpu-architecture=sm_90a", $"-DFACTOR={i % 2}.f").Cubin!);
        for (int i = 0; i < results.Length; i++) Assert.Equal(results[i % 2], results[i]);
        Assert.NotEqual(results[0], results[1]);
    }

    [Fact]
    public void Where_it_is_missing_the_error_says_how_to_get_it()
    {
        Assert.SkipWhen(Nvrtc.IsAvailable, "NVRTC is here.");
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Nvrtc.Current);
        Assert.Equal(ErrorCode.NativeLibraryMissing, e.Code);
        Assert.Contains("pip install nvidia-cuda-nvrtc", e.Message, StringComparison.Ordinal);
    }
}
