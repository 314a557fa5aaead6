using System.Management.Automation;
using TrtTools.Engines;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Get, "EngineLayer", DefaultParameterSetName = EngineSet)]
[OutputType(typeof(EngineLayer))]
public sealed class GetEngineLayerCommand : EngineCmdlet
{
    private protected override void ProcessEngine(Engine engine) => WriteObject(engine.Layers, enumerateCollection: true);
}
