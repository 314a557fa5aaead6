using System.Management.Automation;
using TrtTools.Inspection;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Compare, "OnnxGraph")]
[OutputType(typeof(GraphDifference), typeof(bool))]
public sealed class CompareOnnxGraphCommand : PipedGraphCmdlet
{
    private readonly GraphArgument _reference = new();

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public object Reference { get; set; } = "";

    [Parameter]
    public SwitchParameter IncludeRename { get; set; }

    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        OnnxGraph reference = _reference.Get(this, Reference, nameof(Reference));
        bool renames = IncludeRename;
        IReadOnlyList<GraphDifference> found = Run((report, stop) => GraphComparison.Compare(reference, graph, renames, stop));
        if (Quiet) WriteObject(found.Count == 0);
        else WriteObject(found, enumerateCollection: true);
    }

    private protected override void DisposeOwned() => _reference.Dispose();
}
