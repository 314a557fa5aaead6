using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Merge, "OnnxGraph")]
[OutputType(typeof(OnnxGraph))]
public sealed class MergeOnnxGraphCommand : PipedGraphCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    [LiveObject("TrtTools.Ir.OnnxGraph")]
    [PSTypeName("TrtTools.Ir.OnnxGraph")]
    public PSObject With { get; set; } = null!;

    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TensorMapCompleter))]
    public IDictionary? TensorMap { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Prefix { get; set; }

    [Parameter]
    public SwitchParameter KeepOutput { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        OnnxGraph second = LiveObjectAttribute.Get<OnnxGraph>(With, nameof(With), "Import-OnnxGraph");
        MergeOptions options = new() { Map = SurgeryArguments.Pairs(TensorMap), Prefix = Prefix ?? "", KeepOutput = KeepOutput };
        WriteObject(Run((report, stop) => GraphMerge.Merge(graph, second, options)));
    }
}
