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
        List<WeightSparsity> all = [.. Run((report, stop) => SparsityCheck.Check(graph, stop))];
        NamePatterns.Require(Name, [.. all.Select(w => w.Weight).Concat(all.Select(w => w.NodeName)).Where(n => n.Length > 0).Distinct()], "weight, and no node with one,");
        List<WeightSparsity> found = all.FindAll(w => wanted(w.Weight) || wanted(w.NodeName));
        if (Quiet) WriteObject(found.TrueForAll(w => w.IsSparse));
        else WriteObject(found, enumerateCollection: true);
    }
}
