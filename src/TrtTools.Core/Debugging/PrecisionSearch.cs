using System.Collections.Specialized;
using System.Globalization;
using TrtTools.Build;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;

namespace TrtTools.Debugging;

/// <summary>Finds the layers that must stay in FP32 for a check to pass: what Debug-EnginePrecision runs.</summary>
/// <remarks>It takes for granted that a layer more in FP32 never makes the check fail. Then the shortest row of layers that is enough is found by bisection, its last layer cannot be
/// missed, and with that one kept the search begins again on the rest of the row: log2(n) checks for each layer found.</remarks>
public sealed class PrecisionSearch
{
    public const string Command = "Debug-EnginePrecision";

    private readonly OnnxGraph _graph;
    private readonly PrecisionSearchOptions _options;
    private readonly BuildOptions _build;
    private readonly Func<Engine, OrderedDictionary, CheckVerdict> _check;
    private readonly CheckSession _session;
    private readonly Report _report;
    private IReadOnlyList<EngineLayer> _layers = [];

    /// <summary>The smallest set that passed.</summary>
    private IReadOnlyList<int> _best = [];

    private PrecisionSearch(OnnxGraph graph, PrecisionSearchOptions options, BuildOptions build, Func<Engine, OrderedDictionary, CheckVerdict> check, CheckSession session, Report report)
    {
        (_graph, _options, _build, _check, _session, _report) = (graph, options, build, check, session, report);
    }

    /// <param name="check">Called with one engine after the other, and with the layers it keeps. The engine is disposed afterwards.</param>
    public static PrecisionFinding Search(OnnxGraph graph, PrecisionSearchOptions options, Func<Engine, OrderedDictionary, CheckVerdict> check, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(check);
        BuildOptions build = options.Build;
        if (!build.Fp16 && !build.Bf16 && !build.Tf32 && !build.Int8 && !build.Best) throw new TrtToolsException(ErrorCode.OptionInvalid, Command, "no precision below FP32 was asked for", "-Int8, -Fp16, -Bf16, -Tf32 or -Best", "Give what the engine that fails was built with");
        EngineBuilder.Check(graph, build);
        string hash = $"{BuildStages.HashGraph(graph)} {string.Join("; ", BuildOptionText.Lines(build).Append($"Mode={options.Mode}"))}";
        CheckSession session = new(ReplayFile.Open(options.ReplayPath, Command, graph.Name, hash, options.CheckText), options.MaximumCheck, report, stop);
        // Scales are found once, not for each build.
        if (build is { Int8: true, CalibrationCache: null } && !Quantization.Quantizer.HasQuantization(graph))
        {
            build = build with { CalibrationCache = PrecisionStage.Calibrate(new BuildContext(graph, build, report, stop)), CalibrationData = null };
        }
        return new PrecisionSearch(graph, options, build, check, session, report).Run();
    }

    private PrecisionFinding Run()
    {
        using Engine low = Build([], _report);
        string precision = low.Precision;
        _layers = [.. low.Layers.Where(l => l.SourceNode.Length > 0 && Enum.TryParse(l.Precision, out EnginePrecision p) && p != EnginePrecision.Fp32)];
        CheckVerdict plain = Check([], "Whole", low);
        low.Dispose();
        if (plain.Outcome == CheckOutcome.Good) return Finding(precision, "", complete: true, new double?[_layers.Count]);
        int[] all = [.. Enumerable.Range(0, _layers.Count)];
        if (_layers.Count == 0) throw new TrtToolsException(ErrorCode.FaultNotFound, _graph.Name, $"no layer of the engine runs in a lower precision than FP32, and the check fails ({plain.Reason.TrimEnd('.')})", "An engine with layers in the precision asked for", "Give another precision or device; Get-EngineLayer lists the layers");
        CheckVerdict kept = Check(all, "Whole");
        if (kept.Outcome != CheckOutcome.Good) throw new TrtToolsException(ErrorCode.FaultNotFound, _graph.Name, $"the check fails with every layer in FP32 too ({kept.Reason.TrimEnd('.')})", "A check that passes in FP32: else precision is not the cause", "Run Debug-OnnxModel, or correct the check");
        _best = all;
        double?[] sensitivity = new double?[_layers.Count];
        bool complete = true;
        try
        {
            switch (_options.Mode)
            {
                case PrecisionSearchMode.Forward: Shortest([], all); break;
                case PrecisionSearchMode.Backward: Shortest([], [.. all.Reverse()]); break;
                default:
                    sensitivity = LayerSensitivity.Measure(_graph, _layers, _options.InputData, _report, _session.Stop);
                    Minimal([.. all.OrderBy(i => sensitivity[i] ?? double.PositiveInfinity).ThenBy(i => i)]);
                    break;
            }
        }
        catch (CheckLimitException)
        {
            complete = false;
            _report.Warning(string.Create(CultureInfo.InvariantCulture, $"{_graph.Name}: after {_session.Checks.Count} checks, the most that -MaximumCheck allows, {_best.Count} layers in FP32 are known to be enough."));
        }
        return Finding(precision, plain.Reason, complete, sensitivity);
    }

    /// <summary>How many of <paramref name="order"/> must be kept beside <paramref name="kept"/>; all of them are enough, none is not.</summary>
    private int Shortest(IReadOnlyList<int> kept, int[] order)
    {
        int few = 0, enough = order.Length;
        while (enough - few > 1)
        {
            int middle = (few + enough) / 2;
            if (Check([.. kept, .. order.Take(middle)], "Bisect").Outcome == CheckOutcome.Good) enough = middle; else few = middle;
        }
        return enough;
    }

    private void Minimal(int[] order)
    {
        List<int> kept = [];
        while (true)
        {
            int enough = Shortest(kept, order);
            kept.Add(order[enough - 1]);
            order = order[..(enough - 1)];
            if (order.Length == 0 || Check(kept, "Layer").Outcome == CheckOutcome.Good) return;
        }
    }

    private CheckVerdict Check(IReadOnlyList<int> kept, string stage, Engine? built = null)
    {
        int[] sorted = [.. kept.Order()];
        string key = sorted.Length == 0 ? "none in FP32" : sorted.Length == _layers.Count ? "all in FP32" : $"in FP32: {PlaceText.Of(sorted)}";
        _report.Progress("Searching precision", string.Create(CultureInfo.InvariantCulture, $"{_graph.Name}: check {_session.Checks.Count + 1}, {sorted.Length} of {_layers.Count} layers in FP32"), _layers.Count == 0 ? 0 : 1 - (Math.Log2(_best.Count + 1) / Math.Log2(_layers.Count + 2)));
        CheckVerdict verdict = _session.Check(key, stage, sorted.Length, () =>
        {
            if (built is not null) return _check(built, Precisions(sorted));
            using Engine engine = Build(sorted, Report.None);
            return _check(engine, Precisions(sorted));
        });
        if (verdict.Outcome == CheckOutcome.Good && sorted.Length > 0 && (_best.Count == 0 || sorted.Length < _best.Count)) _best = sorted;
        return verdict;
    }

    private Engine Build(IReadOnlyList<int> kept, Report report)
    {
        Dictionary<string, EnginePrecision> precisions = new(_options.Build.LayerPrecision ?? new Dictionary<string, EnginePrecision>(), StringComparer.Ordinal);
        foreach (string node in kept.SelectMany(i => _layers[i].SourceNode)) precisions[node] = EnginePrecision.Fp32;
        return EngineBuilder.Build(_graph, _build with { LayerPrecision = precisions }, report, _session.Stop);
    }

    /// <summary>What Build-Engine needs for these layers, with what was asked for from the start.</summary>
    private OrderedDictionary Precisions(IReadOnlyList<int> kept)
    {
        OrderedDictionary precisions = new(StringComparer.Ordinal);
        foreach ((string pattern, EnginePrecision precision) in (_options.Build.LayerPrecision ?? new Dictionary<string, EnginePrecision>()).OrderBy(p => p.Key, StringComparer.Ordinal)) precisions[pattern] = precision.ToString();
        foreach (string node in kept.SelectMany(i => _layers[i].SourceNode)) precisions[node] = nameof(EnginePrecision.Fp32);
        return precisions;
    }

    private PrecisionFinding Finding(string precision, string reason, bool complete, double?[] sensitivity) => new()
    {
        Model = _graph.Name, Path = _graph.Path, Precision = precision, LayerPrecision = Precisions([.. _best.Order()]), KeptCount = _best.Count, LayerCount = _layers.Count, CheckCount = _session.Checks.Count, Reason = reason, Complete = complete, Check = [.. _session.Checks],
        Layer = [.. _layers.Select((l, i) => new LayerNeed { Index = i, Layer = l.Name, Kind = l.Kind, Precision = l.Precision, KeepFp32 = _best.Contains(i), Sensitivity = sensitivity[i], SourceNode = l.SourceNode, Model = _graph.Name })],
    };
}
