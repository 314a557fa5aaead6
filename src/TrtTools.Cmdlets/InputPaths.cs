using System.Collections.ObjectModel;
using System.Management.Automation;

namespace TrtTools.Cmdlets;

/// <summary>Turns -Path and -LiteralPath into full paths of files that exist.</summary>
internal static class InputPaths
{
    /// <summary>The files of one -Path item (with wildcards) or one -LiteralPath item, in the provider's order.</summary>
    /// <param name="missing">The error code when nothing is there.</param>
    public static IReadOnlyList<string> Resolve(PSCmdlet cmdlet, string item, bool literal, ErrorCode missing, bool allowFolder = false)
    {
        string full = Full(cmdlet, item);
        if (File.Exists(full) || (allowFolder && Directory.Exists(full))) return [full];
        if (!literal && WildcardPattern.ContainsWildcardCharacters(item))
        {
            List<string> matches = Match(cmdlet, item, allowFolder);
            if (matches.Count > 0) return matches;
            throw new TrtToolsException(missing, item, "no file matches", "", "Check the pattern and the folder; relative paths start at $PWD");
        }
        if (Directory.Exists(full))
        {
            throw new TrtToolsException(missing, full, "it is a folder", "", $"Name the file, or several with a wildcard such as {Path.Combine(item, "*")}");
        }
        throw Missing(full, missing);
    }

    /// <summary>The full path of something that needn't exist; relative to the session's location, not to the process's.</summary>
    public static string Full(PSCmdlet cmdlet, string path)
    {
        try
        {
            string full = cmdlet.SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out ProviderInfo provider, out _);
            if (provider.Name != "FileSystem") throw new TrtToolsException(ErrorCode.FileNotReadable, path, $"it lies on the {provider.Name} drive", "", "Give a path of the file system");
            return Path.GetFullPath(full);
        }
        catch (Exception e) when (e is System.Management.Automation.DriveNotFoundException or ProviderNotFoundException or NotSupportedException or ArgumentException or ProviderInvocationException)
        {
            throw new TrtToolsException(ErrorCode.FileNotReadable, path, $"it is no path of the file system ({e.Message.TrimEnd('.')})", "", "Check drive and spelling", e);
        }
    }

    /// <summary>The error for a file that isn't there, with the names that look most like it.</summary>
    public static TrtToolsException Missing(string full, ErrorCode code)
    {
        string folder = Folder(full);
        if (!Directory.Exists(folder)) return new TrtToolsException(code, full, "no such file", $"The folder {folder} does not exist", "Check the path; relative paths start at $PWD");
        IReadOnlyList<string> near = Nearest(Path.GetFileName(full), Names(folder));
        string next = near.Count > 0 ? $"Did you mean {string.Join(" or ", near.Select(n => $"'{n}'"))}?" : "Check the path; relative paths start at $PWD";
        return new TrtToolsException(code, full, "no such file", "", next);
    }

    /// <summary>Up to three names within a third of their length in edits, nearest first.</summary>
    public static IReadOnlyList<string> Nearest(string wanted, IEnumerable<string> names) =>
        [.. names.Select(n => (Name: n, Distance: EditDistance.Of(wanted, n)))
            .Where(n => n.Distance <= Math.Max(2, Math.Max(wanted.Length, n.Name.Length) / 3))
            .OrderBy(n => n.Distance).ThenBy(n => n.Name, StringComparer.Ordinal).Take(3).Select(n => n.Name)];

    private static List<string> Match(PSCmdlet cmdlet, string item, bool allowFolder)
    {
        try
        {
            Collection<string> found = cmdlet.SessionState.Path.GetResolvedProviderPathFromPSPath(item, out ProviderInfo provider);
            return provider.Name == "FileSystem" ? [.. found.Where(f => File.Exists(f) || (allowFolder && Directory.Exists(f))).Select(Path.GetFullPath)] : [];
        }
        catch (Exception e) when (e is ItemNotFoundException or WildcardPatternException or ProviderInvocationException)
        {
            return [];
        }
    }

    private static string Folder(string full) => Path.GetDirectoryName(full) ?? full;

    private static IEnumerable<string> Names(string folder)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder).Take(2000).Select(f => Path.GetFileName(f)!)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
