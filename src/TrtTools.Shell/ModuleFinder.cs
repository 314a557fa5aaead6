namespace TrtTools.Shell;

/// <summary>Finds the module that a build left, from where this program lies.</summary>
internal static class ModuleFinder
{
    /// <summary>Names a module folder elsewhere.</summary>
    public const string Variable = "TRTTOOLS_MODULE";

    private const string Manifest = "TrtTools.psd1";

    public static string? Find()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given)
        {
            return File.Exists(Path.Combine(given, Manifest)) ? Path.GetFullPath(given) : null;
        }
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            foreach (string candidate in new[] { Path.Combine(folder.FullName, "out", "TrtTools"), Path.Combine(folder.FullName, "TrtTools") })
            {
                if (File.Exists(Path.Combine(candidate, Manifest))) return candidate;
            }
        }
        return null;
    }
}
