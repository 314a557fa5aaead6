using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Quantization;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.New, "CalibrationCache")]
[OutputType(typeof(CalibrationCache))]
public sealed class NewCalibrationCacheCommand : PipedGraphCmdlet
{
    // An int: see BuildEngineCommand.
    private int _algorithm = (int)CalibrationAlgorithm.Entropy;

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public object Data { get; set; } = "";

    [Parameter]
    public CalibrationAlgorithm Algorithm { get => (CalibrationAlgorithm)_algorithm; set => _algorithm = (int)value; }

    [Parameter]
    [ValidateRange(0.0, 100.0)]
    public double Percentile { get; set; } = 99.99;

    [Parameter]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        CalibrationOptions options = new() { Algorithm = Algorithm, Percentile = Percentile };
        object data = DataArgument.Resolve(this, Data)!;
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        WriteObject(Run((PipelineReport report, CancellationToken stop) =>
            Calibrator.Calibrate(graph, DataArgument.Source(data, nameof(Data), InputInfo.Of(graph), images, splitSamples: true, report), options, report, stop)));
    }
}
