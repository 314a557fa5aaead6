using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.ConvertTo, "OnnxOpset")]
[OutputType(typeof(OnnxGraph))]
public sealed class ConvertToOnnxOpsetCommand : PipedGraphCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateRange(OpsetConversion.Least, OpsetConversion.Greatest)]
    public int Opset { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph) => WriteObject(Run((PipelineReport report, CancellationToken stop) => OpsetConversion.Convert(graph, Opset, report, stop)));
}
