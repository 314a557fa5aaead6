using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

/// <summary>A native library that stays loaded for as long as the process lives.</summary>
/// <param name="Version">Its own word for it, such as "13.1.0".</param>
/// <param name="Path">Where it was loaded from, as far as that is known.</param>
internal sealed record LoadedLibrary(nint Handle, string Version, string Path)
{
    /// <summary>Address of an exported function.</summary>
    public nint Export(string name) => TryExport(name, out nint address) ? address
        : throw new TrtToolsException(ErrorCode.NativeLibraryMissing, Path, $"version {Version} lacks {name}", "", "Install a current version of the library");

    public bool TryExport(string name, out nint address) => NativeLibrary.TryGetExport(Handle, name, out address);
}
