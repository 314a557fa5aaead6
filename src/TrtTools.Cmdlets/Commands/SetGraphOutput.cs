using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Set, "GraphOutput", DefaultParameterSetName = NameSet)]
[OutputType(typeof(OnnxGraph))]
public sealed class SetGraphOutputCommand : PipedGraphCmdlet
{
    private const string NameSet = "Name", AddSet = "Add", RemoveSet = "Remove", OnlySet = "Only", AllSet = "All";

    // An int: see BuildEngineCommand.
    private int? _dataType;

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = AddSet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = RemoveSet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = OnlySet)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[] Name { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = AddSet)]
    public SwitchParameter Add { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = RemoveSet)]
    public SwitchParameter Remove { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = OnlySet)]
    public SwitchParameter Only { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = AllSet)]
    public SwitchParameter All { get; set; }

    [Parameter(ParameterSetName = AllSet)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? Exclude { get; set; }

    [Parameter(ParameterSetName = NameSet)]
    [Parameter(ParameterSetName = AddSet)]
    public DataType? DataType { get => (DataType?)_dataType; set => _dataType = (int?)value; }

    [Parameter(ParameterSetName = NameSet)]
    [Parameter(ParameterSetName = AddSet)]
    [ValidateNotNull]
    public object[]? Shape { get; set; }

    [Parameter(ParameterSetName = RemoveSet)]
    [Parameter(ParameterSetName = OnlySet)]
    public SwitchParameter KeepUnused { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        OutputChangeOptions options = new()
        {
            Name = All ? Exclude ?? [] : Name, Action = Add ? OutputAction.Add : Remove ? OutputAction.Remove : Only ? OutputAction.Only : All ? OutputAction.All : OutputAction.Declare,
            DataType = DataType, Shape = SurgeryArguments.Shape(Shape), KeepUnused = KeepUnused,
        };
        WriteObject(Run((report, stop) => OutputChange.Set(graph, options, report)));
    }
}
