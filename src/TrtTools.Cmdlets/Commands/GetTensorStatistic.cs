using System.Collections;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Get, "TensorStatistic")]
[OutputType(typeof(TensorStatistic))]
public sealed class GetTensorStatisticCommand : TrtCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [ValidateNotNull]
    public object InputObject { get; set; } = "";

    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Name { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? InputData { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    [Parameter]
    [ValidateRange(0, 10000)]
    public int Bin { get; set; } = 10;

    private protected override void ProcessItem()
    {
        Subject = InputObject;
        object value = Arguments.Bare(InputObject)!;
        Func<string, bool> wanted = NamePatterns.Matcher(Name);
        if (InputData is not null && value is not OnnxGraph) throw Wrong(value, "-InputData captures what a graph computes", "Pipe a graph, or leave -InputData out");
        switch (value)
        {
            case OnnxGraph graph when InputData is not null: Activations(graph, wanted); break;
            case OnnxGraph graph:
                Write(stop =>
                {
                    List<TensorStatistic> found = [.. GraphStatistics.OfWeights(graph, wanted, Bin)];
                    string[]? missing = Name?.Where(n => !found.Exists(s => s.Name == n)).ToArray();
                    if (missing is { Length: > 0 }) NamePatterns.Require(missing, [.. GraphStatistics.OfWeights(graph, static _ => true, 0).Select(s => s.Name)], "weight");
                    return found;
                });
                break;
            case Tensor tensor: Write([tensor], "", wanted); break;
            case IDictionary map: Write([.. map.Values.Cast<object?>().Select(v => Arguments.Bare(v) as Tensor ?? throw Wrong(v ?? "null", "a dictionary of tensors was expected", "Pipe what Invoke-Engine gives"))], "", wanted); break;
            case string or FileInfo: Files(value, wanted); break;
            default: throw Wrong(value, "", "Pipe a graph, a tensor, what Invoke-Engine gives, or the path of a file");
        }
    }

    private void Files(object value, Func<string, bool> wanted)
    {
        foreach (string file in InputPaths.Resolve(this, value is FileInfo info ? info.FullName : (string)value, value is FileInfo, ErrorCode.DataNotFound))
        {
            Subject = file;
            Guard(() => Write(Run((report, stop) => TensorFile.Read(file)), file, wanted));
        }
    }

    private void Activations(OnnxGraph graph, Func<string, bool> wanted)
    {
        object data = DataArgument.Resolve(this, InputData)!;
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        int bins = Bin;
        Run((PipelineReport report, CancellationToken stop) =>
        {
            InputSource source = DataArgument.Source(data, nameof(InputData), InputInfo.Of(graph), images, splitSamples: false, report);
            foreach (TensorStatistic statistic in GraphStatistics.OfActivations(graph, source, wanted, bins, report, stop))
            {
                report.Ask(cmdlet =>
                {
                    cmdlet.WriteObject(statistic);
                    return true;
                }, stop);
            }
            return true;
        });
    }

    private void Write(IReadOnlyList<Tensor> tensors, string source, Func<string, bool> wanted) =>
        Write(stop => tensors.Where(t => wanted(t.Name)).Select(t => TensorStatistics.Of(t, Bin, source)));

    private void Write(Func<CancellationToken, IEnumerable<TensorStatistic>> read)
    {
        foreach (TensorStatistic statistic in Run((report, stop) => read(stop).ToList())) WriteObject(statistic);
    }

    private static TrtToolsException Wrong(object value, string expected, string next) =>
        new(ErrorCode.InputInvalid, "-InputObject", $"a {value.GetType().Name} was given", expected.Length > 0 ? expected : "A graph, a tensor, a dictionary of tensors, or a file", next);
}
