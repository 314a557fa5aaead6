using System.Management.Automation;
using TrtTools.Engines;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Get, "EngineInfo", DefaultParameterSetName = "Path")]
[OutputType(typeof(EngineInfo))]
public sealed class GetEngineInfoCommand : PathCmdlet
{
    private protected override ErrorCode Missing => ErrorCode.EngineNotFound;

    private protected override void ProcessFile(string path) => WriteObject(EngineFile.ReadInfo(path));
}
