using TrtTools.Data;

namespace TrtTools.Inspection;

/// <summary>What a box of a diagram stands for.</summary>
internal enum BoxKind
{
    Input, Output, Node,
}

/// <summary>A tensor at a node, as a diagram tells of it.</summary>
/// <param name="Constant">The content's type and values, when it is a constant.</param>
internal sealed record DiagramTensor(string Name, string Type, string? Constant, TensorStatistic? Statistic);

/// <summary>A box. Positions are of its middle.</summary>
internal sealed class DiagramBox
{
    public required int Id { get; init; }

    public required BoxKind Kind { get; init; }

    /// <summary>The operator, or the tensor's name.</summary>
    public required string Title { get; init; }

    public required string Name { get; init; }

    /// <summary>What the legend calls its kind of work.</summary>
    public required string Category { get; init; }

    /// <summary>The subgraph it stands in, such as "if_3 then_branch"; empty in the main graph.</summary>
    public string Scope { get; init; } = "";

    public string Domain { get; init; } = "";

    /// <summary>Small lines under the title.</summary>
    public List<string> Lines { get; } = [];

    public List<(string Name, string Text)> Attributes { get; } = [];

    public List<DiagramTensor> Inputs { get; } = [];

    public List<DiagramTensor> Outputs { get; } = [];

    /// <summary>Nodes of the imported model that it stands for.</summary>
    public IReadOnlyList<string> Sources { get; init; } = [];

    /// <summary>The fused function, or the engine layer of several nodes, that it belongs to.</summary>
    public string? Group { get; set; }

    /// <summary>The engine layer that computes it.</summary>
    public string? Layer { get; set; }

    /// <summary>The layer's time in milliseconds.</summary>
    public double? LayerMs { get; set; }

    /// <summary>The layer's share of the engine's time, in percent.</summary>
    public double? LayerPercent { get; set; }

    public double X { get; set; }

    public double Y { get; set; }

    public double Width { get; set; }

    public double Height { get; set; }
}

/// <summary>A line from one box to another; several tensors between the same two share one.</summary>
internal sealed class DiagramLine
{
    public required int From { get; init; }

    public required int To { get; init; }

    public List<DiagramTensor> Tensors { get; } = [];

    /// <summary>The points it goes through, ends included.</summary>
    public IReadOnlyList<(double X, double Y)> Points { get; set; } = [];

    /// <summary>It leaves its part of the layout, so it is drawn as a curve behind the boxes.</summary>
    public bool IsFar { get; set; }
}

/// <summary>A graph as boxes and lines.</summary>
internal sealed class Diagram
{
    public required string Title { get; init; }

    /// <summary>Facts about the model: name and text.</summary>
    public List<(string Name, string Text)> Facts { get; } = [];

    public List<DiagramBox> Boxes { get; } = [];

    public List<DiagramLine> Lines { get; } = [];

    /// <summary>The engine whose times are shown.</summary>
    public string? Engine { get; set; }

    public double EngineMs { get; set; }

    public double Left { get; set; }

    public double Top { get; set; }

    public double Right { get; set; }

    public double Bottom { get; set; }
}
