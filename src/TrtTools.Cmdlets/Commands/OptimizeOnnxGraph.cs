using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Passes;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Optimize, "OnnxGraph")]
[OutputType(typeof(OnnxGraph))]
public sealed class OptimizeOnnxGraphCommand : GraphCmdlet
{
    [Parameter]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(GraphInputMapCompleter))]
    public IDictionary? InputValue { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PassNameCompleter))]
    public string[]? Pass { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PassNameCompleter))]
    public string[]? ExcludePass { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PassNameCompleter))]
    public string? StopAfter { get; set; }

    [Parameter]
    public SwitchParameter Verify { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        OptimizeOptions options = new() { InputValue = Arguments.Values(InputValue, graph, nameof(InputValue)), Pass = Pass, ExcludePass = ExcludePass, StopAfter = StopAfter, Verify = Verify };
        WriteObject(Run((report, stop) => GraphOptimizer.Optimize(graph, options, report, stop)));
    }
}
