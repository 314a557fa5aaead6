using System.Collections.Specialized;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsLifecycle.Invoke, "Engine", DefaultParameterSetName = "Engine")]
[OutputType(typeof(OrderedDictionary))]
public sealed class InvokeEngineCommand : TrtCmdlet
{
    private Engine? _loaded;

    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = "Engine")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = "Data")]
    [LiveObject("TrtTools.Execution.Engine")]
    public PSObject Engine { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = "Path")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    [Parameter(Mandatory = true, Position = 1, ParameterSetName = "Engine")]
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, ParameterSetName = "Data")]
    [Parameter(Mandatory = true, Position = 1, ValueFromPipeline = true, ParameterSetName = "Path")]
    [ValidateNotNull]
    public object InputData { get; set; } = null!;

    [Parameter]
    public string? Preprocessing { get; set; }

    private protected override void ProcessItem()
    {
        Engine engine = Find();
        Preprocessing? preprocessing = Preprocessing is null ? null : Data.Preprocessing.Read(InputPaths.Full(this, Preprocessing));
        InputSource source = Run((report, _) => Arguments.Source(this, InputData, InputInfoOf(engine), preprocessing, split: false, report));
        using Execution.ExecutionContext context = engine.CreateContext();
        foreach (IReadOnlyDictionary<string, Tensor> inputs in source.Read(CancellationToken.None))
        {
            WriteObject(Run((_, stop) => context.Run(inputs, stop)));
        }
    }

    private Engine Find()
    {
        if (ParameterSetName != "Path")
        {
            Engine live = LiveObjectAttribute.Get<Engine>(Engine, nameof(Engine), "Import-Engine");
            Target = live;
            return live;
        }
        Target = Path;
        return _loaded ??= Run((report, stop) => EngineFile.Load(InputPaths.Resolve(this, Path, literal: false, ErrorCode.EngineNotFound)[0], report, stop));
    }

    internal static IReadOnlyList<InputInfo> InputInfoOf(Engine engine) => [.. engine.Inputs.Select(i => new InputInfo(i.Name, i.DataType, i.HasRank ? i.Shape : null))];

    private protected override void DisposeOwned() => _loaded?.Dispose();
}
