using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Add, "GraphPreprocessing")]
[OutputType(typeof(OnnxGraph))]
public sealed class AddGraphPreprocessingCommand : PipedGraphCmdlet
{
    [Parameter(Position = 0)]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    [Parameter]
    [ValidateCount(2, 2)]
    [ValidateRange(1, 65536)]
    public int[]? ImageSize { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GraphInputNameCompleter))]
    public string? InputTensor { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string ImageName { get; set; } = "image";

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        Preprocessing description = DataArgument.Preprocessing(this, Preprocessing) ?? new Preprocessing();
        if (ImageSize is [int height, int width]) description = description with { ImageSize = (height, width) };
        WriteObject(Run((PipelineReport report, CancellationToken stop) => PreprocessingInsertion.Add(graph, description, InputTensor, ImageName)));
    }
}
