namespace TrtTools.Debugging;

/// <summary>What a check found of one candidate.</summary>
public enum CheckOutcome
{
    Good,

    /// <summary>The fault that is looked for.</summary>
    Bad,

    /// <summary>It failed, but for another reason. Searches take it like a good one: the fault was not seen.</summary>
    Other,
}

/// <summary>The outcome of a check, and why.</summary>
public sealed record CheckVerdict(CheckOutcome Outcome, string Reason = "");

/// <summary>One check of a search, as the result lists it and the replay file keeps it.</summary>
public sealed record DebugCheck
{
    /// <summary>Place among the checks of this search, from 1.</summary>
    public required int Index { get; init; }

    /// <summary>What the search was doing: Whole, Bisect, Branch, Linear …</summary>
    public required string Stage { get; init; }

    /// <summary>The candidate in short: which nodes or layers.</summary>
    public required string Candidate { get; init; }

    /// <summary>Nodes of the candidate model; layers kept in FP32 where precision is searched.</summary>
    public required int Count { get; init; }

    public required CheckOutcome Outcome { get; init; }

    public required string Reason { get; init; }

    public required double Seconds { get; init; }

    /// <summary>It was not run again: the replay file knew it.</summary>
    public required bool Replayed { get; init; }
}
