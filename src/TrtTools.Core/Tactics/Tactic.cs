using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>One way to run a region: launches in order. Storages that only it knows (scratch, packed weights) are found in its launches' arguments.</summary>
internal sealed record Tactic
{
    /// <summary>Stable: the lock file and the timing cache know it by this name.</summary>
    public required string Name { get; init; }

    public required IReadOnlyList<TacticLaunch> Launches { get; init; }

    /// <summary>Scratch memory beside the region's own storages, in bytes.</summary>
    public long WorkspaceBytes { get; init; }

    /// <summary>What the launches compute in where that is not the storages' type, such as Tf32; empty otherwise.</summary>
    public string Precision { get; init; } = "";

    /// <summary>Cycles that the model of its own kernel says; 0: there is none.</summary>
    public double ExpectedCycles { get; init; }

    public override string ToString() => Name;
}

/// <summary>One entry of a plan's device segment.</summary>
internal abstract record TacticLaunch
{
    public abstract string Name { get; }

    public abstract IEnumerable<PointerArgument> Pointers { get; }
}

internal sealed record KernelTacticLaunch(KernelLaunch Launch) : TacticLaunch
{
    public override string Name => Launch.Name;

    public override IEnumerable<PointerArgument> Pointers => Launch.Arguments.Select(a => a switch
    {
        PointerArgument pointer => pointer,
        TensorMapArgument map => new PointerArgument(map.Storage, map.Offset, map.Access),
        _ => null,
    }).OfType<PointerArgument>();
}

/// <summary>A call that an adapter in Launch runs.</summary>
internal sealed record LibraryTacticLaunch(string Library, string Operation) : TacticLaunch
{
    public override string Name => $"{Library} {Operation}";

    public required IReadOnlyList<PointerArgument> Operands { get; init; }

    public required IReadOnlyList<DimExpr> Extents { get; init; }

    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>The library's own word for what was chosen.</summary>
    public byte[] Algorithm { get; init; } = [];

    public string Version { get; init; } = "";

    /// <summary>Bytes of the last operand, which is scratch memory; 0: there is none.</summary>
    public long WorkspaceBytes { get; init; }

    public override IEnumerable<PointerArgument> Pointers => Operands;
}

internal sealed record CopyTacticLaunch(PointerArgument From, PointerArgument To, DimExpr Bytes) : TacticLaunch
{
    public override string Name => "copy";

    public override IEnumerable<PointerArgument> Pointers => [From, To];
}

internal sealed record FillTacticLaunch(PointerArgument To, DimExpr Bytes, byte Value) : TacticLaunch
{
    public override string Name => "fill";

    public override IEnumerable<PointerArgument> Pointers => [To];
}
