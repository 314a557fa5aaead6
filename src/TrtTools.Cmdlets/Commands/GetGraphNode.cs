using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Get, "GraphNode")]
[OutputType(typeof(GraphNode))]
public sealed class GetGraphNodeCommand : PipedGraphCmdlet
{
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(NodeOperatorCompleter))]
    public string[]? OpType { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? InputTensor { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? OutputTensor { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeOrTensorNameCompleter))]
    public string[]? UpstreamOf { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeOrTensorNameCompleter))]
    public string[]? DownstreamOf { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int Depth { get; set; } = int.MaxValue;

    [Parameter]
    public SwitchParameter Recurse { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        NodeQuery query = new()
        {
            Name = Name ?? [], OpType = OpType ?? [], InputTensor = InputTensor ?? [], OutputTensor = OutputTensor ?? [], UpstreamOf = UpstreamOf ?? [], DownstreamOf = DownstreamOf ?? [], Depth = Depth, Recurse = Recurse,
        };
        WriteObject(Run((report, stop) => GraphQuery.Nodes(graph, query)), enumerateCollection: true);
    }
}
