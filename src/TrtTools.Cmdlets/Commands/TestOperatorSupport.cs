using System.Management.Automation;
using TrtTools.Audit;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Test, "OperatorSupport")]
[OutputType(typeof(OperatorSupport), typeof(bool))]
public sealed class TestOperatorSupportCommand : GraphCmdlet
{
    // An int: see BuildEngineCommand.
    private int _target = (int)SupportTarget.Cpu;

    [Parameter(Position = 1)]
    public SupportTarget Target { get => (SupportTarget)_target; set => _target = (int)value; }

    [Parameter]
    public SwitchParameter Detailed { get; set; }

    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        IReadOnlyList<OperatorSupport> records = Run((report, stop) => OperatorAudit.Check(graph, Target, Detailed));
        if (Quiet) WriteObject(records.All(r => r.Supported));
        else WriteObject(records, enumerateCollection: true);
    }
}
