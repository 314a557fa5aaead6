using System.Security.Cryptography;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>What tactics of all libraries share: requests, scratch memory, alignment.</summary>
internal static class LibraryWorkspace
{
    /// <summary>Storages start at multiples of this.</summary>
    private const int StorageAlignment = 256;

    /// <summary>A tactic of one call. Scratch memory is a storage of its own, so that the runtime places it in the arena.</summary>
    public static Tactic Tactic(string name, LibraryTacticLaunch call, byte[] algorithm, string version, long workspaceBytes, string precision)
    {
        List<PointerArgument> operands = [.. call.Operands];
        if (workspaceBytes > 0) operands.Add(new PointerArgument(new Storage("workspace", StorageKind.Scratch, DataType.UInt8, workspaceBytes), DimExpr.Zero, Access.Write));
        return new Tactic
        {
            Name = name, Launches = [call with { Operands = operands, Algorithm = algorithm, Version = version, WorkspaceBytes = workspaceBytes }], WorkspaceBytes = workspaceBytes, Precision = precision,
        };
    }

    /// <summary>Such as "cublasLt:1f0c33a2": the library's own word for the algorithm, so that the name means the same in the next build.</summary>
    public static string NameOf(string library, LibraryCandidate candidate) => $"{library}:{(candidate.Name.Length > 0 ? candidate.Name + ":" : "")}{Convert.ToHexStringLower(SHA256.HashData(candidate.Algorithm))[..8]}";

    /// <summary>The call in the shapes that tactics are chosen for; null when one is not known.</summary>
    public static LibraryRequest? Request(LibraryTacticLaunch call, TacticContext context, long workspaceBytes)
    {
        long[] extents = new long[call.Extents.Count];
        for (int i = 0; i < extents.Length; i++)
        {
            if (context.Value(call.Extents[i]) is not { } value) return null;
            extents[i] = value;
        }
        return new LibraryRequest { Operation = call.Operation, Extents = extents, Settings = call.Settings, WorkspaceBytes = workspaceBytes };
    }

    /// <summary>Bytes that an address is a multiple of, whatever the shapes are.</summary>
    public static int Alignment(Storage storage, DimExpr offset)
    {
        int size = Math.Max(1, storage.Type.BitSize() / 8);
        if (!offset.TryGetValue(out long elements)) return size;
        long bytes = elements * size;
        int alignment = StorageAlignment;
        while (bytes % alignment != 0) alignment /= 2;
        return Math.Max(alignment, 1);
    }
}
