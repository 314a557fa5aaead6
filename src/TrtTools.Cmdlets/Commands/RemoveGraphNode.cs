using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Remove, "GraphNode", DefaultParameterSetName = NameSet)]
[OutputType(typeof(OnnxGraph))]
public sealed class RemoveGraphNodeCommand : PipedGraphCmdlet
{
    private const string NameSet = "Name", OpTypeSet = "OpType";

    // An int: see BuildEngineCommand.
    private int _stub;

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[] Name { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = OpTypeSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NodeOperatorCompleter))]
    public string[] OpType { get; set; } = [];

    [Parameter]
    public SwitchParameter Reconnect { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string? Through { get; set; }

    [Parameter]
    public NodeStub Stub { get => (NodeStub)_stub; set => _stub = (int)value; }

    [Parameter]
    public SwitchParameter KeepUnused { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        bool reconnect = Reconnect || Through is not null;
        if (reconnect && Stub != NodeStub.None) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Stub", "it is given together with -Reconnect", "Only one of them can be given", "Leave one out");
        NodeRemovalOptions options = new() { Name = Name, OpType = OpType, Reconnect = reconnect, Through = Through, Stub = Stub, KeepUnused = KeepUnused };
        WriteObject(Run((report, stop) => NodeRemoval.Remove(graph, options)));
    }
}
