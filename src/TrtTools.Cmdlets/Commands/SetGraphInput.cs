using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Set, "GraphInput")]
[OutputType(typeof(OnnxGraph))]
public sealed class SetGraphInputCommand : PipedGraphCmdlet
{
    // An int: see BuildEngineCommand.
    private int? _dataType;

    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(GraphInputNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter]
    public SwitchParameter Add { get; set; }

    [Parameter]
    public SwitchParameter Remove { get; set; }

    [Parameter]
    public DataType? DataType { get => (DataType?)_dataType; set => _dataType = (int?)value; }

    [Parameter]
    [ValidateNotNull]
    public object[]? Shape { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Value { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public IDictionary? Symbol { get; set; }

    [Parameter]
    public SwitchParameter KeepUnused { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        if (Add && Remove) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Remove", "it is given together with -Add", "Only one of them can be given", "Leave one out");
        if (Name is null && Symbol is null) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Name", "it is missing", "It says which inputs to change, unless -Symbol is given", "Press Tab after -Name to see the inputs");
        if (Value is not null && !Remove) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Value", "it is given without -Remove", "A value stands in for an input that goes", "Add -Remove");
        InputChangeOptions options = new()
        {
            Name = Name ?? [], Action = Add ? InputAction.Add : Remove ? InputAction.Remove : InputAction.Declare, DataType = DataType, Shape = SurgeryArguments.Shape(Shape),
            Value = Value is null ? null : Constant(graph), Symbols = SurgeryArguments.Texts(Symbol), KeepUnused = KeepUnused,
        };
        WriteObject(Run((report, stop) => InputChange.Set(graph, options)));
    }

    private Tensor Constant(OnnxGraph graph)
    {
        string name = Name is [string only] ? only : throw new TrtToolsException(ErrorCode.OptionInvalid, "-Value", "several inputs are named", "It takes one", "Remove one input at a time");
        object content = SurgeryArguments.Content(this, Value, "-Value");
        return content is Tensor tensor ? tensor : Arguments.Values(new Hashtable { [name] = content }, graph, nameof(Value))![name];
    }
}
