using System.Management.Automation;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

/// <summary>A cmdlet that takes engines from the pipeline, or the paths of engine files, which it loads and disposes itself.</summary>
public abstract class EngineCmdlet : TrtCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = "Engine")]
    [LiveObject("TrtTools.Execution.Engine")]
    public PSObject Engine { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = "Path")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    private protected abstract void ProcessEngine(Engine engine);

    private protected sealed override void ProcessItem()
    {
        if (ParameterSetName != "Path")
        {
            Target = Engine;
            Engine live = LiveObjectAttribute.Get<Engine>(Engine, nameof(Engine), "Import-Engine");
            Target = live;
            ProcessEngine(live);
            return;
        }
        foreach (string item in Path)
        {
            Target = item;
            Guard(() =>
            {
                foreach (string file in InputPaths.Resolve(this, item, literal: false, ErrorCode.EngineNotFound))
                {
                    Target = file;
                    Guard(() =>
                    {
                        using Engine loaded = Run((report, stop) => EngineFile.Load(file, report, stop));
                        ProcessEngine(loaded);
                    });
                }
            });
        }
    }
}
