using System.Globalization;
using TrtTools.Lowering;

namespace TrtTools.Tactics;

/// <summary>Times a tactic on the device, or says why it is not to be used.</summary>
internal interface ITacticTimer
{
    /// <summary>What will be asked for, so that it can be made ready meanwhile.</summary>
    void Announce(IEnumerable<(Region Region, IReadOnlyList<Tactic> Tactics)> regions, CancellationToken stop) { }

    /// <summary>A time for each of the tactics, all of one region, in their order; null where the region cannot be timed, or time is up.</summary>
    IReadOnlyList<TacticTime>? Measure(LoweredProgram program, RegionStep step, IReadOnlyList<Tactic> tactics, CancellationToken stop);
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

/// <summary>Chooses a tactic for each distinct region of a program: the one that the lock names, else the fastest on the device, else the first that is offered.</summary>
internal sealed class TacticSelection
{
    private readonly IReadOnlyList<ITacticSource> _sources;
    private readonly TacticContext _context;
    private readonly Dictionary<string, RegionChoice> _choices = new(StringComparer.Ordinal);

    /// <param name="sources">In the order of preference that holds where nothing is timed, and between ties.</param>
    public TacticSelection(IReadOnlyList<ITacticSource> sources, TacticContext context) => (_sources, _context) = (sources, context);

    public ITacticTimer? Timer { get; init; }

    public TacticLock? Lock { get; init; }

    public Report Report { get; init; } = Report.None;

    public PhaseClock Clock { get; init; } = new();

    /// <summary>Makes of a chosen tactic what the plan keeps.</summary>
    public Func<Tactic, Tactic> Settle { get; init; } = static t => t;

    /// <summary>What was chosen so far, by the region's key.</summary>
    public IReadOnlyDictionary<string, RegionChoice> Choices => _choices;

    public IReadOnlyDictionary<RegionStep, ChosenStep> Choose(LoweredProgram program, CancellationToken stop)
    {
        Dictionary<RegionStep, ChosenStep> chosen = [];
        List<IGrouping<string, RegionStep>> groups = [.. program.Steps.OfType<RegionStep>().GroupBy(s => RegionKey.Of(s.Region), StringComparer.Ordinal)];
        Region[] ahead = [.. groups.Where(g => !_choices.ContainsKey(g.Key)).Select(g => g.First().Region)];
        foreach (ITacticSource source in _sources) source.Prepare(ahead, _context, stop);
        // What is ours is compiled while libraries are asked.
        Dictionary<(string Key, ITacticSource Source), List<Offer>> own = [];
        using (Clock.Time("own offers"))
        {
            foreach (IGrouping<string, RegionStep> group in groups.Where(g => !_choices.ContainsKey(g.Key)))
            {
                stop.ThrowIfCancellationRequested();
                foreach (ITacticSource source in _sources.Where(s => !s.IsLibrary)) own.Add((group.Key, source), [.. source.Offers(group.First().Region, _context).Select(Limit)]);
            }
        }
        Timer?.Announce(groups.Where(g => !_choices.ContainsKey(g.Key) && Lock?.Find(g.Key) is null).Select(g =>
            (g.First().Region, (IReadOnlyList<Tactic>)[.. _sources.Where(s => !s.IsLibrary).SelectMany(s => own[(g.Key, s)]).Select(o => o.Tactic).OfType<Tactic>()])), stop);
        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        for (int i = 0; i < groups.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            (string key, RegionStep first) = (groups[i].Key, groups[i].First());
            if (!_choices.TryGetValue(key, out RegionChoice? choice))
            {
                List<Offer> offers = [.. _sources.SelectMany(s => s.IsLibrary ? s.Offers(first.Region, _context).Select(Limit) : own[(key, s)])];
                _choices.Add(key, choice = ChooseFor(program, first, key, offers, stop));
            }
            using (Clock.Time("offers of equal regions"))
            {
                foreach (RegionStep step in groups[i]) chosen.Add(step, new ChosenStep(step, Settle(Offer(step.Region, choice.Tactic))) { Choice = choice });
            }
            TimeSpan remaining = clock.Elapsed / (i + 1) * (groups.Count - i - 1);
            Report.Progress(Timer is null ? "Choosing tactics" : "Timing tactics", $"{program.Name}: region {i + 1} of {groups.Count}", (i + 1.0) / groups.Count, remaining);
        }
        return chosen;
    }

    private RegionChoice ChooseFor(LoweredProgram program, RegionStep step, string key, IReadOnlyList<Offer> offers, CancellationToken stop)
    {
        string name = step.Region.ToString();
        List<Tactic> tactics = [.. offers.Select(o => o.Tactic).OfType<Tactic>()];
        if (Lock?.Find(key) is { } locked)
        {
            if (!tactics.Any(t => string.Equals(t.Name, locked, StringComparison.Ordinal))) throw Lock.NotToBeHad(key, locked, name, offers);
            return new RegionChoice(key, locked, [.. offers.Select(o => new Candidate(o.Name, null, o.Reason))]);
        }
        if (tactics.Count == 0) throw new InvalidOperationException($"Nothing runs the region {name}: {string.Join("; ", offers)}.");
        IReadOnlyList<TacticTime>? times = tactics.Count > 1 ? Timer?.Measure(program, step, tactics, stop) : null;
        List<Candidate> candidates = [.. offers.Select(o => o.Tactic is null ? new Candidate(o.Name, null, o.Reason)
            : times?[tactics.IndexOf(o.Tactic)] is { } time ? new Candidate(o.Name, time, time.Problem) : new Candidate(o.Name, null, ""))];
        Tactic best = times is null ? tactics[0] : tactics[Fastest(times, tactics, name)];
        Lock?.Add(key, best.Name, name);
        foreach (Candidate candidate in candidates) Report.Debug($"{name} {key}: {candidate}");
        Report.Verbose($"{name}: {best.Name}{(times is null ? "" : string.Create(CultureInfo.InvariantCulture, $", {times[tactics.IndexOf(best)].MedianMs:0.#####} ms, of {tactics.Count} candidates"))}.");
        return new RegionChoice(key, best.Name, candidates) { MedianMs = times is null ? 0 : times[tactics.IndexOf(best)].MedianMs };
    }

    /// <summary>More than this is worth having even where noise could explain it.</summary>
    private const double TieRatio = 1.02;

    /// <summary>The first that is nearly as fast as the fastest and whose interval reaches down to its: noise does not decide.</summary>
    private static int Fastest(IReadOnlyList<TacticTime> times, IReadOnlyList<Tactic> tactics, string region)
    {
        int fastest = -1;
        for (int i = 0; i < times.Count; i++)
        {
            if (times[i].IsUsable && (fastest < 0 || times[i].MedianMs < times[fastest].MedianMs)) fastest = i;
        }
        if (fastest < 0) throw new TrtToolsException(ErrorCode.InternalError, region, $"none of its {tactics.Count} tactics gives the right result: {string.Join("; ", tactics.Select((t, i) => $"{t.Name}: {times[i].Problem}"))}", "", "Report this with the model; -TacticLockPath names a tactic without timing it");
        for (int i = 0; i < fastest; i++)
        {
            if (times[i].IsUsable && times[i].LowMs <= times[fastest].HighMs && times[i].MedianMs <= times[fastest].MedianMs * TieRatio) return i;
        }
        return fastest;
    }

    private Offer Limit(Offer offer) => offer.Tactic is { } tactic && tactic.WorkspaceBytes > _context.WorkspaceLimit
        ? Tactics.Offer.Rejected(offer.Name, string.Create(CultureInfo.InvariantCulture, $"it needs {tactic.WorkspaceBytes / 1048576.0:0.##} MB of workspace, the limit is {_context.WorkspaceLimit / 1048576.0:0.##} MB")) : offer;

    private Tactic Offer(Region region, string name) => _sources.Where(s => name.StartsWith(s.Prefix, StringComparison.Ordinal)).SelectMany(s => s.Offers(region, _context)).FirstOrDefault(o => string.Equals(o.Name, name, StringComparison.Ordinal))?.Tactic
        ?? throw new InvalidOperationException($"The tactic {name} was offered for a region like {region}, but not for this one.");
}
