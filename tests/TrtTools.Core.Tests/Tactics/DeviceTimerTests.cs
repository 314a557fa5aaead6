using System.Runtime.InteropServices;
using TrtTools.Cuda;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;
using static TrtTools.Tactics.Contractions;

namespace TrtTools.Tactics;

/// <summary>The timer on the Null device: kernels do what the test says and take the time it says.</summary>
public sealed unsafe class DeviceTimerTests
{
    private static readonly TacticContext Context = new() { Architecture = "sm_90a", Capability = 90, Symbols = new Dictionary<string, long> { ["n"] = 4 } };

    private readonly TimingCache _cache = new(null);
    private readonly HashSet<string> _compiled = new(StringComparer.Ordinal);
    private int _opened;

    private static RegionStep Step() => new(MatMul(View("x", DataType.Float32, StorageKind.Scratch, [DimExpr.Symbol("n"), 8]), Weight(), View("y", DataType.Float32, StorageKind.Scratch, [DimExpr.Symbol("n"), 4])));

    private static TensorView Weight()
    {
        Storage storage = new("w", StorageKind.Weight, DataType.Float32, 32) { Data = TensorData.FromBytes(DataType.Float32, [8, 4], MemoryMarshal.AsBytes<float>(Enumerable.Range(0, 32).Select(i => i * 0.01f).ToArray()).ToArray()) };
        return TensorView.Dense(storage, [8, 4]);
    }

    private static Tactic Tactic(RegionStep step, string name)
    {
        LoopNest nest = step.Region.Nests[0];
        return new Tactic
        {
            Name = name, Launches = [new KernelTacticLaunch(new KernelLaunch
            {
                Name = name, Source = TacticPrograms.Source(name), Grid = [nest.Space[0].Extent], Block = [32],
                Arguments = [.. RegionViews.Reads(step.Region).Select(r => new PointerArgument(r.Storage, r.Offset, Access.Read)), new PointerArgument(nest.Target.Storage, 0, Access.Write), new ExtentArgument(nest.Space[0].Extent, Wide: false)],
            })],
        };
    }

    /// <summary>The product, plus something.</summary>
    private static NullKernelBody Product(float error) => (_, arguments) =>
    {
        float* x = (float*)arguments.AddressAt(0), w = (float*)arguments.AddressAt(1), y = (float*)arguments.AddressAt(2);
        int rows = arguments.Int32At(3);
        for (int m = 0; m < rows; m++) for (int n = 0; n < 4; n++)
        {
            float sum = 0;
            for (int k = 0; k < 8; k++) sum += x[(m * 8) + k] * w[(k * 4) + n];
            y[(m * 4) + n] = sum + error;
        }
    };

    private DeviceTimer Timer(Dictionary<string, NullKernelBody> kernels, Dictionary<string, double> milliseconds, string environment = "device", double? budget = null, List<NullDevice>? opened = null) => new(new DeviceTimerOptions
    {
        Context = Context, Cache = _cache, Environment = environment, TimeBudget = budget,
        Open = () =>
        {
            _opened++;
            NullDevice device = new() { Kernels = kernels, TimeOf = l => milliseconds[l.Name] };
            opened?.Add(device);
            return device;
        },
        Compile = source =>
        {
            lock (_compiled) _compiled.Add(source.Function);
            return source.Function == "broken" ? throw new TrtToolsException(ErrorCode.CudaFailed, "broken", "error: no such thing", "", "") : new CompiledSource(source, "sm_90a", [1], new KernelResources(0, 0, 0, 0, 0));
        },
    });

    [Fact]
    public void Right_candidates_get_their_times_and_wrong_ones_the_reason()
    {
        RegionStep step = Step();
        Dictionary<string, NullKernelBody> kernels = new() { ["generated"] = Product(0), ["quick"] = Product(0), ["wrong"] = Product(0.5f), ["lazy"] = (_, _) => { } };
        Dictionary<string, double> times = new() { ["generated"] = 0.5, ["quick"] = 0.25, ["wrong"] = 0.01, ["lazy"] = 0.01 };
        IReadOnlyList<TacticTime?> measured = Timer(kernels, times).MeasureAll(TacticPrograms.Scale(out _), step, [Tactic(step, "wrong"), Tactic(step, "quick"), Tactic(step, "lazy"), Tactic(step, "generated")], CancellationToken.None)!;
        Assert.StartsWith("wrong on random data: element ", measured[0]!.Problem);
        Assert.Equal(new TacticTime(0.25, 0.25, 0.25), measured[1]);
        Assert.Contains("is NaN", measured[2]!.Problem);
        Assert.Equal(0.5, measured[3]!.MedianMs);
        Assert.Equal(4, _cache.Count);
    }

    [Fact]
    public void What_does_not_compile_is_rejected_and_the_rest_is_timed()
    {
        RegionStep step = Step();
        Tactic[] tactics = [Tactic(step, "broken"), Tactic(step, "generated")];
        DeviceTimer timer = Timer(new() { ["generated"] = Product(0) }, new() { ["generated"] = 0.5 });
        timer.Announce([(step.Region, tactics)], CancellationToken.None);
        IReadOnlyList<TacticTime?> measured = timer.MeasureAll(TacticPrograms.Scale(out _), step, tactics, CancellationToken.None)!;
        Assert.Contains("no such thing", measured[0]!.Problem);
        Assert.Equal(0.5, measured[1]!.MedianMs);
        Assert.Equal(2, _compiled.Count);
    }

    [Fact]
    public void Times_come_from_the_cache_and_a_foreign_entry_is_not_used()
    {
        RegionStep step = Step();
        Dictionary<string, NullKernelBody> kernels = new() { ["generated"] = Product(0), ["quick"] = Product(0) };
        Dictionary<string, double> times = new() { ["generated"] = 0.5, ["quick"] = 0.25 };
        Tactic[] tactics = [Tactic(step, "quick"), Tactic(step, "generated")];
        Timer(kernels, times).MeasureAll(TacticPrograms.Scale(out _), step, tactics, CancellationToken.None);
        int opened = _opened;
        _compiled.Clear();
        // Another region of the same form: other names, other weights.
        RegionStep twin = Step();
        DeviceTimer again = Timer(kernels, times);
        Assert.Equal(0.25, again.MeasureAll(TacticPrograms.Scale(out _), twin, [Tactic(twin, "quick"), Tactic(twin, "generated")], CancellationToken.None)![0]!.MedianMs);
        Assert.Equal(0, again.Timed);
        Assert.Equal(opened, _opened);
        Assert.Empty(_compiled);
        DeviceTimer elsewhere = Timer(kernels, times, "another device");
        elsewhere.MeasureAll(TacticPrograms.Scale(out _), twin, [Tactic(twin, "quick"), Tactic(twin, "generated")], CancellationToken.None);
        Assert.Equal(2, elsewhere.Timed);
        Assert.Equal(4, _cache.Count);
    }

    [Fact]
    public void Another_kernel_text_is_another_entry()
    {
        RegionStep step = Step();
        Tactic tactic = Tactic(step, "quick");
        KernelLaunch launch = ((KernelTacticLaunch)tactic.Launches[0]).Launch;
        string Key(KernelLaunch l) => TacticTrial.Signature(step.Region, tactic with { Launches = [new KernelTacticLaunch(l)] }, Context, "nvrtc");
        Assert.Equal(Key(launch), Key(launch with { Name = "another name" }));
        Assert.NotEqual(Key(launch), Key(launch with { Source = launch.Source with { Text = launch.Source.Text + " // other" } }));
        Assert.NotEqual(Key(launch), Key(launch with { SharedBytes = 16 }));
        Assert.NotEqual(Key(launch), TacticTrial.Signature(step.Region, tactic, Context with { Symbols = new Dictionary<string, long> { ["n"] = 5 } }, "nvrtc"));
    }

    [Fact]
    public void A_region_whose_shape_only_the_run_knows_is_not_timed()
    {
        RegionStep step = Step();
        DeviceTimer timer = new(new DeviceTimerOptions { Context = Context with { Symbols = new Dictionary<string, long>() }, Cache = _cache, Environment = "d", Open = () => throw new InvalidOperationException(), Compile = _ => throw new InvalidOperationException() });
        Assert.Null(timer.MeasureAll(TacticPrograms.Scale(out _), step, [Tactic(step, "quick"), Tactic(step, "generated")], CancellationToken.None));
    }

    [Fact]
    public void Cancelling_ends_it()
    {
        RegionStep step = Step();
        using CancellationTokenSource source = new();
        Dictionary<string, NullKernelBody> kernels = new() { ["generated"] = (s, a) => { Product(0)(s, a); source.Cancel(); }, ["quick"] = Product(0) };
        Assert.ThrowsAny<OperationCanceledException>(() => Timer(kernels, new() { ["generated"] = 1, ["quick"] = 1 }).MeasureAll(TacticPrograms.Scale(out _), step, [Tactic(step, "quick"), Tactic(step, "generated")], source.Token));
    }

    [Fact]
    public void A_budget_that_is_spent_leaves_two_candidates_of_a_region_and_then_nothing()
    {
        RegionStep step = Step();
        Dictionary<string, NullKernelBody> kernels = new() { ["generated"] = Product(0), ["quick"] = Product(0), ["other"] = Product(0), ["wrong"] = Product(0.5f) };
        Dictionary<string, double> times = new() { ["generated"] = 0.5, ["quick"] = 0.25, ["other"] = 0.3, ["wrong"] = 0.1 };
        Tactic[] tactics = [Tactic(step, "generated"), Tactic(step, "wrong"), Tactic(step, "quick"), Tactic(step, "other")];
        using DeviceTimer timer = Timer(kernels, times, budget: 1000);
        // None of the time is this region's: what is wrong counts for nothing.
        IReadOnlyList<TacticTime?> measured = timer.Measure(TacticPrograms.Scale(out _), step, tactics, [1, 2, 0, 3], 0, CancellationToken.None)!;
        Assert.Equal([0.5, 0, 0.25, null], measured.Select(m => m?.MedianMs));
        Assert.Equal(3, timer.Timed);
        Assert.Equal([0.5, 0, 0.25, 0.3], timer.Measure(TacticPrograms.Scale(out _), step, tactics, [1, 2, 0, 3], 1, CancellationToken.None)!.Select(m => m?.MedianMs));
        using DeviceTimer late = Timer(kernels, times, "another device", budget: 0);
        Assert.Null(late.MeasureAll(TacticPrograms.Scale(out _), step, tactics, CancellationToken.None));
        Assert.Equal(0, late.Timed);
    }

    [Fact]
    public void What_one_launch_shows_to_be_far_slower_is_not_launched_again()
    {
        RegionStep step = Step();
        Dictionary<string, NullKernelBody> kernels = new() { ["generated"] = Product(0), ["quick"] = Product(0) };
        List<NullDevice> devices = [];
        using DeviceTimer timer = Timer(kernels, new() { ["generated"] = 2, ["quick"] = 0.25 }, opened: devices);
        Assert.Equal([0.25, 2.0], timer.MeasureAll(TacticPrograms.Scale(out _), step, [Tactic(step, "quick"), Tactic(step, "generated")], CancellationToken.None)!.Select(m => m!.MedianMs));
        NullDevice device = Assert.Single(devices);
        // To be held against, to be checked, to be timed once.
        Assert.InRange(device.Launches.Count(l => l.Name == "generated"), 2, 3);
        Assert.True(device.Launches.Count(l => l.Name == "quick") > 30);
        timer.Dispose();
        Assert.Equal(0, device.LiveResources);
    }

    [Fact]
    public void Large_results_are_compared_on_the_device_and_a_fault_is_named_by_the_host()
    {
        RegionStep step = Step();
        List<NullDevice> devices = [];
        NullKernelBody compare = (_, arguments) =>
        {
            float* x = (float*)arguments.AddressAt(0), y = (float*)arguments.AddressAt(1);
            float scale = arguments.Float32At(3), worst = 0;
            for (long i = 0; i < arguments.Int64At(2); i++)
            {
                if (x[i].Equals(y[i])) continue;
                float d = Math.Abs(x[i] - y[i]);
                worst = Math.Max(worst, float.IsNaN(d) ? float.PositiveInfinity : d / Math.Max(Math.Abs(y[i]), scale));
            }
            *(float*)arguments.AddressAt(4) = worst;
        };
        Dictionary<string, NullKernelBody> kernels = new() { ["generated"] = Product(0), ["quick"] = Product(1e-7f), ["wrong"] = Product(0.5f), ["lazy"] = (_, _) => { }, ["trt_compare_f32"] = compare };
        using DeviceTimer timer = new(new DeviceTimerOptions
        {
            Context = Context with { Symbols = new Dictionary<string, long> { ["n"] = 300_000 } }, Cache = _cache, Environment = "device",
            Open = () =>
            {
                NullDevice device = new() { Kernels = kernels, TimeOf = l => l.Name == "generated" ? 0.5 : 0.25 };
                devices.Add(device);
                return device;
            },
            Compile = source => new CompiledSource(source, "sm_90a", [1], new KernelResources(0, 0, 0, 0, 0)),
            CompareOnDevice = source => new CompiledSource(source, "sm_90a", [2], new KernelResources(0, 0, 0, 0, 0)),
        });
        IReadOnlyList<TacticTime?> measured = timer.MeasureAll(TacticPrograms.Scale(out _), step, [Tactic(step, "quick"), Tactic(step, "wrong"), Tactic(step, "lazy"), Tactic(step, "generated")], CancellationToken.None)!;
        Assert.Equal(0.25, measured[0]!.MedianMs);
        Assert.StartsWith("wrong on random data: element ", measured[1]!.Problem);
        Assert.Contains("is NaN", measured[2]!.Problem);
        Assert.Equal(0.5, measured[3]!.MedianMs);
        Assert.Equal(3, Assert.Single(devices).Launches.Count(l => l.Name == "trt_compare_f32"));
        timer.Dispose();
        Assert.Equal(0, devices[0].LiveResources);
    }

    [Fact]
    public void Kernels_that_compare_compile_for_every_type()
    {
        Tests.Kernels.KernelCompilerTests.NeedCompiler();
        foreach (DataType type in new[] { DataType.Float32, DataType.Float16, DataType.BFloat16, DataType.Int8, DataType.UInt8 })
        {
            CompiledSource compiled = new KernelCompiler().Compile(DeviceComparison.Source(type), "sm_90a");
            Assert.NotEmpty(compiled.Code);
            Assert.False(compiled.Resources.Spills);
        }
    }
}

file static class Timers
{
    /// <summary>In the order given, with all the time there is.</summary>
    public static IReadOnlyList<TacticTime?>? MeasureAll(this DeviceTimer timer, LoweredProgram program, RegionStep step, IReadOnlyList<Tactic> tactics, CancellationToken stop) =>
        timer.Measure(program, step, tactics, [.. Enumerable.Range(0, tactics.Count)], 1, stop);
}
