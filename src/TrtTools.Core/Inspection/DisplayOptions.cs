using TrtTools.Execution;

namespace TrtTools.Inspection;

/// <summary>How a graph is shown.</summary>
public enum DisplayForm
{
    /// <summary>Lines to read.</summary>
    Text,

    /// <summary>Graphviz's language.</summary>
    Dot,

    /// <summary>A picture.</summary>
    Svg,

    /// <summary>One page with everything in it, to look around in.</summary>
    Html,
}

/// <summary>How much of a graph is shown; each level has what the one before has.</summary>
public enum DisplayDetail
{
    /// <summary>Inputs, outputs and counts.</summary>
    Model,

    /// <summary>The nodes with their inputs and outputs.</summary>
    Layers,

    /// <summary>Their attributes too.</summary>
    Attributes,

    /// <summary>The weights' values too.</summary>
    Weights,
}

/// <summary>What to show of a graph.</summary>
public sealed record DisplayOptions
{
    public DisplayForm Form { get; init; }

    public DisplayDetail Detail { get; init; } = DisplayDetail.Layers;

    /// <summary>An engine built from the graph's model, whose layers and times are shown.</summary>
    public Engine? Engine { get; init; }
}
