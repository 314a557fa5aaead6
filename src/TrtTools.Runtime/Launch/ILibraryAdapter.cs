namespace TrtTools.Launch;

/// <summary>One call of a library as a plan states it, with its extents evaluated for one shape signature.</summary>
internal sealed record LibraryRequest
{
    /// <summary>What is called, such as "matmul"; each adapter says which it knows.</summary>
    public required string Operation { get; init; }

    /// <summary>Numbers of the operation, in the order that the adapter states.</summary>
    public required IReadOnlyList<long> Extents { get; init; }

    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    /// <summary>The library's own word for what was chosen; empty: the adapter asks the library.</summary>
    public ReadOnlyMemory<byte> Algorithm { get; init; }

    /// <summary>The library's version that <see cref="Algorithm"/> is from. Another version makes the adapter ask again.</summary>
    public string Version { get; init; } = "";

    /// <summary>Scratch memory that the plan reserved: the last operand. 0: there is no such operand.</summary>
    public long WorkspaceBytes { get; init; }

    /// <summary>Ends the search for candidates.</summary>
    public CancellationToken Stop { get; init; }

    /// <summary>Names the layer and its ONNX nodes in errors.</summary>
    public string Subject { get; init; } = "";
}

/// <summary>One way that a library knows to run a call: its own word for it, the same for equal questions, and the scratch memory that it needs.</summary>
internal sealed record LibraryCandidate(byte[] Algorithm, long WorkspaceBytes)
{
    /// <summary>The algorithm with what the library compiled for it, to be given instead of it; empty: there is no such thing. It may be another each time.</summary>
    public byte[] Compiled { get; init; } = [];

    /// <summary>What to call it beside its number; may be empty.</summary>
    public string Name { get; init; } = "";
}

/// <summary>A call made ready for one shape signature.</summary>
internal interface IPreparedCall : IDisposable
{
    /// <summary>Puts the work on the stream (a CUstream); allowed while the stream is captured. The addresses are in the order of the plan's operands, workspace last.</summary>
    void Enqueue(ReadOnlySpan<ulong> operands, nint stream);
}

/// <summary>One library's handle in one CUDA context. Not for two threads at a time: each execution context has its own. The CUDA context is current in every call.</summary>
internal interface ILibraryAdapter : IDisposable
{
    /// <summary>The loaded library's version, such as "13.1.0".</summary>
    string Version { get; }

    IPreparedCall Prepare(LibraryRequest request);

    /// <summary>What the library offers for a call, its best guess first; the request's workspace is the limit.</summary>
    IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count);

    /// <summary>A request's algorithm with what the library compiles for it, so that preparing the call compiles nothing.</summary>
    byte[] Compiled(LibraryRequest request) => request.Algorithm.ToArray();
}
