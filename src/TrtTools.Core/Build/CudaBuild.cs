using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Google.Protobuf;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Ir;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tactics;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>The stages of a build for a GPU after the graph is in the form that runs: lower, choose tactics, compile kernels, write the plan.</summary>
internal static class CudaBuild
{
    /// <summary>From these levels on both layouts, and rarer candidates, are timed too.</summary>
    private const int BothLayoutsLevel = 3, ThoroughLevel = 4;

    /// <summary>Header and content of the engine: of several whole plans the fastest on the device, where there is one.</summary>
    public static (EngineHeader Header, EngineContent Content) Assemble(BuildContext context)
    {
        CudaTarget target = context.Target!;
        TacticLock? locked = context.Options.TacticLockPath is { } path ? TacticLock.Read(path) : null;
        TimingCache times = TimingCache.Read(context.Options.TimingCachePath, context.Report);
        PhaseClock clock = new();
        using TacticSources sources = TacticSources.Of(target, context.Options, times, clock);
        List<CudaPlan> plans = [];
        try
        {
            foreach (bool channelsLast in Layouts(context)) plans.Add(Make(context, channelsLast, sources, locked, times, clock, plans.Count == 0 ? context.Report : Report.None));
            // INT8 is asked for to be fast: -Best holds it against the plan without it.
            if (context.FloatGraph is not null && context.Options is { Best: true, Int8: false }) plans.Add(BuildStages.WithFloatGraph(context, () => Make(context, Layouts(context)[0], sources, locked, times, clock, Report.None)));
        }
        finally
        {
            // What was timed before the build was stopped need not be timed again.
            times.Save();
        }
        CudaPlan best;
        using (clock.Time("timing whole plans")) best = Fastest(context, plans, times);
        context.Precision = best.Precision;
        if (IsTimed(context)) FillTimes(context, best, times, clock);
        times.Save();
        locked?.Save();
        context.Report.Verbose($"{context.Name}: {clock}.");
        return (best.Header, best.Content);
    }

    /// <summary>Times of layers are of the whole engine: where it was built before with these times, they are as they were.</summary>
    private static void FillTimes(BuildContext context, CudaPlan plan, TimingCache times, PhaseClock clock)
    {
        using PhaseClock.Running running = clock.Time("final profile");
        string key = $"{context.Target!.Environment}/engine {plan.Content.Id}";
        if (times.FindEngine(key) is { } known && plan.TryFillTimes(known)) return;
        context.Begin("timing layers", 0.97);
        if (plan.FillTimes(context)) times.AddEngine(key, plan.Content.Details.Layers.Select(l => l.MedianMs));
    }

    private static bool IsTimed(BuildContext context) => context.Target!.Open is not null && context.Options.OptimizationLevel > 0;

    /// <summary>Tensor cores want channels last in 16 and 8 bits; in FP32 it depends on the model, so both are timed, where anything is.</summary>
    private static bool[] Layouts(BuildContext context)
    {
        if (!context.Graph.Body.NodesWithSubgraphs.Any(n => n.OpType.Contains("Conv", StringComparison.Ordinal))) return [false];
        bool narrow = CudaPrecision.FloatStorage(context.Options) != DataType.Float32 || context.Precision == EnginePrecision.Int8;
        if (!IsTimed(context)) return [narrow];
        return narrow ? context.Options.OptimizationLevel >= ThoroughLevel ? [true, false] : [true] : context.Options.OptimizationLevel >= BothLayoutsLevel ? [false, true] : [false];
    }

    private static CudaPlan Fastest(BuildContext context, IReadOnlyList<CudaPlan> plans, TimingCache cache)
    {
        if (plans.Count == 1 || !IsTimed(context)) return plans[0];
        context.Begin("timing whole plans", 0.95);
        double?[] times = [.. plans.Select(p => Measure(context, p, cache))];
        int best = 0;
        for (int i = 1; i < plans.Count; i++)
        {
            // Less than this is noise, and the first is the one that was asked for.
            if (times[i] is { } time && times[best] is { } least && time * 1.01 < least) best = i;
        }
        context.Report.Verbose($"{context.Name}: {string.Join("; ", plans.Select((p, i) => string.Create(CultureInfo.InvariantCulture, $"{p.Name}: {times[i]:0.####} ms")))}; {plans[best].Name} is taken.");
        return plans[best];
    }

    private static double? Measure(BuildContext context, CudaPlan plan, TimingCache cache)
    {
        string key = $"{context.Target!.Environment}/whole engine {plan.Content.Id}";
        if (cache.Find(key) is { } known) return known.MedianMs;
        if (plan.Measure(context) is not { } time) return null;
        cache.Add(key, new TacticTime(time, time, time), $"{context.Name}: whole, {plan.Name}");
        return time;
    }

    private static CudaPlan Make(BuildContext context, bool channelsLast, TacticSources sources, TacticLock? locked, TimingCache times, PhaseClock clock, Report warnings)
    {
        OnnxGraph graph = context.Form!.Graph;
        context.Begin("lowering", 0.3);
        LoweredProgram program;
        using (clock.Time("lowering")) program = GraphLowering.Lower(graph, Lowering(context, channelsLast), warnings, context.Stop);
        context.Begin(IsTimed(context) ? "timing tactics" : "choosing tactics", 0.4);
        // Each profile has its own shapes to tune for.
        List<IReadOnlyDictionary<RegionStep, ChosenStep>> profiles = [];
        using (clock.Time("choosing tactics"))
        {
            foreach (int profile in context.Profiles.Select(p => p.Index).DefaultIfEmpty(0).Distinct().Order())
            {
                TacticContext tactics = Tactics(context, program, profile);
                using DeviceTimer? timer = Timer(context, tactics, sources, times, clock);
                TacticSelection selection = new(sources.All, tactics)
                {
                    Lock = locked, Profile = profile, Report = context.Report, Timer = timer, Clock = clock,
                    Settle = sources.Answers is { } answers ? tactic => answers.Settle(tactic, tactics, library => sources.Adapter(library, "the build")) : static t => t,
                };
                profiles.Add(selection.Choose(program, context.Stop));
            }
        }
        context.Begin("compiling kernels", 0.7);
        IReadOnlyDictionary<KernelSource, CompiledSource> kernels;
        using (clock.Time("compiling what was chosen")) kernels = Compile(context, profiles.SelectMany(p => p.Values));
        context.Begin("writing the plan", 0.9);
        EngineHeader header;
        EngineContent content;
        using (clock.Time("writing")) (header, content) = Write(context, program, profiles, kernels);
        return new CudaPlan($"{context.Precision.ToString().ToUpperInvariant()}{(channelsLast ? ", channels last" : "")}", context.Precision, header, content);
    }

    /// <summary>Null where nothing is timed: without a device, or at level 0.</summary>
    private static DeviceTimer? Timer(BuildContext context, TacticContext tactics, TacticSources sources, TimingCache times, PhaseClock clock)
    {
        CudaTarget target = context.Target!;
        if (target.Open is not { } open || context.Options.OptimizationLevel == 0) return null;
        KernelCompiler compiler = new(new KernelCache(KernelCache.DefaultFolder));
        return new DeviceTimer(new DeviceTimerOptions
        {
            Context = tactics, Open = open, Compile = source => target.Compiles ? compiler.Compile(source, target.Architecture) : NotCompiled(source, target), Library = sources.Adapter, Cache = times,
            CompareOnDevice = target.OtherDevice is null ? source => compiler.Compile(source, target.Architecture) : null,
            Environment = target.Environment, Answers = sources.Answers, Clock = clock,
            L2Bytes = target.L2Bytes, TimeBudget = context.Options.TimeBudget,
        });
    }

    internal static LoweringOptions Lowering(BuildContext context, bool channelsLast)
    {
        Dictionary<string, Node> originals = context.Form!.Originals;
        LayerPatterns patterns = new(context.Options.LayerPrecision);
        return new LoweringOptions
        {
            FloatStorage = CudaPrecision.FloatStorage(context.Options), ChannelsLast = channelsLast, Strict = context.Options.Strict, MaxShapes = MaxShapes(context),
            Precision = context.Options.LayerPrecision is { Count: > 0 } || context.Guard is not null
                ? nodes => nodes.SelectMany(n => Names(originals, n)).Select(patterns.Find).FirstOrDefault(p => p is not null) is { } precision ? CudaPrecision.Storage(precision)
                    : context.Guard is { } guard && nodes.Any(n => originals.TryGetValue(n, out Node? original) && guard.Keeps(original)) ? DataType.Float32 : null
                : null,
        };
    }

    /// <summary>Names by which a user knows a numbered node.</summary>
    private static IEnumerable<string> Names(Dictionary<string, Node> originals, string node) => originals.TryGetValue(node, out Node? original) ? original.SourceNodes.Append(original.DisplayName) : [];

    /// <param name="profile">Of one profile; null: of all.</param>
    private static Dictionary<string, long[]>? MaxShapes(BuildContext context, int? profile = null) => context.Profiles.Count == 0 ? null
        : context.Profiles.Where(p => profile is null || p.Index == profile).GroupBy(p => p.Input, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Select(p => p.Max).Aggregate((a, b) => [.. a.Zip(b, Math.Max)]), StringComparer.Ordinal);

    private static TacticContext Tactics(BuildContext context, LoweredProgram program, int profile)
    {
        Dictionary<string, long[]> typical = SampleShapes.Typical(context, profile);
        Dictionary<string, long> symbols = new(StringComparer.Ordinal), maximum = new(StringComparer.Ordinal);
        Dictionary<string, long[]>? largest = MaxShapes(context, profile);
        foreach (SymbolSource source in program.Symbols)
        {
            if (typical.GetValueOrDefault(source.Storage.Name) is { } shape) symbols[source.Name] = shape[source.Axis];
            if (largest?.GetValueOrDefault(source.Storage.Name) is { } most) maximum[source.Name] = most[source.Axis];
        }
        CudaTarget target = context.Target!;
        return new TacticContext
        {
            Architecture = target.Architecture, Capability = target.Capability, Multiprocessors = target.Multiprocessors, Tf32 = CudaPrecision.Tf32(context.Options),
            WorkspaceLimit = context.Options.WorkspaceLimit > 0 ? context.Options.WorkspaceLimit : TacticContext.DefaultWorkspaceLimit,
            Symbols = symbols, Maximum = maximum, Thorough = context.Options.OptimizationLevel >= ThoroughLevel,
        };
    }

    private static CompiledSource NotCompiled(KernelSource source, CudaTarget target) => new(source, target.Architecture, [], new KernelResources(0, 0, 0, 0, 0));

    private static IReadOnlyDictionary<KernelSource, CompiledSource> Compile(BuildContext context, IEnumerable<ChosenStep> steps)
    {
        CudaTarget target = context.Target!;
        List<KernelSource> sources = [.. steps.SelectMany(s => s.Tactic.Launches).OfType<KernelTacticLaunch>().Select(l => l.Launch.Source).Distinct()];
        if (!target.Compiles) return sources.ToDictionary(s => s, s => NotCompiled(s, target));
        IReadOnlyDictionary<KernelSource, CompiledSource> compiled = new KernelCompiler(new KernelCache(KernelCache.DefaultFolder)).Compile(sources, target.Architecture, 0, context.Report, context.Stop);
        context.Report.Verbose(string.Create(CultureInfo.InvariantCulture, $"{context.Name}: {compiled.Count} kernels for {target.Architecture}, {compiled.Values.Count(c => c.FromCache)} of them compiled before."));
        return compiled;
    }

    private static (EngineHeader, EngineContent) Write(BuildContext context, LoweredProgram program, IReadOnlyList<IReadOnlyDictionary<RegionStep, ChosenStep>> profiles, IReadOnlyDictionary<KernelSource, CompiledSource> kernels)
    {
        OnnxGraph graph = context.Form!.Graph;
        CudaTarget target = context.Target!;
        BlobStore blobs = new();
        EngineTensor[] inputs = [.. graph.Inputs.Select(i => EngineAssembler.Describe(context.Source, i))], outputs = [.. graph.Outputs.Select(EngineAssembler.Describe)];
        Plan plan = EngineAssembler.NewPlan(context, DeviceKind.Cuda, inputs, outputs);
        plan.ComputeCapability = target.CapabilityText;
        IReadOnlyList<Layer> layers = PlanWriter.Write(program, profiles, kernels, blobs, plan);
        EngineContent content = new() { Plan = plan, PlanBytes = plan.ToByteArray(), Details = new Details(), Blobs = blobs.Content };
        foreach (Layer layer in layers) content.Details.Layers.Add(WithModelNames(layer, context.Form!));
        foreach ((string name, long[] shape) in SampleShapes.Typical(context).OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            if (!inputs.Any(i => i.Name == name && i.Shape.Contains(-1))) continue;
            SampleShape sample = new() { Name = name };
            sample.Shape.Add(shape);
            content.Details.SampleShapes.Add(sample);
        }
        EngineHeader header = new()
        {
            Name = context.Name, Id = content.Id, Device = plan.Device, ComputeCapability = plan.ComputeCapability, Precision = plan.Precision, Inputs = inputs, Outputs = outputs, Profiles = [.. context.Profiles],
        };
        return (header, content);
    }

    /// <summary>A layer is called like the last of the model's nodes that it stands for.</summary>
    private static Layer WithModelNames(Layer layer, CanonicalForm form)
    {
        List<string> nodes = [.. layer.SourceNodes.SelectMany(n => form.Originals.TryGetValue(n, out Node? original) ? original.SourceNodes.Count > 0 ? original.SourceNodes : [original.DisplayName] : []).Distinct(StringComparer.Ordinal)];
        string? last = layer.SourceNodes.Reverse().Select(n => form.Originals.GetValueOrDefault(n)).FirstOrDefault(n => n is not null)?.DisplayName;
        Layer result = layer.Clone();
        if (last is not null) result.Name = last;
        if (layer.Profiles.Count > 0) result.Name += $" (profile {string.Join(", ", layer.Profiles)})";
        result.SourceNodes.Clear();
        result.SourceNodes.Add(nodes);
        LayerTensorNames.Translate(result.Tensors, form);
        return result;
    }
}
