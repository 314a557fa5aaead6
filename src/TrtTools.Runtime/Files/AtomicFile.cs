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
