using System.Collections;
using System.Management.Automation;
using TrtTools.Comparison;
using TrtTools.Data;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Compare, "EngineOutput", DefaultParameterSetName = "Engine")]
[OutputType(typeof(OutputComparison))]
public sealed class CompareEngineOutputCommand : EngineCmdlet
{
    /// <summary>The word that stands for the original model in ONNX Runtime.</summary>
    private const string OnnxRuntime = "OnnxRuntime";

    private Engine? _loadedReference;

    [Parameter(Position = 1)]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(ReferenceCompleter))]
    public object Reference { get; set; } = OnnxRuntime;

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ModelPath { get; set; }

    [Parameter]
    public object? InputData { get; set; }

    [Parameter]
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
        Preprocessing? preprocessing = Preprocessing is null ? null : Data.Preprocessing.Read(InputPaths.Full(this, Preprocessing));
        InputSource? data = InputData is null ? null
            : Run((report, _) => Arguments.Source(this, InputData, InvokeEngineCommand.InputInfoOf(engine), preprocessing, split: false, report));
        CompareOptions options = new()
        {
            ModelPath = ModelPath is null ? null : InputPaths.Full(this, ModelPath), InputData = data, InputShape = Arguments.Shapes(InputShape, nameof(InputShape)), TopK = TopK,
            AbsoluteTolerance = Given(nameof(AbsoluteTolerance)) ? AbsoluteTolerance : null, RelativeTolerance = Given(nameof(RelativeTolerance)) ? RelativeTolerance : null,
        };
        options = WithReference(options);
        WriteObject(Run((report, stop) => EngineComparison.Compare(engine, options, report, stop)), enumerateCollection: true);
    }

    private CompareOptions WithReference(CompareOptions options)
    {
        object reference = Arguments.Bare(Reference)!;
        if (reference is Engine live) return options with { ReferenceEngine = live };
        if (reference is not (string or FileSystemInfo))
        {
            return options with { ReferenceEngine = LiveObjectAttribute.Get<Engine>(PSObject.AsPSObject(reference), nameof(Reference), "Import-Engine") };
        }
        string text = reference is FileSystemInfo item ? item.FullName : (string)reference;
        if (string.Equals(text, OnnxRuntime, StringComparison.OrdinalIgnoreCase)) return options;
        string path = InputPaths.Resolve(this, text, literal: false, ErrorCode.DataNotFound, allowFolder: true)[0];
        if (!string.Equals(System.IO.Path.GetExtension(path), EngineFile.Extension, StringComparison.OrdinalIgnoreCase)) return options with { ExpectedPath = path };
        _loadedReference ??= Run((report, stop) => EngineFile.Load(path, report, stop));
        return options with { ReferenceEngine = _loadedReference };
    }

    private bool Given(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);

    private protected override void DisposeOwned() => _loadedReference?.Dispose();
}
