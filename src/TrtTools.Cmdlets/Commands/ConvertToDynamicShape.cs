using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.ConvertTo, "DynamicShape")]
[OutputType(typeof(OnnxGraph))]
public sealed class ConvertToDynamicShapeCommand : PipedGraphCmdlet
{
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Symbol { get; set; } = "batch";

    [Parameter]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(FreeShapeCompleter))]
    public IDictionary? InputShape { get; set; }

    [Parameter]
    public SwitchParameter SkipCheck { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        DynamicShapeOptions options = new()
        {
            Symbol = Symbol, SkipCheck = SkipCheck,
            InputShape = InputShape is null ? null : SurgeryArguments.Shapes(InputShape),
        };
        WriteObject(Run((report, stop) => DynamicShapeConversion.Convert(graph, options, report, stop)));
    }
}
