using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>What Set-GraphInput does with the tensors it names.</summary>
public enum InputAction
{
    /// <summary>Declares another type or shape.</summary>
    Declare,

    /// <summary>Makes a tensor an input, or adds one.</summary>
    Add,

    /// <summary>Takes an input away.</summary>
    Remove,
}

/// <summary>What becomes of a graph's inputs.</summary>
public sealed record InputChangeOptions
{
    /// <summary>Names and patterns.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    public InputAction Action { get; init; }

    public DataType? DataType { get; init; }

    /// <summary>Extents: a whole number, a symbol, or "?" for one that is unknown; null leaves the shape.</summary>
    public IReadOnlyList<string>? Shape { get; init; }

    /// <summary>With <see cref="InputAction.Remove"/>: what the input's readers read from now on.</summary>
    public Tensor? Value { get; init; }

    /// <summary>Symbols of extents and what they become: another symbol, or a number.</summary>
    public IReadOnlyDictionary<string, string> Symbols { get; init; } = new Dictionary<string, string>();

    /// <summary>Leaves what only fed a tensor that is an input now.</summary>
    public bool KeepUnused { get; init; }
}

/// <summary>What Set-GraphOutput does with the tensors it names.</summary>
public enum OutputAction
{
    /// <summary>Declares another type or shape.</summary>
    Declare,

    /// <summary>Makes tensors outputs.</summary>
    Add,

    /// <summary>Takes outputs away.</summary>
    Remove,

    /// <summary>Makes these tensors, in this order, the only outputs.</summary>
    Only,

    /// <summary>Makes every tensor that a node gives an output.</summary>
    All,
}

/// <summary>What becomes of a graph's outputs.</summary>
public sealed record OutputChangeOptions
{
    /// <summary>Names and patterns; with <see cref="OutputAction.All"/> those to leave out.</summary>
    public IReadOnlyList<string> Name { get; init; } = [];

    public OutputAction Action { get; init; }

    public DataType? DataType { get; init; }

    /// <summary>Extents: a whole number, a symbol, or "?" for one that is unknown; null leaves the shape.</summary>
    public IReadOnlyList<string>? Shape { get; init; }

    /// <summary>Leaves what led only to a removed output.</summary>
    public bool KeepUnused { get; init; }
}
