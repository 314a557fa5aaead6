using System.Collections.Specialized;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsLifecycle.Invoke, "Engine", DefaultParameterSetName = EngineSet)]
[OutputType(typeof(OrderedDictionary))]
public sealed class InvokeEngineCommand : TrtCmdlet
{
    private const string EngineSet = "Engine", DataSet = "Data", PathSet = "Path", LiteralPathSet = "LiteralPath";
    private readonly EngineArgument _loaded = new();
    private Execution.ExecutionContext? _context;

    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = EngineSet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = DataSet)]
    [LiveObject("TrtTools.Execution.Engine")]
    [PSTypeName("TrtTools.Execution.Engine")]
    [ValidateNotNull]
    public PSObject? Engine { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet)]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    public string LiteralPath { get; set; } = "";

    [Parameter(Mandatory = true, Position = 1, ParameterSetName = EngineSet)]
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, ParameterSetName = DataSet)]
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, ParameterSetName = PathSet)]
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, ParameterSetName = LiteralPathSet)]
    [ValidateNotNull]
    public object InputData { get; set; } = "";

    [Parameter]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    private protected override void ProcessItem()
    {
        // `$engine | Invoke-Engine $data`: the first argument by position is the data, and the pipeline brings the engine.
        if (Engine?.BaseObject is LiveObjectAttribute.WrongObject wrong && Arguments.Bare(InputData) is Engine) (Engine, InputData) = (PSObject.AsPSObject(InputData), wrong.Item);
        Subject = InputData;
        Execution.ExecutionContext context = Context();
        object data = DataArgument.Resolve(this, InputData)!;
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        Run((PipelineReport report, CancellationToken stop) =>
        {
            foreach (IReadOnlyDictionary<string, Tensor> inputs in DataArgument.Source(data, nameof(InputData), DataArgument.Inputs(context.Engine), images, splitSamples: false, report).Read(stop))
            {
                OrderedDictionary outputs = context.Run(inputs, stop);
                // Waits until the pipeline has taken it, so that results do not pile up before a slow reader.
                report.Ask(cmdlet =>
                {
                    cmdlet.WriteObject(outputs);
                    return true;
                }, stop);
            }
            return true;
        });
    }

    // One context for all data of one engine: creating one is dear.
    private Execution.ExecutionContext Context()
    {
        Engine engine = ParameterSetName switch
        {
            PathSet => _loaded.GetFile(this, Path, literal: false),
            LiteralPathSet => _loaded.GetFile(this, LiteralPath, literal: true),
            _ => _loaded.Get(this, Engine!, nameof(Engine)),
        };
        if (ReferenceEquals(_context?.Engine, engine)) return _context!;
        _context?.Dispose();
        _context = null;
        return _context = engine.CreateContext();
    }

    private protected override void DisposeOwned()
    {
        _context?.Dispose();
        _loaded.Dispose();
    }
}
