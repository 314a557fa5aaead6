using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Add, "GraphNode")]
[OutputType(typeof(OnnxGraph))]
public sealed class AddGraphNodeCommand : PipedGraphCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(OperatorCompleter))]
    public string OpType { get; set; } = "";

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string? InsertAfter { get; set; }

    [Parameter]
    [ValidateNotNull]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? InputTensor { get; set; }

    [Parameter]
    [ValidateNotNull]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? OutputTensor { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? Attribute { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? Initializer { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[]? Consumer { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int DomainVersion { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        if (Consumer is not null && InsertAfter is null) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Consumer", "it is given without -InsertAfter", "It needs the tensor whose readers are meant", "Add -InsertAfter");
        NodeSpec spec = new()
        {
            OpType = OpType, Name = Name, InsertAfter = InsertAfter, Inputs = InputTensor ?? [], Outputs = OutputTensor ?? [], Attributes = SurgeryArguments.GivenAttributes(Attribute, nameof(Attribute)),
            Initializers = SurgeryArguments.Initializers(this, Initializer), Consumers = Consumer, DomainVersion = DomainVersion > 0 ? DomainVersion : null,
        };
        WriteObject(Run((report, stop) => NodeInsertion.Add(graph, spec)));
    }
}
