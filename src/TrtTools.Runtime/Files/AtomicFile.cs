namespace TrtTools.Files;

/// <summary>Writes a file so that its target is absent, old or whole at every moment: to a temporary name beside it, flushed, then moved.</summary>
internal static class AtomicFile
{
    public static void Write(string path, bool overwrite, Action<FileStream> write)
    {
        string full = Path.GetFullPath(path);
        string directory = Path.GetDirectoryName(full) ?? throw Invalid(full, "names no file", "Give a file's path.");
        if (Directory.Exists(full)) throw Invalid(full, "is a folder", "Give a file's path.");
        if (!overwrite && File.Exists(full)) throw Exists(full);
        string temporary = Path.Combine(directory, $".{Path.GetFileName(full)}.{Environment.ProcessId}-{Guid.NewGuid():N}.tmp");
        try
        {
            Directory.CreateDirectory(directory);
            RemoveLeftovers(directory, Path.GetFileName(full));
            using (FileStream stream = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            Move(temporary, full, overwrite);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new TrtToolsException(ErrorCode.OutputPathInvalid, full, $"the file could not be written ({e.Message.TrimEnd('.')})",
                "A folder that can be written to, with room for the file", "Choose another path, or mend the folder's permissions", e);
        }
        finally
        {
            try { File.Delete(temporary); } catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
        }
    }

    /// <summary>How long nothing was written to a temporary file before it can be a leftover: a number that is no process here may be one in another container or on another machine.</summary>
    internal static readonly TimeSpan LeftoverAge = TimeSpan.FromHours(1);

    /// <summary>What processes that were killed in the middle of writing this file left behind. Those of processes that live are theirs.</summary>
    private static void RemoveLeftovers(string directory, string name)
    {
        try
        {
            // Names are compared here: a name may hold what a pattern would take for a wildcard.
            foreach (string left in Directory.EnumerateFiles(directory, "*.tmp", new EnumerationOptions { AttributesToSkip = 0 }))
            {
                ReadOnlySpan<char> rest = Path.GetFileName(left.AsSpan());
                if (!rest.StartsWith($".{name}.", StringComparison.Ordinal)) continue;
                rest = rest[(name.Length + 2)..^".tmp".Length];
                int dash = rest.IndexOf('-');
                if (dash < 1 || rest.Length != dash + 33 || !int.TryParse(rest[..dash], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int process) || !Guid.TryParseExact(rest[(dash + 1)..], "N", out _)) continue;
                if (process != Environment.ProcessId && DateTime.UtcNow - File.GetLastWriteTimeUtc(left) > LeftoverAge && !IsRunning(process)) File.Delete(left);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    private static bool IsRunning(int process)
    {
        try
        {
            using System.Diagnostics.Process found = System.Diagnostics.Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
        catch (Exception)
        {
            // It is there, and no business of ours.
            return true;
        }
    }

    private static void Move(string temporary, string target, bool overwrite)
    {
        try
        {
            File.Move(temporary, target, overwrite);
        }
        catch (IOException) when (!overwrite && File.Exists(target))
        {
            throw Exists(target);
        }
        catch (Exception e) when (OperatingSystem.IsWindows() && overwrite && e is IOException or UnauthorizedAccessException)
        {
            // Windows refuses to replace a mapped file but lets it be renamed; the old content goes when its last user lets go.
            string aside = target + $".{Guid.NewGuid():N}.old";
            File.Move(target, aside);
            File.Move(temporary, target);
            try { File.Delete(aside); } catch (Exception gone) when (gone is IOException or UnauthorizedAccessException) { }
        }
    }

    internal static TrtToolsException Exists(string path) => new(ErrorCode.OutputPathExists, path, "the file exists already", "", "Use -Force to replace it, or give another path");

    private static TrtToolsException Invalid(string path, string found, string next) => new(ErrorCode.OutputPathInvalid, path, found, "", next);
}
