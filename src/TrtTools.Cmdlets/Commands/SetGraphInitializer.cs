using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Set, "GraphInitializer", DefaultParameterSetName = ValueSet)]
[OutputType(typeof(OnnxGraph))]
public sealed class SetGraphInitializerCommand : PipedGraphCmdlet
{
    private const string ValueSet = "Value", PathSet = "Path";

    // An int: see BuildEngineCommand.
    private int? _dataType;

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(InitializerNameCompleter))]
    public string Name { get; set; } = "";

    [Parameter(Mandatory = true, Position = 1, ParameterSetName = ValueSet)]
    [ValidateNotNull]
    public object Value { get; set; } = "";

    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    [Parameter]
    public DataType? DataType { get => (DataType?)_dataType; set => _dataType = (int?)value; }

    [Parameter]
    public SwitchParameter Add { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[]? Consumer { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        if (Add && Consumer is not null) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Consumer", "it is given together with -Add", "It names readers of an initializer that is there already", "Leave one out");
        object value = ParameterSetName == PathSet ? SurgeryArguments.FromFile(this, Path) : Arguments.Bare(Value)!;
        InitializerChangeOptions options = new() { Name = Name, Value = value, DataType = DataType, Add = Add, Consumers = Consumer };
        WriteObject(Run((report, stop) => InitializerChange.Set(graph, options)));
    }
}
