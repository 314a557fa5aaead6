using System.Collections;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Measure, "Engine", DefaultParameterSetName = "Engine")]
[OutputType(typeof(EngineBenchmark))]
public sealed class MeasureEngineCommand : EngineCmdlet
{
    private Engine? _loadedBaseline;

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
    public object? Baseline { get; set; }

    [Parameter]
    public object? InputData { get; set; }

    [Parameter]
    public IDictionary? InputShape { get; set; }

    private protected override void ProcessEngine(Engine engine)
    {
        IReadOnlyDictionary<string, Tensor>? data = InputData is null ? null
            : Run((report, stop) => Arguments.Source(this, InputData, InvokeEngineCommand.InputInfoOf(engine), null, split: false, report).Read(stop).First());
        MeasureOptions options = new()
        {
            Duration = Duration, Iteration = Iteration, WarmUp = WarmUp, Stream = Stream, Profile = Profile, Baseline = FindBaseline(),
            InputData = data, InputShape = Arguments.Shapes(InputShape, nameof(InputShape)),
        };
        EngineBenchmark benchmark = Run((report, stop) => EngineMeasurement.Measure(engine, options, report, stop));
        WriteObject(benchmark);
    }

    private Engine? FindBaseline() => Arguments.Bare(Baseline) switch
    {
        null => null,
        Engine live => live,
        string path => _loadedBaseline ??= Run((report, stop) => EngineFile.Load(InputPaths.Resolve(this, path, literal: false, ErrorCode.EngineNotFound)[0], report, stop)),
        var other => LiveObjectAttribute.Get<Engine>(PSObject.AsPSObject(other), nameof(Baseline), "Import-Engine"),
    };

    private protected override void DisposeOwned() => _loadedBaseline?.Dispose();
}
