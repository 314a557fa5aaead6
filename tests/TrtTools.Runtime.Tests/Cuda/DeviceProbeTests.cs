using TrtTools.Cuda;

namespace TrtTools.Tests.Cuda;

public sealed class DeviceProbeTests
{
    [Fact]
    public void The_CPU_is_always_there()
    {
        IReadOnlyList<EngineDevice> devices = DeviceProbe.List();
        EngineDevice cpu = Assert.Single(devices, d => d.Kind == "Cpu");
        Assert.Equal(cpu, devices[^1]);
        Assert.NotEmpty(cpu.Name);
        Assert.True(cpu.MemoryBytes > 0);
        Assert.InRange(cpu.Cores!.Value, 1, 4096);
    }

    [Fact]
    public void Without_a_GPU_the_CPU_says_why()
    {
        Assert.SkipUnless(CudaDriver.Current.Problem is not null, "This machine has a CUDA device.");
        Assert.Contains(DeviceProbe.List()[^1].Notes, n => n.StartsWith("no CUDA device:", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_library_is_found_or_has_a_way_to_install_it()
    {
        string[] lines = CudaLibraries.Describe();
        Assert.Equal(3, lines.Length);
        Assert.All(lines, l => Assert.True(l.Contains(": ", StringComparison.Ordinal) && (!l.StartsWith("missing", StringComparison.Ordinal) || l.Contains("install", StringComparison.Ordinal)), l));
    }
}
