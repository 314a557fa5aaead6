using System.Collections.Specialized;
using TrtTools.Data;
using TrtTools.Ir;

namespace TrtTools.Debugging;

/// <summary>How a model is made smaller. They run in this order, whatever order they are given in.</summary>
[Flags]
public enum ReductionModes
{
    /// <summary>Halves of the nodes in the order they run, then pieces of what is left.</summary>
    Bisect = 1,

    /// <summary>Leaves out what does not lead to the last node, and what the first does not lead to.</summary>
    Branch = 2,

    /// <summary>Leaves out one node after the other, until none can be missed.</summary>
    Linear = 4,
}

/// <summary>What Debug-OnnxModel is asked for.</summary>
public sealed record ReductionOptions
{
    public ReductionModes Mode { get; init; } = ReductionModes.Bisect | ReductionModes.Branch | ReductionModes.Linear;

    /// <summary>Also look for a good model near the one that is found.</summary>
    public bool MinimumGood { get; init; }

    /// <summary>Checks at most; 0: no limit. The smallest bad model so far is given then.</summary>
    public int MaximumCheck { get; init; }

    /// <summary>The first sample is the model's inputs; made up when null.</summary>
    public InputSource? InputData { get; init; }

    public string? ReplayPath { get; init; }

    /// <summary>The check's text and what else decides its outcome, for the replay file.</summary>
    public string CheckText { get; init; } = "";
}

/// <summary>The smallest part of a model that still fails.</summary>
public sealed record ModelReduction
{
    public required string Model { get; init; }

    public required string? Path { get; init; }

    /// <summary>The part.</summary>
    public required OnnxGraph Graph { get; init; }

    /// <summary>With -MinimumGood: of the parts that passed the one nearest to it; null when none passed.</summary>
    public required OnnxGraph? GoodGraph { get; init; }

    /// <summary>Names of the part's nodes, without those that only hold a constant.</summary>
    public required string[] Node { get; init; }

    public required string[] OpType { get; init; }

    public required int NodeCount { get; init; }

    public required int OriginalNodeCount { get; init; }

    /// <summary>How many candidates were looked at, those from the replay file included.</summary>
    public required int CheckCount { get; init; }

    /// <summary>What the check said of the part.</summary>
    public required string Reason { get; init; }

    /// <summary>False when the limit of checks ended the search.</summary>
    public required bool Complete { get; init; }

    /// <summary>Input name → Tensor with which the part fails; null where ONNX Runtime does not run the model.</summary>
    public required OrderedDictionary? InputData { get; init; }

    /// <summary>Output name → Tensor that the part should give, according to ONNX Runtime on the whole model.</summary>
    public required OrderedDictionary? Expected { get; init; }

    public required DebugCheck[] Check { get; init; }
}
