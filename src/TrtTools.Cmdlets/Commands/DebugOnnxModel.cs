using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Debugging;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Debug, "OnnxModel", SupportsShouldProcess = true)]
[OutputType(typeof(ModelReduction))]
public sealed class DebugOnnxModelCommand : PipedGraphCmdlet
{
    // An int: see BuildEngineCommand.
    private int _mode = (int)(ReductionModes.Bisect | ReductionModes.Branch | ReductionModes.Linear);

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public ScriptBlock Check { get; set; } = null!;

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Alias("FailRegex")]
    public string[]? FailPattern { get; set; }

    [Parameter]
    public ReductionModes Mode { get => (ReductionModes)_mode; set => _mode = (int)value; }

    [Parameter]
    [Alias("MinGood")]
    public SwitchParameter MinimumGood { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? InputData { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ReplayPath { get; set; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MaximumCheck { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        CheckBlock check = new(Check, FailPattern);
        object? data = DataArgument.Resolve(this, InputData);
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        ReductionOptions options = new()
        {
            Mode = Mode, MinimumGood = MinimumGood, MaximumCheck = MaximumCheck, CheckText = check.Text, ReplayPath = ReplayPath is null ? null : InputPaths.Full(this, ReplayPath),
        };
        if (!ShouldProcess(graph.Name, $"Reduce the model of {graph.Nodes.Count} nodes by checking parts of it")) return;
        WriteObject(Run((PipelineReport report, CancellationToken stop) => ModelReducer.Reduce(graph,
            data is null ? options : options with { InputData = DataArgument.Source(data, nameof(InputData), InputInfo.Of(graph), images, splitSamples: false, report) },
            candidate => report.Ask(_ => check.Run(candidate.Graph, new Dictionary<string, object?> { ["InputData"] = candidate.InputData, ["Expected"] = candidate.Expected }), stop), report, stop)));
    }
}
