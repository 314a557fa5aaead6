using System.Management.Automation;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Test, "Engine", DefaultParameterSetName = EngineSet)]
[OutputType(typeof(EngineTest), typeof(bool))]
public sealed class TestEngineCommand : EngineCmdlet
{
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override void ProcessEngine(Engine engine)
    {
        IReadOnlyList<EngineTest> tests = Run((PipelineReport report, CancellationToken stop) => EngineAcceptance.Test(engine, report, stop));
        if (Quiet) WriteObject(tests.All(t => t.Passed));
        else WriteObject(tests, enumerateCollection: true);
    }
}
