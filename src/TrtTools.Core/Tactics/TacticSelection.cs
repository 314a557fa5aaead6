using System.Globalization;
using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>Times a tactic on the device, or says why it is not to be used.</summary>
internal interface ITacticTimer
{
    /// <summary>What will be asked for, so that it can be made ready meanwhile.</summary>
    void Announce(IEnumerable<(Region Region, IReadOnlyList<Tactic> Tactics)> regions, CancellationToken stop) { }

    /// <summary>A time for each of the tactics, all of one region, in their order; null for those that time did not suffice for. Null where the region cannot be timed, or time is up.</summary>
    /// <param name="order">The tactics' numbers in the order in which they are worth measuring.</param>
    /// <param name="share">Of the time that is left for timing; two are measured even where it takes longer.</param>
    IReadOnlyList<TacticTime?>? Measure(LoweredProgram program, RegionStep step, IReadOnlyList<Tactic> tactics, IReadOnlyList<int> order, double share, CancellationToken stop);
}

/// <summary>What was known of one candidate when its region's tactic was chosen.</summary>
internal sealed record Candidate(string Name, TacticTime? Time, string Reason)
{
    public override string ToString() => Reason.Length > 0 ? $"{Name}: {Reason}" : Time is { } time ? string.Create(CultureInfo.InvariantCulture, $"{Name}: {time.MedianMs:0.#####} ms") : $"{Name}: not timed";
}

/// <summary>The tactic of one distinct region, with what it was chosen from.</summary>
internal sealed record RegionChoice(string Key, string Tactic, IReadOnlyList<Candidate> Candidates)
{
    public double MedianMs { get; init; }
}

/// <summary>Chooses a tactic for each distinct region of a program: the one that the lock names, else the fastest on the device, else the one that the model expects to be the fastest.</summary>
internal sealed class TacticSelection
{
    private readonly IReadOnlyList<ITacticSource> _sources;
    private readonly TacticContext _context;
    private readonly Dictionary<string, RegionChoice> _choices = new(StringComparer.Ordinal);

    /// <param name="sources">In the order of preference that holds between ties.</param>
    public TacticSelection(IReadOnlyList<ITacticSource> sources, TacticContext context) => (_sources, _context) = (sources, context);

    public ITacticTimer? Timer { get; init; }

    public TacticLock? Lock { get; init; }

    /// <summary>The optimization profile that is chosen for: the lock has lines for each.</summary>
    public int Profile { get; init; }

    public Report Report { get; init; } = Report.None;

    public PhaseClock Clock { get; init; } = new();

    /// <summary>Makes of a chosen tactic what the plan keeps.</summary>
    public Func<Tactic, Tactic> Settle { get; init; } = static t => t;

    /// <summary>What was chosen so far, by the region's key.</summary>
    public IReadOnlyDictionary<string, RegionChoice> Choices => _choices;

    public IReadOnlyDictionary<RegionStep, ChosenStep> Choose(LoweredProgram program, CancellationToken stop)
    {
        Dictionary<RegionStep, ChosenStep> chosen = [];
        List<IGrouping<string, RegionStep>> groups = [.. program.Steps.OfType<RegionStep>().GroupBy(s => RegionKey.Of(s.Region, Profile), StringComparer.Ordinal)];
        List<OpenRegion> open = [.. groups.Where(g => !_choices.ContainsKey(g.Key)).Select(g => new OpenRegion(g.Key, g.First(), g.Count(), ExpectedTime.Of(g.First().Region, _context)))];
        // What takes longest is looked at first, and its kernels are compiled first.
        open = [.. open.OrderByDescending(o => o.Expected.Milliseconds * o.Count)];
        Region[] ahead = [.. open.Select(o => o.Step.Region)];
        foreach (ITacticSource source in _sources) source.Prepare(ahead, _context, stop);
        // What is ours is compiled while libraries are asked.
        using (Clock.Time("own offers"))
        {
            foreach (OpenRegion region in open)
            {
                stop.ThrowIfCancellationRequested();
                foreach (ITacticSource source in _sources.Where(s => !s.IsLibrary)) region.Offers.Add(source, OffersOf(source, region));
            }
        }
        Timer?.Announce(open.Where(o => Lock?.Find(o.Key) is null).Select(o => (o.Step.Region, (IReadOnlyList<Tactic>)[.. Worthwhile(o).Select(r => r.Tactic)])), stop);
        double left = open.Sum(o => o.Expected.Milliseconds * o.Count);
        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        for (int i = 0; i < open.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            OpenRegion region = open[i];
            foreach (ITacticSource source in _sources.Where(s => s.IsLibrary)) region.Offers.Add(source, OffersOf(source, region));
            // Some of the time for timing is shared out evenly: short regions have as many candidates.
            double weight = region.Expected.Milliseconds * region.Count, share = (0.7 * weight / Math.Max(left, double.Epsilon)) + (0.3 / (open.Count - i));
            left -= weight;
            _choices.Add(region.Key, ChooseFor(program, region, share, stop));
            TimeSpan remaining = clock.Elapsed / (i + 1) * (open.Count - i - 1);
            Report.Progress(Timer is null ? "Choosing tactics" : "Timing tactics", $"{program.Name}: region {i + 1} of {open.Count}", (i + 1.0) / open.Count, remaining);
        }
        using (Clock.Time("offers of equal regions"))
        {
            foreach (IGrouping<string, RegionStep> group in groups)
            {
                stop.ThrowIfCancellationRequested();
                RegionChoice choice = _choices[group.Key];
                foreach (RegionStep step in group) chosen.Add(step, new ChosenStep(step, Settle(Offer(step.Region, choice.Tactic))) { Choice = choice });
            }
        }
        return chosen;
    }

    /// <summary>A distinct region whose tactic is to be chosen.</summary>
    private sealed record OpenRegion(string Key, RegionStep Step, int Count, ExpectedTime Expected)
    {
        public Dictionary<ITacticSource, List<(Offer Offer, double Expected)>> Offers { get; } = [];
    }

    private List<(Offer Offer, double Expected)> OffersOf(ITacticSource source, OpenRegion region)
    {
        int place = 0;
        return [.. source.Offers(region.Step.Region, _context).Select(Limit).Select(o => (o, o.Tactic is { } tactic ? region.Expected.Of(tactic, place++) : double.PositiveInfinity))];
    }

    /// <summary>Candidates that are far from the best by the model are left out, but for the best of each source, three in all, and the generated kernels, which are run anyway. Likely fast ones first.</summary>
    private List<(Tactic Tactic, double Expected)> Worthwhile(OpenRegion region)
    {
        List<(Tactic Tactic, double Expected, bool First)> all = [];
        foreach (ITacticSource source in _sources)
        {
            if (!region.Offers.TryGetValue(source, out List<(Offer Offer, double Expected)>? offers)) continue;
            (Offer Offer, double Expected)[] usable = [.. offers.Where(o => o.Offer.Tactic is not null)];
            double best = usable.Length == 0 ? 0 : usable.Min(o => o.Expected);
            bool first = true;
            foreach ((Offer offer, double expected) in usable)
            {
                all.Add((offer.Tactic!, expected, first && expected == best || string.Equals(offer.Name, GeneratedTactics.TacticName, StringComparison.Ordinal)));
                if (expected == best) first = false;
            }
        }
        (Tactic Tactic, double Expected, bool First)[] sorted = [.. all.OrderBy(a => a.Expected)];
        return [.. sorted.Where((a, i) => _context.Thorough || i < FewestTimed || a.First || a.Expected <= PruneRatio * sorted[0].Expected).Select(a => (a.Tactic, a.Expected))];
    }

    private RegionChoice ChooseFor(LoweredProgram program, OpenRegion region, double share, CancellationToken stop)
    {
        string name = region.Step.Region.ToString(), key = region.Key;
        List<(Offer Offer, double Expected)> offers = [.. _sources.SelectMany(s => region.Offers[s])];
        List<Tactic> tactics = [.. offers.Select(o => o.Offer.Tactic).OfType<Tactic>()];
        if (Lock?.Find(key) is { } locked)
        {
            if (!tactics.Any(t => string.Equals(t.Name, locked, StringComparison.Ordinal))) throw Lock.NotToBeHad(key, locked, name, [.. offers.Select(o => o.Offer)]);
            return new RegionChoice(key, locked, [.. offers.Select(o => new Candidate(o.Offer.Name, null, o.Offer.Reason))]);
        }
        if (tactics.Count == 0) throw new InvalidOperationException($"Nothing runs the region {name}: {string.Join("; ", offers.Select(o => o.Offer))}.");
        List<(Tactic Tactic, double Expected)> worthwhile = Worthwhile(region);
        // In the order of the offers, which decides between ties.
        List<Tactic> timed = [.. tactics.Where(t => worthwhile.Any(w => ReferenceEquals(w.Tactic, t)))];
        int[] order = [.. worthwhile.Select(w => timed.FindIndex(t => ReferenceEquals(t, w.Tactic)))];
        IReadOnlyList<TacticTime?>? times = timed.Count > 1 ? Timer?.Measure(program, region.Step, timed, order, share, stop) : null;
        // What nothing is known of may still be right where everything that was measured is wrong.
        bool decided = times is not null && (times.Any(t => t is { IsUsable: true }) || times.All(t => t is not null));
        Tactic best = decided ? timed[Fastest(times!, timed, name)] : worthwhile.First(w => times?[timed.IndexOf(w.Tactic)] is null).Tactic;
        double? median = times?[timed.IndexOf(best)]?.MedianMs;
        List<Candidate> candidates = [.. offers.Select(o => CandidateOf(o.Offer, o.Expected, timed, times))];
        Lock?.Add(key, best.Name, name);
        foreach (Candidate candidate in candidates) Report.Debug($"{name} {key}: {candidate}");
        Report.Verbose($"{name}: {best.Name}{(median is null ? "" : string.Create(CultureInfo.InvariantCulture, $", {median:0.#####} ms, of {tactics.Count} candidates"))}.");
        return new RegionChoice(key, best.Name, candidates) { MedianMs = median ?? 0 };
    }

    private Candidate CandidateOf(Offer offer, double expected, List<Tactic> timed, IReadOnlyList<TacticTime?>? times)
    {
        if (offer.Tactic is null) return new Candidate(offer.Name, null, offer.Reason);
        int index = timed.FindIndex(t => ReferenceEquals(t, offer.Tactic));
        if (index < 0 && Timer is not null) return new Candidate(offer.Name, null, string.Create(CultureInfo.InvariantCulture, $"not timed, expected to take {expected:0.####} ms"));
        return index >= 0 && times?[index] is { } time ? new Candidate(offer.Name, time, time.Problem) : new Candidate(offer.Name, null, "");
    }

    /// <summary>Candidates that the model expects to take longer than so many times the best are not timed, where there are enough others.</summary>
    private const double PruneRatio = 2;
    private const int FewestTimed = 3;

    /// <summary>More than this is worth having even where noise could explain it.</summary>
    private const double TieRatio = 1.02;

    /// <summary>The first that is nearly as fast as the fastest and whose interval reaches down to its: noise does not decide.</summary>
    private static int Fastest(IReadOnlyList<TacticTime?> times, IReadOnlyList<Tactic> tactics, string region)
    {
        int fastest = -1;
        for (int i = 0; i < times.Count; i++)
        {
            if (times[i] is { IsUsable: true } time && (fastest < 0 || time.MedianMs < times[fastest]!.MedianMs)) fastest = i;
        }
        if (fastest < 0) throw new TrtToolsException(ErrorCode.InternalError, region, $"none of its {tactics.Count} tactics gives the right result: {string.Join("; ", tactics.Select((t, i) => $"{t.Name}: {times[i]?.Problem ?? "not timed"}"))}", "", "Report this with the model; -TacticLockPath names a tactic without timing it");
        for (int i = 0; i < fastest; i++)
        {
            if (times[i] is { IsUsable: true } time && time.LowMs <= times[fastest]!.HighMs && time.MedianMs <= times[fastest]!.MedianMs * TieRatio) return i;
        }
        return fastest;
    }

    private Offer Limit(Offer offer) => offer.Tactic is { } tactic && tactic.WorkspaceBytes > _context.WorkspaceLimit
        ? Tactics.Offer.Rejected(offer.Name, string.Create(CultureInfo.InvariantCulture, $"it needs {tactic.WorkspaceBytes / 1048576.0:0.##} MB of workspace, the limit is {_context.WorkspaceLimit / 1048576.0:0.##} MB")) : offer;

    private Tactic Offer(Region region, string name) => _sources.Where(s => name.StartsWith(s.Prefix, StringComparison.Ordinal)).SelectMany(s => s.Offers(region, _context)).FirstOrDefault(o => string.Equals(o.Name, name, StringComparison.Ordinal))?.Tactic
        ?? throw new InvalidOperationException($"The tactic {name} was offered for a region like {region}, but not for this one.");
}
