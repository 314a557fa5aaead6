using System.Management.Automation;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Import, "Engine", DefaultParameterSetName = "Path")]
[OutputType(typeof(Engine))]
public sealed class ImportEngineCommand : PathCmdlet
{
    [Parameter]
    [ValidateRange(0, 1023)]
    public int? DeviceId { get; set; }

    private protected override ErrorCode Missing => ErrorCode.EngineNotFound;

    private protected override void ProcessFile(string path) => WriteObject(Run((report, stop) => EngineFile.Load(path, report, stop, DeviceId)));
}
