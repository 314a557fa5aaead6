using System.Collections;
using System.Management.Automation;
using TrtTools.Comparison;
using TrtTools.Data;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Compare, "EngineOutput", DefaultParameterSetName = EngineSet)]
[OutputType(typeof(OutputComparison))]
public sealed class CompareEngineOutputCommand : EngineCmdlet
{
    private const string OnnxRuntime = "OnnxRuntime";
    private readonly EngineArgument _reference = new();

    [Parameter(Position = 1)]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(ReferenceCompleter))]
    public object Reference { get; set; } = OnnxRuntime;

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ModelPath { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? InputData { get; set; }

    [Parameter]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(InputShapeCompleter))]
    public IDictionary? InputShape { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Preprocessing { get; set; }

    [Parameter]
    [ValidateRange(0.0, double.MaxValue)]
    public double AbsoluteTolerance { get; set; }

    [Parameter]
    [ValidateRange(0.0, double.MaxValue)]
    public double RelativeTolerance { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int TopK { get; set; } = 5;

    private protected override void ProcessEngine(Engine engine)
    {
        object? data = DataArgument.Resolve(this, InputData);
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        CompareOptions options = Referring(new CompareOptions
        {
            ModelPath = ModelPath is null ? null : InputPaths.Resolve(this, ModelPath, literal: true, ErrorCode.ModelNotFound)[0],
            InputShape = Arguments.Shapes(InputShape, nameof(InputShape)), TopK = TopK,
            AbsoluteTolerance = MyInvocation.BoundParameters.ContainsKey(nameof(AbsoluteTolerance)) ? AbsoluteTolerance : null,
            RelativeTolerance = MyInvocation.BoundParameters.ContainsKey(nameof(RelativeTolerance)) ? RelativeTolerance : null,
        });
        WriteObject(Run((PipelineReport report, CancellationToken stop) => EngineComparison.Compare(engine,
            data is null ? options : options with { InputData = DataArgument.Source(data, nameof(InputData), DataArgument.Inputs(engine), images, splitSamples: false, report) }, report, stop)), enumerateCollection: true);
    }

    private protected override void DisposeOwned() => _reference.Dispose();

    // OnnxRuntime, an engine or its file, another model's file, or expected outputs.
    private CompareOptions Referring(CompareOptions options)
    {
        object value = Arguments.Bare(Reference)!;
        if (value is string text && string.Equals(text, OnnxRuntime, StringComparison.OrdinalIgnoreCase)) return options;
        if (value is not (string or FileSystemInfo)) return options with { ReferenceEngine = _reference.Get(this, Reference, nameof(Reference)) };
        string path = (string)DataArgument.Resolve(this, value)!;
        if (!File.Exists(path) && !Directory.Exists(path)) throw InputPaths.Missing(path, ErrorCode.DataNotFound);
        return System.IO.Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".onnx" => options with { ModelPath = path },
            EngineFile.Extension => options with { ReferenceEngine = _reference.Get(this, path, nameof(Reference)) },
            _ => options with { ExpectedPath = path },
        };
    }
}
