using System.Management.Automation;
using TrtTools.Execution;
using TrtTools.Inspection;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Show, "OnnxGraph", SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(FileInfo))]
public sealed class ShowOnnxGraphCommand : GraphCmdlet
{
    // Ints: see BuildEngineCommand.
    private int _as = (int)DisplayForm.Text, _detail = (int)DisplayDetail.Layers;
    private readonly EngineArgument _engine = new();
    private OutputPaths? _paths;

    [Parameter]
    public DisplayForm As { get => (DisplayForm)_as; set => _as = (int)value; }

    [Parameter]
    public DisplayDetail Detail { get => (DisplayDetail)_detail; set => _detail = (int)value; }

    [Parameter(Position = 1)]
    [ValidateNotNull]
    public object? OutputPath { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Engine { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        _ = graph.Nodes.Count;   // a disposed graph is an error before anything is asked or written
        DisplayForm form = As;
        if (OutputPath is null && (form is DisplayForm.Svg or DisplayForm.Html))
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "-OutputPath", $"it is missing, and {form} is not for reading at a prompt", "It needs a file or a folder to write to",
                $"Add -OutputPath {graph.Name}{GraphDisplay.Extension(form)}");
        }
        string? path = OutputPath is null ? null : (_paths ??= new OutputPaths(this)).Resolve(OutputPath, graph, graph.Name, GraphDisplay.Extension(form), Force);
        if (path is not null && !ShouldProcess(path, $"Write {form} of the graph")) return;
        DisplayOptions options = new() { Form = form, Detail = Detail, Engine = Engine is null ? null : _engine.Get(this, Engine, nameof(Engine)) };
        if (path is null)
        {
            WriteObject(Run((report, stop) => GraphDisplay.Render(graph, options, report, stop)).TrimEnd('\n'));
            return;
        }
        Run((report, stop) =>
        {
            GraphDisplay.Write(graph, path, options, Force, report, stop);
            return true;
        });
        if (PassThru) WriteObject(new FileInfo(path));
    }

    private protected override void DisposeOwned() => _engine.Dispose();
}
