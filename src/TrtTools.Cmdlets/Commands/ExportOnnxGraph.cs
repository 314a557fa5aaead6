using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Onnx;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Export, "OnnxGraph", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportOnnxGraphCommand : PipedGraphCmdlet
{
    private OutputPaths? _paths;

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public object Path { get; set; } = "";

    [Parameter]
    public SwitchParameter ExternalData { get; set; }

    [Parameter]
    public SwitchParameter KeepOverridableInput { get; set; }

    [Parameter]
    public SwitchParameter ExpandFunction { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        _ = graph.Nodes.Count;   // a disposed graph is an error before anything is asked or written
        string path = (_paths ??= new OutputPaths(this)).Resolve(Path, graph, graph.Name, ".onnx", Force);
        if (!ShouldProcess(path, "Export ONNX model")) return;
        ExportOptions options = new() { ExternalData = ExternalData, KeepOverridableInput = KeepOverridableInput, ExpandFunction = ExpandFunction, Force = Force };
        Run((report, stop) =>
        {
            OnnxFile.Export(graph, path, options, report, stop);
            return true;
        });
        if (PassThru) WriteObject(new FileInfo(path));
    }
}
