using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tests;

namespace TrtTools.Build;

/// <summary>Engines with several optimization profiles on the Null device: each profile has the tactics that were the fastest for its own shapes.</summary>
public sealed class ProfileBuildTests
{
    private const string Block = "x: Float32[n,64,14,14] -> y { w1 = Float32[64,64,3,3] random(1); b1 = Float32[64] random(2); c1 = Conv(x, w1, b1){pads=[1,1,1,1]}; r1 = Relu(c1); w2 = Float32[64,64,1,1] random(3); c2 = Conv(r1, w2); y = Relu(c2) }";

    private readonly List<NullDevice> _devices = [];

    /// <summary>Generated kernels take as long as they have blocks, ours for tensor cores always the same.</summary>
    private NullDevice Device()
    {
        NullDevice device = new() { TimeOf = l => l.Name.Contains("wgmma", StringComparison.Ordinal) ? 0.05 : 0.0005 * l.Shape.GridX * l.Shape.GridY * l.Shape.GridZ };
        lock (_devices) _devices.Add(device);
        return device;
    }

    private static Dictionary<string, ShapeRange> Range(long min, long opt, long max) => new(StringComparer.Ordinal) { ["x"] = new ShapeRange([min, 64, 14, 14], [opt, 64, 14, 14], [max, 64, 14, 14]) };

    private Engine Build(params Dictionary<string, ShapeRange>[] profiles) => EngineBuilder.Build(TestGraphs.Parse(Block), new BuildOptions
    {
        Device = DeviceKind.Cuda, Fp16 = true, OptimizationProfile = profiles, Target = new CudaTarget { Name = "a GPU", Capability = 90, Compiles = false, OtherDevice = Device },
    }, Report.None, CancellationToken.None);

    private static IReadOnlyList<Engines.Proto.Launch> Launches(Engine engine) => [.. engine.Content.Plan.Body.Steps.SelectMany(s => s.Device.Launches)];

    private static string Function(Engine engine, Engines.Proto.Launch launch) => engine.Content.Plan.Images[(int)launch.Kernel.Image].Function;

    private IReadOnlyList<string> Run(Engine engine, long batch)
    {
        using DeviceContext context = engine.CreateDeviceContext(CancellationToken.None);
        return Run(context, batch);
    }

    private IReadOnlyList<string> Run(DeviceContext context, long batch)
    {
        NullDevice device = (NullDevice)context.Program.Device;
        int before = device.Launches.Count;
        context.SetInput(0, Tensors.TensorData.FromBytes(Tensors.DataType.Float32, [batch, 64, 14, 14], new byte[batch * 64 * 14 * 14 * 4]));
        context.Upload();
        context.Execute(CancellationToken.None);
        context.Synchronize();
        return [.. device.Launches.Skip(before).Select(l => l.Name)];
    }

    [Fact]
    public void Each_profile_has_its_own_tactics_and_what_they_share_is_there_once()
    {
        using Engine engine = Build(Range(1, 1, 4), Range(32, 64, 128));
        IReadOnlyList<Engines.Proto.Launch> launches = Launches(engine);
        Assert.Contains(launches, l => l.Profiles.Count == 0);
        Assert.Contains(launches, l => l.Profiles is [0]);
        Assert.Contains(launches, l => l.Profiles is [1]);
        Assert.DoesNotContain(launches, l => l.Profiles is [0] && Function(engine, l).Contains("wgmma", StringComparison.Ordinal));
        Assert.All(launches.Where(l => l.Profiles is [1]), l => Assert.Contains("wgmma", Function(engine, l), StringComparison.Ordinal));
        Assert.Equal(engine.Content.Plan.Images.Count, engine.Content.Plan.Images.Select(i => (i.Function, i.Source)).Distinct().Count());
        // Both have their times, and say whose they are.
        Assert.Contains(engine.Layers, l => l.Name.EndsWith(" (profile 1)", StringComparison.Ordinal) && l.Tactic.StartsWith("trt wgmma", StringComparison.Ordinal) && l.MedianMs > 0);
        Assert.Contains(engine.Layers, l => l.Name.EndsWith(" (profile 0)", StringComparison.Ordinal) && l.Tactic == "generated" && l.MedianMs > 0);
    }

    [Fact]
    public void A_run_launches_what_its_shapes_profile_has_and_nothing_of_another()
    {
        using Engine engine = Build(Range(1, 1, 4), Range(32, 64, 128));
        IReadOnlyList<string> one = Run(engine, 1), many = Run(engine, 64);
        Assert.DoesNotContain(one, n => n.Contains("wgmma", StringComparison.Ordinal));
        Assert.Contains(many, n => n.Contains("wgmma", StringComparison.Ordinal));
        Assert.Equal(Launches(engine).Count(l => l.Profiles.Count == 0 || l.Profiles.Contains(0)), one.Count);
        Assert.Equal(Launches(engine).Count(l => l.Profiles.Count == 0 || l.Profiles.Contains(1)), many.Count);
        // Graphs that were captured for one profile are not changed into another's.
        using DeviceContext context = engine.CreateDeviceContext(CancellationToken.None);
        foreach (long batch in new long[] { 1, 1, 1, 2, 64, 64, 64, 65, 3, 66, 1 }) Assert.Equal(batch > 4 ? many : one, Run(context, batch));
    }

    [Fact]
    public void Profiles_with_the_same_tactics_have_one_set_of_launches()
    {
        using Engine engine = Build(Range(32, 48, 50), Range(51, 64, 128)), single = Build(Range(32, 64, 128));
        Assert.All(Launches(engine), l => Assert.Empty(l.Profiles));
        Assert.Equal(Launches(single).Count, Launches(engine).Count);
        Assert.DoesNotContain(engine.Layers, l => l.Name.Contains("profile", StringComparison.Ordinal));
    }

    [Fact]
    public void A_launch_for_a_profile_that_is_not_there_is_refused()
    {
        using Engine engine = Build(Range(1, 1, 4), Range(32, 64, 128));
        Plan plan = engine.Content.Plan.Clone();
        plan.Body.Steps.SelectMany(s => s.Device.Launches).First(l => l.Profiles.Count > 0).Profiles[0] = 2;
        Assert.Contains("a profile that is not there", Assert.Throws<TrtToolsException>(() => PlanTables.Read(plan, engine.Content.Blobs, "e")).Message, StringComparison.Ordinal);
    }
}
