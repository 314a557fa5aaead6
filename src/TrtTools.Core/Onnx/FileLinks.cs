using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace TrtTools.Onnx;

/// <summary>Where a path leads once all links are followed.</summary>
internal static partial class FileLinks
{
    /// <summary>The path with every link in it followed, folders' too.</summary>
    public static string Resolve(string path)
    {
        string full = Path.GetFullPath(path);
        for (int hops = 0; hops < 40; hops++)
        {
            string root = Path.GetPathRoot(full)!;
            string at = root;
            string[] parts = full[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
            string? followed = null;
            for (int i = 0; i < parts.Length && followed is null; i++)
            {
                at = Path.Combine(at, parts[i]);
                FileSystemInfo entry = Directory.Exists(at) ? new DirectoryInfo(at) : new FileInfo(at);
                if (entry.LinkTarget is { } target) followed = Path.GetFullPath(Path.Combine([Path.GetDirectoryName(at)!, target, .. parts.Skip(i + 1)]));
            }
            if (followed is null) return full;
            full = followed;
        }
        return full;
    }

    public static bool IsInside(string path, string folder) =>
        path.StartsWith(Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar, OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);

    /// <summary>True when the file has another name somewhere on its disk; false also where the system can't tell.</summary>
    public static unsafe bool HasSeveralNames(string path)
    {
        if (OperatingSystem.IsLinux())
        {
            const int CurrentFolder = -100;
            const uint LinkCount = 4;
            byte* answer = stackalloc byte[256];
            // struct statx: the mask of what was filled in, then block size, attributes, and at byte 16 the number of links.
            return statx(CurrentFolder, path, 0, LinkCount, answer) == 0 && (*(uint*)answer & LinkCount) != 0 && *(uint*)(answer + 16) > 1;
        }
        if (OperatingSystem.IsWindows())
        {
            using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            uint* answer = stackalloc uint[13];
            // BY_HANDLE_FILE_INFORMATION: the number of links is its eleventh word.
            return GetFileInformationByHandle(handle, answer) != 0 && answer[10] > 1;
        }
        return false;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int statx(int folder, string path, int flags, uint mask, byte* answer);

    [LibraryImport("kernel32")]
    private static unsafe partial int GetFileInformationByHandle(SafeFileHandle file, uint* answer);
}
