using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Compress, "OnnxWeight", DefaultParameterSetName = StripSet)]
[OutputType(typeof(OnnxGraph), typeof(PrunedWeight))]
public sealed class CompressOnnxWeightCommand : PipedGraphCmdlet
{
    private const string StripSet = "Strip", PruneSet = "Prune", RestoreSet = "Restore";

    private readonly GraphArgument _original = new();

    // Not mandatory: a prompt for the value of a switch would help nobody.
    [Parameter(ParameterSetName = StripSet)]
    public SwitchParameter Strip { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = PruneSet)]
    public SwitchParameter Prune { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = RestoreSet)]
    [ValidateNotNull]
    public object Restore { get; set; } = "";

    [Parameter(ParameterSetName = StripSet)]
    [Parameter(ParameterSetName = PruneSet)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(InitializerNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter(ParameterSetName = StripSet)]
    [ValidateRange(1L, long.MaxValue)]
    public long MinimumSize { get; set; } = 1024;

    [Parameter(ParameterSetName = PruneSet)]
    public SwitchParameter Report { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        Func<string, bool> wanted = NamePatterns.Matcher(Name);
        if (ParameterSetName == RestoreSet)
        {
            OnnxGraph original = _original.Get(this, Restore, nameof(Restore));
            WriteObject(Run((report, stop) => WeightStrip.Restore(graph, original, stop)));
            return;
        }
        if (ParameterSetName == StripSet)
        {
            if (!Strip) throw new TrtToolsException(ErrorCode.OptionInvalid, "Compress-OnnxWeight", "it was not said what to do with the weights", "", "Add -Strip to take them out, -Prune to set two of each four to zero, or -Restore model.onnx to put them back");
            WriteObject(Run((PipelineReport report, CancellationToken stop) => WeightStrip.Strip(graph, wanted, MinimumSize, report, stop)));
            return;
        }
        (OnnxGraph pruned, IReadOnlyList<PrunedWeight> weights) = Run((report, stop) => WeightPruning.Prune(graph, wanted, stop));
        if (Report)
        {
            WriteObject(weights, enumerateCollection: true);
            return;
        }
        string[] left = [.. weights.Where(w => !w.Pruned).Select(w => $"'{w.Weight}' ({w.Reason})")];
        if (left.Length > 0) WriteWarning(FormattableString.Invariant($"{graph.Name}: {left.Length} of {weights.Count} weights were left as they are: {string.Join(", ", left.Take(4))}{(left.Length > 4 ? ", …" : "")}"));
        WriteObject(pruned);
    }

    private protected override void DisposeOwned() => _original.Dispose();
}
