using System.Management.Automation;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

/// <summary>A cmdlet that takes engines: live ones, which stay the caller's, or files, which it loads and lets go again.</summary>
public abstract class EngineCmdlet : TrtCmdlet
{
    private protected const string EngineSet = "Engine", PathSet = "Path", LiteralPathSet = "LiteralPath";

    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = EngineSet)]
    [LiveObject("TrtTools.Execution.Engine")]
    [PSTypeName("TrtTools.Execution.Engine")]
    [ValidateNotNull]
    public PSObject Engine { get; set; } = null!;

    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = LiteralPathSet)]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    private protected abstract void ProcessEngine(Engine engine);

    private protected sealed override void ProcessItem()
    {
        if (ParameterSetName == EngineSet)
        {
            Subject = Engine;
            if (LiveObjectAttribute.FilePath(Engine) is { } file)
            {
                ProcessFiles([file], literal: true);
                return;
            }
            Engine engine = LiveObjectAttribute.Get<Engine>(Engine, nameof(Engine), "Import-Engine");
            Subject = engine;
            ProcessEngine(engine);
            return;
        }
        ProcessFiles(ParameterSetName == LiteralPathSet ? LiteralPath : Path, ParameterSetName == LiteralPathSet);
    }

    private void ProcessFiles(string[] items, bool literal)
    {
        foreach (string item in items)
        {
            Subject = item;
            Guard(() =>
            {
                foreach (string file in InputPaths.Resolve(this, item, literal, ErrorCode.EngineNotFound))
                {
                    Subject = file;
                    Guard(() =>
                    {
                        using Engine engine = Load(file);
                        ProcessEngine(engine);
                    });
                }
            });
        }
    }
}
