using System.Globalization;
using System.Management.Automation;
using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Debugging;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Debug, "EngineBuild", SupportsShouldProcess = true)]
[OutputType(typeof(BuildTrial))]
public sealed class DebugEngineBuildCommand : BuildingCmdlet
{
    private readonly HashSet<string> _taken = new(StringComparer.Ordinal);

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public ScriptBlock Check { get; set; } = null!;

    [Parameter(Mandatory = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(UntilCompleter))]
    public string Until { get; set; } = "";

    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string ArtifactPath { get; set; } = "";

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Alias("FailRegex")]
    public string[]? FailPattern { get; set; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MaximumCheck { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        CheckBlock check = new(Check, FailPattern);
        (CheckOutcome? until, int count) = ReadUntil();
        string folder = InputPaths.Full(this, ArtifactPath);
        if (File.Exists(folder)) throw new TrtToolsException(ErrorCode.OutputPathInvalid, folder, "it is a file", "It takes a folder, which is made where there is none", "Give another path");
        if (!_taken.Add(folder)) throw new TrtToolsException(ErrorCode.OutputPathCollision, folder, "the builds of another graph of this pipeline went there", "", "Give each graph a folder of its own, in a loop");
        object? calibration = DataArgument.Resolve(this, CalibrationData);
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        BuildTrialOptions options = new() { Build = Options(), Until = until, Count = count, ArtifactPath = folder, CheckText = check.Text };
        EngineBuilder.Check(graph, options.Build);
        if (!ShouldProcess(folder, $"Build engines of '{graph.Name}' and sort them by a check")) return;
        WriteObject(Run((PipelineReport report, CancellationToken stop) =>
        {
            if (calibration is not null) options = options with { Build = options.Build with { CalibrationData = DataArgument.Source(calibration, nameof(CalibrationData), InputInfo.Of(graph), images, splitSamples: true, report) } };
            return BuildTrials.Run(graph, OutputPaths.SafeName(graph.Name), options, engine => report.Ask(_ => check.Run(engine, new Dictionary<string, object?>()), stop), report, stop);
        }), enumerateCollection: true);
    }

    private (CheckOutcome? Until, int Count) ReadUntil()
    {
        if (int.TryParse(Until, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0) return (null, MaximumCheck > 0 ? Math.Min(count, MaximumCheck) : count);
        if (string.Equals(Until, nameof(CheckOutcome.Good), StringComparison.OrdinalIgnoreCase)) return (CheckOutcome.Good, MaximumCheck);
        if (string.Equals(Until, nameof(CheckOutcome.Bad), StringComparison.OrdinalIgnoreCase)) return (CheckOutcome.Bad, MaximumCheck);
        throw new TrtToolsException(ErrorCode.OptionInvalid, "-Until", $"'{Until}' was given", "Good, Bad, or a number of builds", "Give one of these");
    }
}
