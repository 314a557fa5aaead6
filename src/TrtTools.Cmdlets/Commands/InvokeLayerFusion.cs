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

    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? PatternPath { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = ReportSet)]
    public SwitchParameter Report { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        string[]? files = PatternPath is null ? null : [.. PatternPath.SelectMany(p => InputPaths.Resolve(this, p, literal: false, ErrorCode.FileNotReadable))];
        FusionOptions options = new() { Pattern = Pattern, Exclude = Exclude, PatternPath = files };
        OnnxGraph fused = Run((report, stop) => LayerFusion.Fuse(graph, options, report, stop));
        if (Report) WriteObject(fused.FusionReport, enumerateCollection: true);
        else WriteObject(fused);
    }
}
