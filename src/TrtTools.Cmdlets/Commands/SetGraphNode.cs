using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Set, "GraphNode")]
[OutputType(typeof(OnnxGraph))]
public sealed class SetGraphNodeCommand : PipedGraphCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(NodeNameCompleter))]
    public string[] Name { get; set; } = [];

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? NewName { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(OperatorCompleter))]
    public string? OpType { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? Attribute { get; set; }

    [Parameter]
    [ValidateNotNull]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[]? InputTensor { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? InputAt { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? Initializer { get; set; }

    [Parameter]
    public SwitchParameter KeepUnused { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        NodeChangeOptions options = new()
        {
            Name = Name, NewName = NewName, OpType = OpType, Attributes = SurgeryArguments.Attributes(Attribute), Inputs = InputTensor, InputAt = Places(), Initializers = SurgeryArguments.Initializers(this, Initializer), KeepUnused = KeepUnused,
        };
        WriteObject(Run((report, stop) => NodeChange.Set(graph, options)));
    }

    private Dictionary<int, string> Places()
    {
        Dictionary<int, string> places = [];
        foreach ((string key, string tensor) in SurgeryArguments.Texts(InputAt))
        {
            if (!int.TryParse(key, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int index))
            {
                throw new TrtToolsException(ErrorCode.OptionInvalid, "-InputAt", $"'{key}' is no place among the inputs", "0 for the first, 1 for the second", "Write @{ 1 = 'tensor' }");
            }
            places[index] = tensor;
        }
        return places;
    }
}
