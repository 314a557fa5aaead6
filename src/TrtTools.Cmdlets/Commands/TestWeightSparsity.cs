using System.Management.Automation;
using TrtTools.Inspection;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Test, "WeightSparsity")]
[OutputType(typeof(WeightSparsity), typeof(bool))]
public sealed class TestWeightSparsityCommand : GraphCmdlet
{
    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Name { get; set; }

    [Parameter]
    public SwitchParameter Quiet { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        Func<string, bool> wanted = NamePatterns.Matcher(Name);
        List<WeightSparsity> found = [.. Run((report, stop) => SparsityCheck.Check(graph, stop)).Where(w => wanted(w.Weight) || wanted(w.NodeName))];
        if (Quiet) WriteObject(found.TrueForAll(w => w.IsSparse));
        else WriteObject(found, enumerateCollection: true);
    }
}
