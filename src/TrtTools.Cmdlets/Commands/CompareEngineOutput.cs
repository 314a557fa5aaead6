using System.Collections;
using System.Management.Automation;
using TrtTools.Comparison;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Compare, "EngineOutput", DefaultParameterSetName = EngineSet, SupportsShouldProcess = true)]
[OutputType(typeof(OutputComparison), typeof(LayerDifference))]
public sealed class CompareEngineOutputCommand : EngineCmdlet
{
    private const string OnnxRuntime = "OnnxRuntime";
    private readonly EngineArgument _reference = new();

    // An int: see BuildEngineCommand.
    private int _comparator = (int)ComparatorKind.Scale;

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
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    [Parameter]
    [ValidateRange(0.0, double.MaxValue)]
    public double AbsoluteTolerance { get; set; }

    [Parameter]
    [ValidateRange(0.0, double.MaxValue)]
    public double RelativeTolerance { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int TopK { get; set; } = 5;

    [Parameter]
    public ComparatorKind Comparator { get => (ComparatorKind)_comparator; set => _comparator = (int)value; }

    [Parameter]
    public double Threshold { get; set; }

    [Parameter]
    [ValidateRange(0.0, 1.0)]
    public double Quantile { get; set; } = 0.99;

    [Parameter]
    [ValidateNotNull]
    public IDictionary? OutputTolerance { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? OutputComparator { get; set; }

    [Parameter]
    public SwitchParameter RequireFinite { get; set; }

    [Parameter]
    public SwitchParameter IgnoreShape { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int TopIndex { get; set; }

    [Parameter]
    public SwitchParameter Layer { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? PlotPath { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

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
            Comparator = Comparator, Threshold = MyInvocation.BoundParameters.ContainsKey(nameof(Threshold)) ? Threshold : null, Quantile = Quantile, OutputTolerances = Tolerances(), OutputComparators = ComparatorArgument.Read(OutputComparator), RequireFinite = RequireFinite,
            IgnoreShape = IgnoreShape, TopIndex = TopIndex, PlotPath = Folder(), Force = Force,
        });
        if (Layer)
        {
            if (TopIndex > 0) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Layer", "-TopIndex is about outputs", "Give one or the other", "Compare the outputs in a command of its own");
            WriteObject(Run((PipelineReport report, CancellationToken stop) => LayerComparison.Compare(engine,
                data is null ? options : options with { InputData = DataArgument.Source(data, nameof(InputData), DataArgument.Inputs(engine), images, splitSamples: false, report) }, report, stop)), enumerateCollection: true);
            return;
        }
        WriteObject(Run((PipelineReport report, CancellationToken stop) => EngineComparison.Compare(engine,
            data is null ? options : options with { InputData = DataArgument.Source(data, nameof(InputData), DataArgument.Inputs(engine), images, splitSamples: false, report) }, report, stop)), enumerateCollection: true);
    }

    // @{ logits = 1e-3 } or @{ logits = 1e-3, 1e-2 }: absolute and relative.
    private Dictionary<string, (double?, double?)> Tolerances()
    {
        Dictionary<string, (double?, double?)> tolerances = new(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in OutputTolerance ?? new Hashtable())
        {
            string name = Arguments.Bare(entry.Key)?.ToString() ?? "";
            object?[] items = Arguments.Bare(entry.Value) is IEnumerable many and not string ? [.. many.Cast<object?>().Select(Arguments.Bare)] : [Arguments.Bare(entry.Value)];
            double[] numbers = [.. items.Select(i => LanguagePrimitives.TryConvertTo(i, System.Globalization.CultureInfo.InvariantCulture, out double number) ? number : double.NaN)];
            if (numbers.Length is < 1 or > 2 || numbers.Any(n => !(n >= 0)))
            {
                throw new TrtToolsException(ErrorCode.OptionInvalid, $"-OutputTolerance '{name}'", $"'{string.Join(", ", items)}' was given", "One or two numbers of 0 or more", "Write it as @{ output = 1e-3 } or @{ output = 1e-3, 1e-2 }, absolute and relative");
            }
            tolerances[name] = (numbers[0], numbers.Length > 1 ? numbers[1] : null);
        }
        return tolerances;
    }

    private string? Folder()
    {
        if (PlotPath is null) return null;
        string full = InputPaths.Full(this, PlotPath);
        if (!Directory.Exists(full)) throw new TrtToolsException(ErrorCode.OutputPathInvalid, full, "there is no such folder", "", $"Create it: New-Item -ItemType Directory '{full}'");
        return ShouldProcess(full, "Write pictures of the errors") ? full : null;
    }

    private protected override void DisposeOwned() => _reference.Dispose();

    private static Tensor Expected(string name, object? value) => value is null ? throw new TrtToolsException(ErrorCode.OptionInvalid, $"-Reference '{name}'", "the value is null", "A tensor or an array", "Give one for each output") : Surgery.TensorValues.From(name, value, null);

    // OnnxRuntime, an engine or its file, a graph or a model's file, or expected outputs: a file, a folder, a dictionary.
    private CompareOptions Referring(CompareOptions options)
    {
        object value = Arguments.Bare(Reference)!;
        if (value is string text && string.Equals(text, OnnxRuntime, StringComparison.OrdinalIgnoreCase)) return options;
        if (value is OnnxGraph graph) return options with { ReferenceGraph = graph };
        if (value is IDictionary expected) return options with { Expected = SurgeryArguments.Attributes(expected).ToDictionary(e => e.Key, e => Expected(e.Key, e.Value), StringComparer.Ordinal) };
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
