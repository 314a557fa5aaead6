using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Get, "GraphTensor")]
[OutputType(typeof(GraphTensor))]
public sealed class GetGraphTensorCommand : PipedGraphCmdlet
{
    // An int: see BuildEngineCommand.
    private int? _dataType;

    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter]
    [ValidateSet("Input", "Output", "Initializer", "Intermediate")]
    public string? Kind { get; set; }

    [Parameter]
    public DataType? DataType { get => (DataType?)_dataType; set => _dataType = (int?)value; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[]? Producer { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[]? Consumer { get; set; }

    [Parameter]
    public SwitchParameter Recurse { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        bool Is(string kind) => string.Equals(Kind, kind, StringComparison.OrdinalIgnoreCase);
        TensorQuery query = new()
        {
            Name = Name ?? [], DataType = DataType, Producer = Producer ?? [], Consumer = Consumer ?? [], Recurse = Recurse,
            IsInput = Is("Input") ? true : Is("Intermediate") ? false : null, IsOutput = Is("Output") ? true : Is("Intermediate") ? false : null, IsInitializer = Is("Initializer") ? true : Is("Intermediate") ? false : null,
        };
        WriteObject(Run((report, stop) => GraphQuery.Tensors(graph, query)), enumerateCollection: true);
    }
}
