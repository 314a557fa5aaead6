using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsLifecycle.Invoke, "GraphPattern")]
[OutputType(typeof(OnnxGraph), typeof(PatternMatch))]
public sealed class InvokeGraphPatternCommand : PipedGraphCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Pattern { get; set; } = "";

    [Parameter(Position = 1)]
    [ValidateNotNull]
    public object? Replacement { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        if (Replacement is null)
        {
            WriteObject(Run((report, stop) => PatternSession.Find(graph, Pattern)), enumerateCollection: true);
            return;
        }
        object given = Arguments.Bare(Replacement)!;
        PatternSession session = Run((report, stop) => PatternSession.Start(graph, Pattern));
        foreach (PatternMatch match in session.Matches)
        {
            // A script block runs on this thread, and sees the graph as earlier replacements left it.
            object? result = given is ScriptBlock block ? SurgeryArguments.Call(block, match, $"-Replacement for '{match.Name}'") : given;
            switch (result)
            {
                case null: break;
                case string expression: session.Replace(match, expression); break;
                case IDictionary node: session.Replace(match, SurgeryArguments.Node(this, node, $"-Replacement for '{match.Name}'")); break;
                default:
                    throw new TrtToolsException(ErrorCode.OptionInvalid, $"-Replacement for '{match.Name}'", $"a {result.GetType().Name} was given", "An expression, @{ OpType = …; InputTensor = … }, a script block that gives one of them, or nothing", "Give one of these");
            }
        }
        WriteObject(Run((report, stop) => session.Finish(report)));
    }
}
