using System.Management.Automation;
using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Debugging;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Debug, "EnginePrecision", SupportsShouldProcess = true)]
[OutputType(typeof(PrecisionFinding))]
public sealed class DebugEnginePrecisionCommand : BuildingCmdlet
{
    // An int: see BuildingCmdlet.
    private int _mode = (int)PrecisionSearchMode.Layer;

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public ScriptBlock Check { get; set; } = null!;

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Alias("FailRegex")]
    public string[]? FailPattern { get; set; }

    [Parameter]
    public PrecisionSearchMode Mode { get => (PrecisionSearchMode)_mode; set => _mode = (int)value; }

    [Parameter]
    [ValidateNotNull]
    public object? InputData { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ReplayPath { get; set; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int MaximumCheck { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        CheckBlock check = new(Check, FailPattern);
        object? data = DataArgument.Resolve(this, InputData), calibration = DataArgument.Resolve(this, CalibrationData);
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        PrecisionSearchOptions options = new() { Build = Options(), Mode = Mode, MaximumCheck = MaximumCheck, CheckText = check.Text, ReplayPath = ReplayPath is null ? null : InputPaths.Full(this, ReplayPath) };
        EngineBuilder.Check(graph, options.Build);
        if (!ShouldProcess(graph.Name, "Build engines and check them, to find the layers that must stay in FP32")) return;
        WriteObject(Run((PipelineReport report, CancellationToken stop) =>
        {
            if (calibration is not null) options = options with { Build = options.Build with { CalibrationData = DataArgument.Source(calibration, nameof(CalibrationData), InputInfo.Of(graph), images, splitSamples: true, report) } };
            if (data is not null) options = options with { InputData = DataArgument.Source(data, nameof(InputData), InputInfo.Of(graph), images, splitSamples: false, report) };
            return PrecisionSearch.Search(graph, options, (engine, kept) => report.Ask(_ => check.Run(engine, new Dictionary<string, object?> { ["LayerPrecision"] = kept }), stop), report, stop);
        }));
    }
}
