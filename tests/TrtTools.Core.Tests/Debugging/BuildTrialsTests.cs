using TrtTools.Build;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Tests;

namespace TrtTools.Debugging;

public sealed class BuildTrialsTests
{
    private const string Linear = "x: Float32[n,64] -> y { w = Float32[64,32] random(1); b = Float32[32] random(2); y = Gemm(x, w, b) }";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static readonly BuildOptions Cpu = new() { Device = Engines.DeviceKind.Cpu, OptimizationLevel = 0 },
        Gpu = new() { Device = Engines.DeviceKind.Cuda, OptimizationLevel = 0, Target = new CudaTarget { Name = "a GPU", Capability = 90, Compiles = false, AssumesLibraries = true } };

    private static BuildTrialOptions Options(TestFolder folder, BuildOptions? build = null) => new() { Build = build ?? Cpu, ArtifactPath = folder.File("builds"), Count = 3 };

    private static IReadOnlyList<BuildTrial> Run(BuildTrialOptions options, Func<Engine, CheckVerdict> check) => BuildTrials.Run(TestGraphs.Parse(Linear), "linear", options, check, Report.None, Stop);

    private static Func<Engine, CheckVerdict> Every(int bad)
    {
        int calls = 0;
        return _ => ++calls % bad == 0 ? new CheckVerdict(CheckOutcome.Bad, "the third") : new CheckVerdict(CheckOutcome.Good);
    }

    private static IEnumerable<string> Files(TestFolder folder) => Directory.EnumerateFiles(folder.File("builds"), "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder.File("builds"), f).Replace('\\', '/')).Order(StringComparer.Ordinal);

    [Fact]
    public void Engines_are_sorted_by_the_check()
    {
        using TestFolder folder = new();
        IReadOnlyList<BuildTrial> trials = Run(Options(folder), Every(3));
        Assert.Equal([CheckOutcome.Good, CheckOutcome.Good, CheckOutcome.Bad], trials.Select(t => t.Outcome));
        Assert.Equal(["bad/linear-003.engine", "good/linear-001.engine", "good/linear-002.engine", "replay.json"], Files(folder));
        Assert.Equal("the third", trials[2].Reason);
        using Engine engine = EngineFile.Load(trials[2].Path, Report.None, Stop);
        Assert.Equal("Cpu", engine.Device);
    }

    [Fact]
    public void It_ends_with_the_outcome_that_is_waited_for_or_at_its_limit()
    {
        using TestFolder folder = new();
        Assert.Equal(3, Run(Options(folder) with { Until = CheckOutcome.Bad, Count = 0 }, Every(3)).Count);
        using TestFolder other = new();
        Assert.Single(Run(Options(other) with { Until = CheckOutcome.Good, Count = 0 }, Every(3)));
        using TestFolder limited = new();
        Assert.Equal(2, Run(Options(limited) with { Until = CheckOutcome.Bad, Count = 2 }, Every(3)).Count);
    }

    [Fact]
    public void What_was_stopped_goes_on_and_leaves_nothing_half_done()
    {
        using TestFolder folder = new();
        int calls = 0;
        Assert.Throws<OperationCanceledException>(() => Run(Options(folder), _ => ++calls == 2 ? throw new OperationCanceledException() : new CheckVerdict(CheckOutcome.Good)));
        Assert.Equal(["good/linear-001.engine", "replay.json"], Files(folder));
        IReadOnlyList<BuildTrial> trials = Run(Options(folder), _ => new CheckVerdict(++calls > 0 ? CheckOutcome.Other : CheckOutcome.Good));
        Assert.Equal([true, false, false], trials.Select(t => t.Replayed));
        Assert.Equal([CheckOutcome.Good, CheckOutcome.Other, CheckOutcome.Other], trials.Select(t => t.Outcome));
        Assert.Equal(4, calls);
        Assert.All(trials, t => Assert.True(File.Exists(t.Path), t.Path));
    }

    [Fact]
    public void A_bad_build_names_the_tactics_that_no_good_one_chose()
    {
        using TestFolder folder = new();
        IReadOnlyList<BuildTrial> trials = Run(Options(folder, Gpu), Every(3));
        Assert.All(trials, t => Assert.True(File.Exists(t.TacticLockPath)));
        // All builds are the same without a device, so nothing is suspicious.
        Assert.Empty(trials[2].Suspect);
        string[] lines = File.ReadAllLines(trials[2].TacticLockPath!);
        int at = Array.FindIndex(lines, l => !l.StartsWith('#'));
        string[] parts = lines[at].Split('#');
        File.WriteAllLines(trials[2].TacticLockPath!, [.. lines[..at], $"{parts[0].Split(' ')[0]} other  #{parts[1]}", .. lines[(at + 1)..]]);
        trials = Run(Options(folder, Gpu), _ => throw new InvalidOperationException());
        Assert.EndsWith(": other", Assert.Single(trials[2].Suspect), StringComparison.Ordinal);
        Assert.Empty(trials[0].Suspect);
    }

    [Fact]
    public void What_would_make_all_builds_the_same_is_refused()
    {
        using TestFolder folder = new();
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => Run(Options(folder, Cpu with { TimingCachePath = "t" }), Every(3))).Code);
        Assert.Equal(ErrorCode.OptionInvalid, Assert.Throws<TrtToolsException>(() => Run(Options(folder, Cpu with { TacticLockPath = "t" }), Every(3))).Code);
        Assert.False(Directory.Exists(folder.File("builds")));
    }
}
