using TrtTools.Cuda;

namespace TrtTools.Tests.Cuda;

/// <summary>The GPU that tests run on; without one they are skipped, and the reason says what is missing.</summary>
internal static class Gpu
{
    public static CudaContext Open()
    {
        Assert.SkipWhen(CudaDriver.Current.Problem is not null, $"No GPU: {CudaDriver.Current.Problem}.");
        return CudaContext.Open();
    }

    public static Nvrtc Compiler
    {
        get
        {
            Assert.SkipUnless(Nvrtc.IsAvailable, $"NVRTC is not here; install {CudaLibraries.InstallHint(CudaLibraries.Nvrtc)}.");
            return Nvrtc.Current;
        }
    }

    /// <summary>Machine code for the device, with its own instructions (sm_90a) where it has such.</summary>
    public static byte[] Compile(string text, int capability) => Compiler.Compile(text, "test.cu", new Dictionary<string, string>(), $"--gpu-architecture={Architecture(capability)}").Cubin!;

    public static string Architecture(int capability) => capability >= 90 ? $"sm_{capability}a" : $"sm_{capability}";
}

/// <summary>Tests that compare the device's free memory run alone.</summary>
[CollectionDefinition("GPU", DisableParallelization = true)]
public sealed class GpuCollection;
