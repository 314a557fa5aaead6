using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Get, "GraphInitializer")]
[OutputType(typeof(Tensor))]
public sealed class GetGraphInitializerCommand : PipedGraphCmdlet
{
    // An int: see BuildEngineCommand.
    private int? _dataType;

    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(InitializerNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter]
    public DataType? DataType { get => (DataType?)_dataType; set => _dataType = (int?)value; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[]? Consumer { get; set; }

    [Parameter]
    public SwitchParameter ConstantNode { get; set; }

    [Parameter]
    public SwitchParameter Recurse { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        TensorQuery query = new() { Name = Name ?? [], DataType = DataType, Consumer = Consumer ?? [], Recurse = Recurse };
        WriteObject(Run((report, stop) => GraphQuery.Initializers(graph, query, ConstantNode)), enumerateCollection: true);
    }
}
