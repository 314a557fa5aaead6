namespace TrtTools.Launch;

/// <summary>The libraries whose calls a plan may hold.</summary>
internal static class LibraryAdapters
{
    /// <summary>An adapter for the CUDA context that is current. A library that is not installed is an error that says how to get it.</summary>
    public static ILibraryAdapter Create(string library, string engine) => library switch
    {
        CublasLtAdapter.Library => new CublasLtAdapter(),
        CudnnAdapter.Library => new CudnnAdapter(),
        _ => throw new TrtToolsException(ErrorCode.EngineIncompatible, engine, $"it calls the library '{library}', which this version does not know", "", "Use a version of TrtTools that knows it, or build the engine again with -NoLibrary"),
    };
}
