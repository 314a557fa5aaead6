using System.Management.Automation;
using TrtTools.Audit;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Test, "OnnxGraph")]
[OutputType(typeof(GraphFinding), typeof(bool))]
public sealed class TestOnnxGraphCommand : GraphCmdlet
{
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        IReadOnlyList<GraphFinding> findings = Run((report, stop) => GraphLint.Check(graph));
        if (Quiet) WriteObject(!findings.Any(f => f.Severity == FindingSeverity.Error));
        else WriteObject(findings, enumerateCollection: true);
    }
}
