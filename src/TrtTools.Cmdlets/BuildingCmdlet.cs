using System.Collections;
using System.Management.Automation;
using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Ir;
using TrtTools.Quantization;

namespace TrtTools.Cmdlets;

/// <summary>A cmdlet that builds engines: what can be asked of a build.</summary>
public abstract class BuildingCmdlet : PipedGraphCmdlet
{
    private CalibrationCache? _cache;
    // A field of a value type of Core or Runtime would have to be resolved when PowerShell first looks at this class, before the module's load
    // context is there.
    private int _device = (int)DeviceKind.Auto;

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
    [ValidateNotNull]
    public object? CalibrationCache { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? CalibrationData { get; set; }

    [Parameter]
    [ValidateNotNull]
    public object? Preprocessing { get; set; }

    [Parameter]
    public DeviceKind Device { get => (DeviceKind)_device; set => _device = (int)value; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int DeviceId { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(OptimizationProfileCompleter))]
    public IDictionary[]? OptimizationProfile { get; set; }

    [Parameter]
    [ValidateNotNull]
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
    [ValidateNotNull]
    [ArgumentCompleter(typeof(LayerPrecisionCompleter))]
    public IDictionary? LayerPrecision { get; set; }

    [Parameter]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(InputFormatCompleter))]
    public IDictionary? InputFormat { get; set; }

    [Parameter]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(OutputFormatCompleter))]
    public IDictionary? OutputFormat { get; set; }

    [Parameter]
    public SwitchParameter NoLibrary { get; set; }

    [Parameter]
    public SwitchParameter Strict { get; set; }

    private protected BuildOptions Options() => new()
    {
        Device = Device, DeviceId = DeviceId, Fp16 = Fp16, Bf16 = Bf16, Tf32 = Tf32, Int8 = Int8, Best = Best,
        CalibrationCache = Cache(), OptimizationProfile = Arguments.Profiles(OptimizationProfile), InputShape = Arguments.Shapes(InputShape, nameof(InputShape)),
        TimingCachePath = TimingCachePath is null ? null : InputPaths.Full(this, TimingCachePath), TacticLockPath = TacticLockPath is null ? null : InputPaths.Full(this, TacticLockPath),
        WorkspaceLimit = WorkspaceLimit, OptimizationLevel = OptimizationLevel, TimeBudget = MyInvocation.BoundParameters.ContainsKey(nameof(TimeBudget)) ? TimeBudget : null,
        LayerPrecision = Arguments.Precisions(LayerPrecision, nameof(LayerPrecision)), InputFormat = Arguments.Texts(InputFormat, nameof(InputFormat)), OutputFormat = Arguments.Texts(OutputFormat, nameof(OutputFormat)),
        NoLibrary = NoLibrary, Strict = Strict,
    };

    // Read once, however many graphs come.
    private CalibrationCache? Cache() => _cache ??= Arguments.Bare(CalibrationCache) switch
    {
        null => null,
        CalibrationCache live => live,
        string or FileSystemInfo => CalibrationCacheFile.Read(InputPaths.Resolve(this, (string)DataArgument.Resolve(this, CalibrationCache)!, literal: true, ErrorCode.DataNotFound)[0]),
        _ => LiveObjectAttribute.Get<CalibrationCache>(PSObject.AsPSObject(CalibrationCache), nameof(CalibrationCache), "Import-CalibrationCache"),
    };
}
