using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Select, "OnnxSubgraph")]
[OutputType(typeof(OnnxGraph))]
public sealed class SelectOnnxSubgraphCommand : PipedGraphCmdlet
{
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? InputTensor { get; set; }

    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? OutputTensor { get; set; }

    [Parameter]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(InputShapeCompleter))]
    public IDictionary? InputShape { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? DataType { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        SubgraphOptions options = new() { Inputs = InputTensor ?? [], Outputs = OutputTensor ?? [], Shapes = SurgeryArguments.Shapes(InputShape), Types = SurgeryArguments.Types(DataType, nameof(DataType)) };
        WriteObject(Run((report, stop) => SubgraphSelection.Select(graph, options, report)));
    }
}
