using System.Globalization;
using TrtTools.Build;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Debugging;

/// <summary>Finds the smallest part of a model that a check still finds bad: what Debug-OnnxModel runs.</summary>
public static class ModelReducer
{
    public const string Command = "Debug-OnnxModel";

    /// <param name="check">Called with one candidate after the other, never with two at a time.</param>
    public static ModelReduction Reduce(OnnxGraph graph, ReductionOptions options, Func<ModelCandidate, CheckVerdict> check, Report report, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(check);
        if (options.Mode == 0 || (options.Mode & ~(ReductionModes.Bisect | ReductionModes.Branch | ReductionModes.Linear)) != 0) throw new TrtToolsException(ErrorCode.OptionInvalid, "Mode", $"it is {options.Mode}", "Bisect, Branch, Linear, or several of them", "Correct it");
        ReplayFile replay = ReplayFile.Open(options.ReplayPath, Command, graph.Name, BuildStages.HashGraph(graph), options.CheckText);
        CheckSession session = new(replay, options.MaximumCheck, report, stop);
        IReadOnlyDictionary<string, TensorData>? inputs = null;
        if (options.InputData is { } data)
        {
            inputs = data.Read(stop).FirstOrDefault()?.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal)
                ?? throw new TrtToolsException(ErrorCode.DataNotFound, data.Description, "it holds no samples", "At least one is needed", "Give other input data");
        }
        using Level whole = Level.Open(graph.Copy(), inputs, session, check, "", report);
        if (whole.Capture is null) report.Warning($"{graph.Name}: ONNX Runtime does not run the model, so parts of it are checked without the values that they read ($InputData and $Expected are empty): {whole.Problem}");
        PartSearch? found = null;
        bool complete = true;
        try
        {
            CheckVerdict verdict = whole.CheckWhole();
            if (verdict.Outcome != CheckOutcome.Bad)
            {
                throw new TrtToolsException(ErrorCode.FaultNotFound, graph.Name, verdict.Outcome == CheckOutcome.Good ? $"the check finds nothing wrong with the whole model{(verdict.Reason.Length > 0 ? $" ({verdict.Reason.TrimEnd('.')})" : "")}"
                    : $"the check fails on the whole model, but not for the reason looked for ({verdict.Reason.TrimEnd('.')})",
                    "The check fails by an error, by giving $false, or by giving something whose Passed is $false", options.InputData is null ? "Correct the check, or give the inputs that show the fault with -InputData" : "Correct the check");
            }
            found = new PartSearch(whole, options.Mode, report);
            found.Run();
            // The fault may sit in the branch that an If takes.
            for (Level? inner = whole.Inside(found.Best); inner is not null; inner = inner.Inside(found.Best))
            {
                if (inner.CheckWhole().Outcome != CheckOutcome.Bad) break;
                found = new PartSearch(inner, options.Mode, report);
                found.Run();
            }
        }
        catch (CheckLimitException) when (found is not null)
        {
            complete = false;
            report.Warning(string.Create(CultureInfo.InvariantCulture, $"{graph.Name}: after {session.Checks.Count} checks, the most that -MaximumCheck allows, the smallest part that fails has {found.Best.Count} nodes."));
        }
        ModelCandidate part = found!.Part();
        OnnxGraph? good = options.MinimumGood ? found.NearestGood() : null;
        if (options.MinimumGood && good is null) report.Warning($"{graph.Name}: no part that was checked is good.");
        return new ModelReduction
        {
            Model = graph.Name, Path = graph.Path, Graph = part.Graph, GoodGraph = good, Node = [.. found.Best.Select(n => n.DisplayName)], OpType = [.. found.Best.Select(n => n.Domain.Length == 0 ? n.OpType : $"{n.Domain}::{n.OpType}")],
            NodeCount = found.Best.Count, OriginalNodeCount = whole.Maker.Nodes.Count, CheckCount = session.Checks.Count, Reason = found.Reason, Complete = complete, InputData = part.InputData, Expected = part.Expected, Check = [.. session.Checks],
        };
    }
}
