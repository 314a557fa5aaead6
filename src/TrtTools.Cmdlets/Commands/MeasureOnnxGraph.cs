using System.Collections;
using System.Management.Automation;
using TrtTools.Audit;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Measure, "OnnxGraph")]
[OutputType(typeof(GraphSummary))]
public sealed class MeasureOnnxGraphCommand : GraphCmdlet
{
    [Parameter]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(InputShapeCompleter))]
    public IDictionary? InputShape { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        IReadOnlyDictionary<string, long[]>? shapes = Arguments.Shapes(InputShape, nameof(InputShape));
        WriteObject(Run((report, stop) => GraphMeasurement.Measure(graph, shapes is null ? null : new Dictionary<string, long[]>(shapes, StringComparer.Ordinal))));
    }
}
