using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.ConvertTo, "OnnxPrecision")]
[OutputType(typeof(OnnxGraph))]
public sealed class ConvertToOnnxPrecisionCommand : PipedGraphCmdlet
{
    [Parameter(Position = 0)]
    [ValidateSet("Fp16", "Bf16", "Fp32")]
    public string Precision { get; set; } = "Fp16";

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NodeOperatorCompleter))]
    public string[]? KeepOperator { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[]? KeepNode { get; set; }

    [Parameter]
    public SwitchParameter Interface { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? RangeData { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        object? data = DataArgument.Resolve(this, RangeData);
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        PrecisionOptions options = new()
        {
            Precision = Precision.ToUpperInvariant() switch { "BF16" => DataType.BFloat16, "FP32" => DataType.Float32, _ => DataType.Float16 },
            KeepOperator = KeepOperator ?? [], KeepNode = KeepNode ?? [], Interface = Interface,
        };
        WriteObject(Run((PipelineReport report, CancellationToken stop) => PrecisionConversion.Convert(graph,
            data is null ? options : options with { RangeData = DataArgument.Source(data, nameof(RangeData), InputInfo.Of(graph), images, splitSamples: true, report) }, report, stop)));
    }
}
