using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>What a source says of a region: a tactic, or why it has none.</summary>
internal sealed record Offer
{
    private Offer(string name, Tactic? tactic, string reason) => (Name, Tactic, Reason) = (name, tactic, reason);

    public string Name { get; }

    public Tactic? Tactic { get; }

    /// <summary>Why there is no tactic, such as "needs 48 MB of workspace, the limit is 32 MB"; empty when there is one.</summary>
    public string Reason { get; }

    public static Offer Of(Tactic tactic) => new(tactic.Name, tactic, "");

    public static Offer Rejected(string name, string reason) => new(name, null, reason);

    public override string ToString() => Tactic is null ? $"{Name}: {Reason}" : Name;
}

/// <summary>What every source has to know of a build.</summary>
internal sealed record TacticContext
{
    /// <summary>What kernels are compiled for, such as "sm_90a".</summary>
    public required string Architecture { get; init; }

    /// <summary>Compute capability, such as 90.</summary>
    public required int Capability { get; init; }

    public int Multiprocessors { get; init; }

    /// <summary>Most scratch memory that a tactic may use, in bytes.</summary>
    public long WorkspaceLimit { get; init; } = DefaultWorkspaceLimit;

    /// <summary>Matrix products and convolutions of Float32 may be computed in TF32.</summary>
    public bool Tf32 { get; init; }

    /// <summary>The symbols' values that tactics are chosen for.</summary>
    public required IReadOnlyDictionary<string, long> Symbols { get; init; }

    /// <summary>The largest value of each symbol, where a profile says so.</summary>
    public IReadOnlyDictionary<string, long> Maximum { get; init; } = new Dictionary<string, long>();

    /// <summary>Also tactics that are rarely the fastest: OptimizationLevel 4 and 5.</summary>
    public bool Thorough { get; init; }

    /// <summary>What cuBLASLt wants on Hopper.</summary>
    public const long DefaultWorkspaceLimit = 32L << 20;

    /// <summary>An extent in the shapes that tactics are chosen for; null when it is known only at run time.</summary>
    public long? Value(DimExpr extent) => extent.Evaluate(Symbols);
}

/// <summary>Knows one way to run regions. The order of what it offers is fixed by region and context: ties are decided by it.</summary>
internal interface ITacticSource
{
    /// <summary>Prefix of its tactics' names, such as "cublasLt".</summary>
    string Name { get; }

    /// <summary>What the names of all its tactics begin with.</summary>
    string Prefix => "";

    /// <summary>Whether it leaves the engine needing a library beside the driver.</summary>
    bool IsLibrary { get; }

    IEnumerable<Offer> Offers(Region region, TacticContext context);

    /// <summary>Begins to find out, on other threads, what the regions' offers will ask, in this order.</summary>
    void Prepare(IReadOnlyList<Region> regions, TacticContext context, CancellationToken stop) { }

    /// <summary>Whether there is anything to ask about a region: false where it is rejected for what it is.</summary>
    bool Takes(Region region, TacticContext context) => true;
}
