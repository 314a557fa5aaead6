using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsLifecycle.Invoke, "LayerFusion", DefaultParameterSetName = GraphSet)]
[OutputType(typeof(OnnxGraph), ParameterSetName = [GraphSet])]
[OutputType(typeof(FusionRecord), ParameterSetName = [ReportSet])]
public sealed class InvokeLayerFusionCommand : GraphCmdlet
{
    private const string GraphSet = "Graph", ReportSet = "Report";

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(FusionPatternCompleter))]
    public string[]? Pattern { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(FusionPatternCompleter))]
    public string[]? Exclude { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = ReportSet)]
    public SwitchParameter Report { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        FusionOptions options = new() { Pattern = Pattern, Exclude = Exclude };
        OnnxGraph fused = Run((report, stop) => LayerFusion.Fuse(graph, options, report, stop));
        if (Report) WriteObject(fused.FusionReport, enumerateCollection: true);
        else WriteObject(fused);
    }
}
