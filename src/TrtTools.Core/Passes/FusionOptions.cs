namespace TrtTools.Passes;

/// <summary>What Invoke-LayerFusion is asked for.</summary>
public sealed record FusionOptions
{
    /// <summary>Only these patterns fuse.</summary>
    public IReadOnlyList<string>? Pattern { get; init; }

    public IReadOnlyList<string>? Exclude { get; init; }

    /// <summary>YAML files with patterns of the user's own.</summary>
    public IReadOnlyList<string>? PatternPath { get; init; }
}
