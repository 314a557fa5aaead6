using System.Management.Automation;

namespace TrtTools.Cmdlets;

/// <summary>A cmdlet that takes files: -Path with wildcards, or -LiteralPath.</summary>
public abstract class PathCmdlet : TrtCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ParameterSetName = "Path")]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    [Parameter(Mandatory = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "LiteralPath")]
    [Alias("PSPath")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    private protected abstract ErrorCode Missing { get; }

    private protected abstract void ProcessFile(string path);

    private protected sealed override void ProcessItem()
    {
        bool literal = ParameterSetName == "LiteralPath";
        foreach (string item in literal ? LiteralPath : Path)
        {
            Subject = item;
            Guard(() =>
            {
                foreach (string file in InputPaths.Resolve(this, item, literal, Missing))
                {
                    Subject = file;
                    Guard(() => ProcessFile(file));
                }
            });
        }
    }
}
