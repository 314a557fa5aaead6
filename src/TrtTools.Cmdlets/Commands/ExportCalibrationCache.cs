using System.Management.Automation;
using TrtTools.Quantization;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Export, "CalibrationCache", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportCalibrationCacheCommand : TrtCmdlet
{
    private OutputPaths? _paths;

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNull]
    public object Path { get; set; } = "";

    [Parameter(Mandatory = true, ValueFromPipeline = true)]
    [Alias("Cache")]
    [LiveObject("TrtTools.Quantization.CalibrationCache")]
    [PSTypeName("TrtTools.Quantization.CalibrationCache")]
    [ValidateNotNull]
    public PSObject CalibrationCache { get; set; } = null!;

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void ProcessItem()
    {
        Subject = CalibrationCache;
        CalibrationCache cache = LiveObjectAttribute.Get<CalibrationCache>(CalibrationCache, nameof(CalibrationCache), "Import-CalibrationCache");
        Subject = cache;
        string path = (_paths ??= new OutputPaths(this)).Resolve(Path, cache, cache.Model.Length > 0 ? cache.Model : "calibration", ".cache", Force);
        if (!ShouldProcess(path, "Export calibration cache")) return;
        CalibrationCacheFile.Write(cache, path, Force);
        if (PassThru) WriteObject(new FileInfo(path));
    }
}
