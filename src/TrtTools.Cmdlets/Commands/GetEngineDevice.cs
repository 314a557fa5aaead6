using System.Management.Automation;
using TrtTools.Cuda;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Get, "EngineDevice")]
[OutputType(typeof(EngineDevice))]
public sealed class GetEngineDeviceCommand : TrtCmdlet
{
    private protected override void ProcessItem() => WriteObject(Run((report, stop) => DeviceProbe.List()), enumerateCollection: true);
}
