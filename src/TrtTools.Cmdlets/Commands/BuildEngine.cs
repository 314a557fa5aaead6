using System.Collections;
using System.Management.Automation;
using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

[Cmdlet("Build", "Engine", SupportsShouldProcess = true)]
[OutputType(typeof(Engine))]
public sealed class BuildEngineCommand : GraphWriterCmdlet
{
    private OutputPaths? _paths;
    // A field of one of Core's or Runtime's value types would have to be resolved when PowerShell first looks at this class, before the module's
    // load context is there.
    private int _device = (int)DeviceKind.Auto;

    [Parameter(Position = 0)]
    [ValidateNotNull]
    public object? OutputPath { get; set; }

    [Parameter]
    public SwitchParameter Fp16 { get; set; }

    [Parameter]
    public SwitchParameter Bf16 { get; set; }

    [Parameter]
    public SwitchParameter Tf32 { get; set; }

    [Parameter]
    public SwitchParameter Int8 { get; set; }

    [Parameter]
    public SwitchParameter Best { get; set; }

    [Parameter]
    public object? CalibrationCache { get; set; }

    [Parameter]
    public object? CalibrationData { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Preprocessing { get; set; }

    [Parameter]
    public DeviceKind Device { get => (DeviceKind)_device; set => _device = (int)value; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int DeviceId { get; set; }

    [Parameter]
    [ArgumentCompleter(typeof(OptimizationProfileCompleter))]
    public IDictionary[]? OptimizationProfile { get; set; }

    [Parameter]
    [ArgumentCompleter(typeof(InputShapeCompleter))]
    public IDictionary? InputShape { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? TimingCachePath { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? TacticLockPath { get; set; }

    [Parameter]
    [ValidateRange(0L, long.MaxValue)]
    public long WorkspaceLimit { get; set; }

    [Parameter]
    [ValidateRange(0, 5)]
    public int OptimizationLevel { get; set; } = 3;

    [Parameter]
    [ValidateRange(0.0, double.MaxValue)]
    public double TimeBudget { get; set; }

    [Parameter]
    [ArgumentCompleter(typeof(LayerPrecisionCompleter))]
    public IDictionary? LayerPrecision { get; set; }

    [Parameter]
    public IDictionary? InputFormat { get; set; }

    [Parameter]
    public IDictionary? OutputFormat { get; set; }

    [Parameter]
    public SwitchParameter NoLibrary { get; set; }

    [Parameter]
    public SwitchParameter Strict { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        string? path = OutputPath is null ? null : (_paths ??= new OutputPaths(this)).Resolve(OutputPath, graph, graph.Name, EngineFile.Extension, Force);
        BuildOptions options = Options(graph);
        bool whatIf = !ShouldProcess(path ?? graph.Name, path is null ? "Build an engine in memory" : "Build an engine and write it");
        if (whatIf)
        {
            foreach (string line in Run((_, _) => EngineBuilder.Check(graph, options))) WriteVerbose(line);
            return;
        }
        Engine engine = Run((report, stop) =>
        {
            Engine built = EngineBuilder.Build(graph, options, report, stop);
            try
            {
                stop.ThrowIfCancellationRequested();
                if (path is not null) EngineFile.Save(built, path, Force);
                return built;
            }
            catch
            {
                built.Dispose();
                throw;
            }
        });
        WriteObject(engine);
    }

    private BuildOptions Options(OnnxGraph graph)
    {
        Preprocessing? preprocessing = Preprocessing is null ? null : Data.Preprocessing.Read(InputPaths.Full(this, Preprocessing));
        return new BuildOptions
        {
            Fp16 = Fp16, Bf16 = Bf16, Tf32 = Tf32, Int8 = Int8, Best = Best, Device = Device, DeviceId = DeviceId,
            CalibrationData = CalibrationData is null ? null : Run((report, _) => Arguments.Source(this, CalibrationData, InputInfo.Of(graph), preprocessing, split: true, report)),
            OptimizationProfile = Arguments.Profiles(OptimizationProfile), InputShape = Arguments.Shapes(InputShape, nameof(InputShape)),
            TimingCachePath = TimingCachePath is null ? null : InputPaths.Full(this, TimingCachePath), TacticLockPath = TacticLockPath is null ? null : InputPaths.Full(this, TacticLockPath),
            WorkspaceLimit = WorkspaceLimit, OptimizationLevel = OptimizationLevel, TimeBudget = MyInvocation.BoundParameters.ContainsKey(nameof(TimeBudget)) ? TimeBudget : null,
            LayerPrecision = Arguments.Precisions(LayerPrecision, nameof(LayerPrecision)), InputFormat = Arguments.Texts(InputFormat, nameof(InputFormat)),
            OutputFormat = Arguments.Texts(OutputFormat, nameof(OutputFormat)), NoLibrary = NoLibrary, Strict = Strict,
        };
    }
}
