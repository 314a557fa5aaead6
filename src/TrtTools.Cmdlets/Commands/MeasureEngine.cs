using System.Collections;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Measure, "Engine", DefaultParameterSetName = EngineSet)]
[OutputType(typeof(EngineBenchmark))]
public sealed class MeasureEngineCommand : EngineCmdlet
{
    private readonly EngineArgument _baseline = new();

    [Parameter]
    [ValidateRange(0.0, 86400.0)]
    public double Duration { get; set; } = 3;

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int Iteration { get; set; } = 10;

    [Parameter]
    [ValidateRange(0.0, 3600000.0)]
    public double WarmUp { get; set; } = 200;

    [Parameter]
    [ValidateRange(1, 1024)]
    public int Stream { get; set; } = 1;

    [Parameter]
    public SwitchParameter Profile { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Baseline { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? InputData { get; set; }

    [Parameter]
    [ValidateNotNull]
    public IDictionary? InputShape { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    private protected override void ProcessEngine(Engine engine)
    {
        object? data = DataArgument.Resolve(this, InputData);
        Preprocessing? images = DataArgument.Preprocessing(this, Preprocessing);
        Engine? baseline = Baseline is null ? null : _baseline.Get(this, Baseline, nameof(Baseline));
        IReadOnlyDictionary<string, long[]>? shapes = Arguments.Shapes(InputShape, nameof(InputShape));
        WriteObject(Run((PipelineReport report, CancellationToken stop) =>
        {
            IReadOnlyDictionary<string, Tensor>? inputs = data is null ? null
                : DataArgument.Source(data, nameof(InputData), DataArgument.Inputs(engine), images, splitSamples: false, report).Read(stop).FirstOrDefault()
                    ?? throw new TrtToolsException(ErrorCode.DataNotFound, $"-{nameof(InputData)}", "it holds no samples", "", "Give other data");
            MeasureOptions options = new()
            {
                Duration = Duration, Iteration = Iteration, WarmUp = WarmUp, Stream = Stream, Profile = Profile, Baseline = baseline, InputData = inputs, InputShape = shapes,
            };
            return EngineMeasurement.Measure(engine, options, report, stop);
        }));
    }

    private protected override void DisposeOwned() => _baseline.Dispose();
}
