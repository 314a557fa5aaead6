using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Expand, "OnnxFunction")]
[OutputType(typeof(OnnxGraph))]
public sealed class ExpandOnnxFunctionCommand : PipedGraphCmdlet
{
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(FunctionNameCompleter))]
    public string[]? Name { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph) => WriteObject(Run((report, stop) => FunctionInlining.Expand(graph, Name ?? [], report)));
}
