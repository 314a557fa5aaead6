using TrtTools.Lowering;
using TrtTools.Tensors;
using TrtTools.Tests;
using static TrtTools.Tactics.Contractions;

namespace TrtTools.Tactics;

public sealed class TacticSelectionTests
{
    private static readonly TacticContext Context = new() { Architecture = "sm_90a", Capability = 90, Symbols = new Dictionary<string, long>() };

    private sealed class Source(string name, params Offer[] offers) : ITacticSource
    {
        public string Name => name;

        public bool IsLibrary => false;

        public IEnumerable<Offer> Offers(Region region, TacticContext context) => offers;
    }

    private sealed class Timer(Dictionary<string, TacticTime> times) : ITacticTimer
    {
        public int Calls { get; private set; }

        public List<(string Region, string Order, double Share)> Asked { get; } = [];

        public IReadOnlyList<TacticTime?> Measure(LoweredProgram program, RegionStep step, IReadOnlyList<Tactic> tactics, IReadOnlyList<int> order, double share, CancellationToken stop)
        {
            Calls++;
            Asked.Add((step.Region.Facts is MatMulFacts facts ? facts.B.Shape[1].Text : "", string.Join(' ', order.Select(i => tactics[i].Name)), share));
            return [.. tactics.Select(t => times.GetValueOrDefault(t.Name))];
        }
    }

    private static Offer Tactic(string name, long workspace = 0, double cycles = 0) => Offer.Of(new Tactic { Name = name, Launches = [], WorkspaceBytes = workspace, ExpectedCycles = cycles });

    private static TacticTime Time(double median, double spread = 0.001) => new(median, median - spread, median + spread);

    private static TacticTime Wrong(string problem) => new(0, 0, 0, problem);

    private static LoweredProgram Program(int regions)
    {
        List<LoweredStep> steps = [];
        for (int i = 0; i < regions; i++)
        {
            // The last one differs in its shape.
            long n = i == regions - 1 ? 48 : 32;
            steps.Add(new RegionStep(MatMul(View($"x{i}", DataType.Float16, StorageKind.Scratch, [8, 64]), View($"w{i}", DataType.Float16, StorageKind.Weight, [64, n]), View($"y{i}", DataType.Float16, StorageKind.Scratch, [8, n]))));
        }
        return new LoweredProgram { Name = "p", Inputs = [], Outputs = [], Symbols = [], Steps = steps };
    }

    private static string Chosen(ITacticSource source, ITacticTimer? timer, out TacticSelection selection, TacticLock? locked = null)
    {
        selection = new TacticSelection([source], Context) { Timer = timer, Lock = locked };
        return string.Join(' ', selection.Choose(Program(1), CancellationToken.None).Values.Select(c => c.Tactic.Name));
    }

    [Fact]
    public void The_fastest_right_one_wins_and_the_others_keep_their_reasons()
    {
        Source source = new("s", Tactic("a"), Offer.Rejected("b", "it cannot"), Tactic("c"), Tactic("d"));
        Timer timer = new(new() { ["a"] = Time(3), ["c"] = Wrong("off by 0.5"), ["d"] = Time(1) });
        Assert.Equal("d", Chosen(source, timer, out TacticSelection selection));
        RegionChoice choice = Assert.Single(selection.Choices.Values);
        Assert.Equal(["a: 3 ms", "b: it cannot", "c: off by 0.5", "d: 1 ms"], choice.Candidates.Select(c => c.ToString()));
        Assert.Equal(1, choice.MedianMs);
    }

    [Fact]
    public void Of_ties_the_first_offered_wins()
    {
        Source source = new("s", Tactic("slow"), Tactic("first"), Tactic("second"));
        Assert.Equal("first", Chosen(source, new Timer(new() { ["slow"] = Time(2), ["first"] = Time(1.0015), ["second"] = Time(1) }), out _));
        Assert.Equal("second", Chosen(source, new Timer(new() { ["slow"] = Time(2), ["first"] = Time(1.0025), ["second"] = Time(1) }), out _));
    }

    [Fact]
    public void A_wide_interval_makes_no_tie_of_what_is_much_slower() =>
        Assert.Equal("second", Chosen(new Source("s", Tactic("first"), Tactic("second")), new Timer(new() { ["first"] = Time(1.1, 0.2), ["second"] = Time(1, 0.2) }), out _));

    [Fact]
    public void Without_a_timer_the_first_offered_is_taken() => Assert.Equal("b", Chosen(new Source("s", Offer.Rejected("a", "no"), Tactic("b"), Tactic("c")), null, out _));

    [Fact]
    public void Where_nothing_is_timed_the_one_that_is_expected_to_be_the_fastest_is_taken()
    {
        Assert.Equal("b", Chosen(new Source("s", Tactic("a", cycles: 90_000), Tactic("b", cycles: 20_000), Tactic("c", cycles: 50_000)), null, out _));
        // Nor where time did not suffice for more than what is wrong.
        Assert.Equal("c", Chosen(new Source("s", Tactic("a", cycles: 90_000), Tactic("b", cycles: 20_000), Tactic("c", cycles: 50_000)), new Timer(new() { ["b"] = Wrong("NaN") }), out _));
        Assert.Equal("a", Chosen(new Source("s", Tactic("a", cycles: 90_000), Tactic("b", cycles: 20_000), Tactic("c", cycles: 50_000)), new Timer(new() { ["b"] = Wrong("NaN"), ["a"] = Time(3) }), out _));
    }

    [Fact]
    public void What_is_expected_to_be_far_slower_is_not_timed_and_says_so()
    {
        Source source = new("s", Tactic("slow", cycles: 90_000), Tactic("a", cycles: 20_000), Tactic("b", cycles: 22_000), Tactic("c", cycles: 30_000), Tactic("far", cycles: 85_000)), other = new("t", Tactic("its best", cycles: 95_000), Tactic("its second", cycles: 96_000), Tactic("generated", cycles: 900_000));
        Timer timer = new(new() { ["a"] = Time(2), ["b"] = Time(1), ["c"] = Time(3), ["its best"] = Time(4), ["generated"] = Time(9) });
        TacticSelection selection = new([source, other], Context) { Timer = timer };
        selection.Choose(Program(1), CancellationToken.None);
        Assert.Equal("a b c its best generated", Assert.Single(timer.Asked).Order);
        RegionChoice choice = selection.Choices.Values.Single();
        Assert.Equal("b", choice.Tactic);
        Assert.StartsWith("slow: not timed, expected to take 0.05", choice.Candidates[0].ToString());
        Timer all = new(new() { ["b"] = Time(1) });
        new TacticSelection([source, other], Context with { Thorough = true }) { Timer = all }.Choose(Program(1), CancellationToken.None);
        Assert.Equal("a b c far slow its best its second generated", Assert.Single(all.Asked).Order);
    }

    [Fact]
    public void Time_is_shared_out_by_what_regions_are_expected_to_take_all_together()
    {
        Timer timer = new(new() { ["a"] = Time(1), ["b"] = Time(2) });
        new TacticSelection([new Source("s", Tactic("a"), Tactic("b"))], Context) { Timer = timer }.Choose(Program(5), CancellationToken.None);
        // Four equal ones of 32 columns stand for more than one of 48.
        Assert.Equal(["32", "48"], timer.Asked.Select(a => a.Region));
        Assert.InRange(timer.Asked[0].Share, 0.6, 0.8);
        Assert.Equal(1, timer.Asked[1].Share, 9);
    }

    [Fact]
    public void One_wrong_candidate_after_another_is_an_error_that_names_them()
    {
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Chosen(new Source("s", Tactic("a"), Tactic("b")), new Timer(new() { ["a"] = Wrong("NaN"), ["b"] = Wrong("off by 1") }), out _));
        Assert.Contains("a: NaN; b: off by 1", e.Message);
    }

    [Fact]
    public void Scratch_memory_above_the_limit_is_a_reason()
    {
        Assert.Equal("b", Chosen(new Source("s", Tactic("a", 48 << 20), Tactic("b")), null, out TacticSelection selection));
        Assert.Equal("it needs 48 MB of workspace, the limit is 32 MB", selection.Choices.Values.Single().Candidates[0].Reason);
    }

    [Fact]
    public void Equal_regions_are_timed_once()
    {
        Timer timer = new(new() { ["a"] = Time(1), ["b"] = Time(2) });
        TacticSelection selection = new([new Source("s", Tactic("a"), Tactic("b"))], Context) { Timer = timer };
        Assert.Equal(5, selection.Choose(Program(5), CancellationToken.None).Count);
        Assert.Equal(2, timer.Calls);
        selection.Choose(Program(5), CancellationToken.None);
        Assert.Equal(2, timer.Calls);
    }

    [Fact]
    public void The_key_says_what_is_computed_and_no_names()
    {
        Region One(string names, long n, string type = "w") => MatMul(View("x" + names, DataType.Float16, StorageKind.Scratch, [8, 64]), View("w" + names, DataType.Float16, type == "w" ? StorageKind.Weight : StorageKind.Scratch, [64, n]), View("y", DataType.Float16, StorageKind.Scratch, [8, n]));
        Assert.Equal(RegionKey.Of(One("a", 32)), RegionKey.Of(One("b", 32)));
        Assert.NotEqual(RegionKey.Of(One("a", 32)), RegionKey.Of(One("a", 48)));
        Assert.NotEqual(RegionKey.Of(One("a", 32)), RegionKey.Of(One("a", 32, "scratch")));
    }

    [Fact]
    public void The_lock_is_written_and_then_obeyed()
    {
        using TestFolder folder = new();
        string path = folder.File("tactics.lock");
        Source source = new("s", Tactic("a"), Tactic("b 1x2"), Offer.Rejected("c", "needs sm_100"));
        Timer timer = new(new() { ["a"] = Time(2), ["b 1x2"] = Time(1) });
        TacticLock written = TacticLock.Read(path);
        Assert.Equal("b 1x2", Chosen(source, timer, out TacticSelection selection, written));
        written.Save();
        string key = selection.Choices.Keys.Single();
        string text = File.ReadAllText(path);
        Assert.Contains($"\n{key} b 1x2  # matmul (MatMul)\n", text);

        File.WriteAllText(path, text.Replace($"{key} b 1x2", $"{key} a", StringComparison.Ordinal));
        TacticLock read = TacticLock.Read(path);
        Assert.Equal("a", Chosen(source, timer, out _, read));
        Assert.Equal(1, timer.Calls);
        DateTime before = File.GetLastWriteTimeUtc(path);
        read.Save();
        Assert.Equal(before, File.GetLastWriteTimeUtc(path));

        File.WriteAllText(path, $"{key} c\n");
        TrtToolsException e = Assert.Throws<TrtToolsException>(() => Chosen(source, timer, out _, TacticLock.Read(path)));
        Assert.Contains("'c'", e.Message);
        Assert.Contains("needs sm_100", e.Message);
        File.WriteAllText(path, "# nothing\nnonsense\n");
        Assert.Contains("line 2", Assert.Throws<TrtToolsException>(() => TacticLock.Read(path)).Message);
    }

    [Fact]
    public void The_timing_cache_keeps_foreign_entries_and_survives_damage()
    {
        using TestFolder folder = new();
        string path = folder.File("times.json");
        TimingCache first = TimingCache.Read(path, Report.None);
        first.Add("mine", Time(1.5));
        first.Add("theirs", Wrong("off"));
        first.Save();
        TimingCache second = TimingCache.Read(path, Report.None);
        Assert.Equal(Time(1.5), second.Find("mine"));
        Assert.Null(second.Find("other"));
        Assert.False(second.Find("theirs")!.IsUsable);
        second.Add("new", Time(2));
        second.AddAnswer("a question", [new Launch.LibraryCandidate([1, 2], 64) { Name = "e4" }]);
        second.Save();
        Launch.LibraryCandidate kept = Assert.Single(TimingCache.Read(path, Report.None).FindAnswer("a question")!);
        Assert.Equal(("e4", 64L), (kept.Name, kept.WorkspaceBytes));
        Assert.Equal([1, 2], kept.Algorithm);
        Assert.Null(TimingCache.Read(path, Report.None).FindAnswer("another question"));
        Assert.Equal(3, TimingCache.Read(path, Report.None).Count);
        byte[] bytes = File.ReadAllBytes(path);
        second.Add("new", Time(2));
        second.Save();
        Assert.Equal(bytes, File.ReadAllBytes(path));

        second.Add("a # key", Wrong("two lines\nand a # in it"), "a comment # with one");
        second.AddPlan("a call", [.. Enumerable.Range(0, 5000).Select(i => (byte)(i / 100))]);
        second.AddPlan("a call", [7]);
        second.AddEngine("an engine", [0.5, 0.25]);
        second.Save();
        TimingCache third = TimingCache.Read(path, Report.None);
        Assert.Equal("two lines\nand a # in it", third.Find("a # key")!.Problem);
        // The first that was kept is what an engine was made of.
        Assert.Equal(5000, third.FindPlan("a call")!.Length);
        Assert.Equal([0.5, 0.25], third.FindEngine("an engine")!);
        Assert.Null(third.FindPlan("another call"));
        Assert.Null(third.FindEngine("another"));
        bytes = File.ReadAllBytes(path);
        Assert.True(bytes.Length < 1500);
        third.Add("new", Time(2));
        third.Save();
        Assert.Equal(bytes, File.ReadAllBytes(path));

        string[] lines = File.ReadAllLines(path);
        lines[^1] = lines[^1][..20];
        File.WriteAllLines(path, lines);
        RecordingReport cut = new();
        Assert.Equal(0, TimingCache.Read(path, cut).Count);
        Assert.Contains(cut.Warnings, w => w.Contains(path, StringComparison.Ordinal));
        File.WriteAllText(path, "{ \"Version\": 1, \"Ti");
        RecordingReport report = new();
        Assert.Equal(0, TimingCache.Read(path, report).Count);
        Assert.Contains(report.Warnings, w => w.Contains(path, StringComparison.Ordinal));
    }
}
