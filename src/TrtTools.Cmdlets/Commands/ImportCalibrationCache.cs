using System.Management.Automation;
using TrtTools.Quantization;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Import, "CalibrationCache", DefaultParameterSetName = "Path")]
[OutputType(typeof(CalibrationCache))]
public sealed class ImportCalibrationCacheCommand : PathCmdlet
{
    private protected override ErrorCode Missing => ErrorCode.DataNotFound;

    private protected override void ProcessFile(string path) => WriteObject(CalibrationCacheFile.Read(path));
}
