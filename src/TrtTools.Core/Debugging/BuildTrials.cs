using System.Globalization;
using TrtTools.Build;
using TrtTools.Execution;
using TrtTools.Ir;

namespace TrtTools.Debugging;

/// <summary>What Debug-EngineBuild is asked for.</summary>
public sealed record BuildTrialOptions
{
    /// <summary>The build that is repeated; each has a timing cache and a tactic lock of its own.</summary>
    public required BuildOptions Build { get; init; }

    /// <summary>Ends with the first build of this outcome; null: after <see cref="Count"/> builds.</summary>
    public CheckOutcome? Until { get; init; }

    /// <summary>How many builds; with <see cref="Until"/> the most, 0: no limit.</summary>
    public int Count { get; init; }

    /// <summary>The folder that gets good/, bad/ and other/, and the replay file.</summary>
    public required string ArtifactPath { get; init; }

    public string CheckText { get; init; } = "";
}

/// <summary>One build of many.</summary>
public sealed record BuildTrial
{
    public required int Index { get; init; }

    public required CheckOutcome Outcome { get; init; }

    public required string Reason { get; init; }

    /// <summary>The engine's file, in good/, bad/ or other/.</summary>
    public required string Path { get; init; }

    /// <summary>The tactics that this build chose, for Build-Engine -TacticLockPath; null on the CPU, where none are chosen.</summary>
    public required string? TacticLockPath { get; init; }

    public required string? TimingCachePath { get; init; }

    /// <summary>Of a bad build: the tactics that no good build chose.</summary>
    public required string[] Suspect { get; init; }

    public required double Seconds { get; init; }

    /// <summary>An earlier call built it.</summary>
    public required bool Replayed { get; init; }

    public string Model { get; init; } = "";
}

/// <summary>Builds an engine again and again and sorts what comes out: what Debug-EngineBuild runs.</summary>
public static class BuildTrials
{
    public const string Command = "Debug-EngineBuild", ReplayName = "replay.json";

    private const string LockExtension = ".lock", TimingExtension = ".timing";

    /// <param name="name">The artifacts' name.</param>
    /// <param name="check">Called with each engine, which is disposed afterwards.</param>
    public static IReadOnlyList<BuildTrial> Run(OnnxGraph graph, string name, BuildTrialOptions options, Func<Engine, CheckVerdict> check, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(check);
        foreach ((string? given, string option) in new[] { (options.Build.TimingCachePath, "-TimingCachePath"), (options.Build.TacticLockPath, "-TacticLockPath") })
        {
            if (given is not null) throw new TrtToolsException(ErrorCode.OptionInvalid, option, "it would make every build the same", "", "Leave it out: each build has its own, beside its engine");
        }
        EngineBuilder.Check(graph, options.Build);
        Directory.CreateDirectory(options.ArtifactPath);
        string hash = $"{BuildStages.HashGraph(graph)} {string.Join("; ", BuildOptionText.Lines(options.Build))}";
        CheckSession session = new(ReplayFile.Open(Path.Combine(options.ArtifactPath, ReplayName), Command, graph.Name, hash, options.CheckText), 0, report, stop);
        BuildOptions build = options.Build;
        if (build is { Int8: true, CalibrationCache: null } && !Quantization.Quantizer.HasQuantization(graph)) build = build with { CalibrationCache = PrecisionStage.Calibrate(new BuildContext(graph, build, report, stop)), CalibrationData = null };
        List<BuildTrial> trials = [];
        for (int index = 1; options.Count == 0 || index <= options.Count; index++)
        {
            report.Progress("Building again", string.Create(CultureInfo.InvariantCulture, $"{graph.Name}: build {index}{(options.Count > 0 ? $" of {options.Count}" : "")}"), options.Count > 0 ? (index - 1) / (double)options.Count : double.NaN);
            string stem = string.Create(CultureInfo.InvariantCulture, $"{name}-{index:000}");
            CheckVerdict verdict = session.Check($"build {index}", "Build", graph.Body.NodeCount, () => One(graph, build, options.ArtifactPath, stem, index == 1 ? report : Report.None, check, stop));
            string folder = Path.Combine(options.ArtifactPath, verdict.Outcome.ToString().ToLowerInvariant());
            DebugCheck done = session.Checks[^1];
            trials.Add(new BuildTrial
            {
                Index = index, Outcome = verdict.Outcome, Reason = verdict.Reason, Path = Path.Combine(folder, stem + EngineFile.Extension), TacticLockPath = Existing(Path.Combine(folder, stem + LockExtension)), TimingCachePath = Existing(Path.Combine(folder, stem + TimingExtension)),
                Suspect = [], Seconds = done.Seconds, Replayed = done.Replayed, Model = graph.Name,
            });
            if (verdict.Outcome == options.Until) break;
        }
        return Suspects(trials);
    }

    /// <summary>Builds into the folder itself; what the check says decides where the files go. Only then does the replay file know of it.</summary>
    private static CheckVerdict One(OnnxGraph graph, BuildOptions options, string root, string stem, Report report, Func<Engine, CheckVerdict> check, CancellationToken stop)
    {
        string engineFile = Path.Combine(root, stem + EngineFile.Extension), lockFile = Path.Combine(root, stem + LockExtension), timingFile = Path.Combine(root, stem + TimingExtension);
        // Left by a build that was stopped.
        foreach (string file in new[] { engineFile, lockFile, timingFile }) File.Delete(file);
        CheckVerdict verdict;
        try
        {
            using Engine engine = EngineBuilder.Build(graph, options with { TacticLockPath = lockFile, TimingCachePath = timingFile }, report, stop);
            EngineFile.Save(engine, engineFile, force: true);
            verdict = check(engine);
            stop.ThrowIfCancellationRequested();
        }
        catch
        {
            foreach (string file in new[] { engineFile, lockFile, timingFile }) File.Delete(file);
            throw;
        }
        string folder = Path.Combine(root, verdict.Outcome.ToString().ToLowerInvariant());
        Directory.CreateDirectory(folder);
        foreach (string file in new[] { lockFile, timingFile, engineFile })
        {
            if (File.Exists(file)) File.Move(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }
        return verdict;
    }

    private static string? Existing(string path) => File.Exists(path) ? path : null;

    private static List<BuildTrial> Suspects(List<BuildTrial> trials)
    {
        HashSet<string> good = [.. trials.Where(t => t.Outcome == CheckOutcome.Good).SelectMany(Tactics)];
        if (good.Count == 0) return trials;
        return [.. trials.Select(t => t.Outcome == CheckOutcome.Bad ? t with { Suspect = [.. Tactics(t).Where(l => !good.Contains(l)).Select(Readable)] } : t)];
    }

    private static IEnumerable<string> Tactics(BuildTrial trial) => trial.TacticLockPath is null ? [] : File.ReadLines(trial.TacticLockPath).Where(l => l.Length > 0 && l[0] != '#');

    /// <summary>"key tactic  # region" as "region: tactic".</summary>
    private static string Readable(string line)
    {
        string[] parts = line.Split('#', 2);
        string[] words = parts[0].Trim().Split(' ', 2);
        return parts.Length > 1 && words.Length > 1 ? $"{parts[1].Trim()}: {words[1].Trim()}" : line;
    }
}
