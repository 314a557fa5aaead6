using System.Reflection;

namespace TrtTools.Cmdlets.Tests;

/// <summary>Where things lie in this checkout.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string Module => Path.Combine(Root, "out", "TrtTools");

    public static string Digits => Path.Combine(Root, "examples", "digits", "digits.onnx");

    public static string CalibrationData => Path.Combine(Root, "examples", "digits", "calibration.npz");

    public static string HeldOutData => Path.Combine(Root, "examples", "digits", "heldout.npz");

    public static string Shell => Path.Combine(Root, "src", "TrtTools.Shell", "bin", Configuration, "net10.0", "TrtTools.Shell.dll");

    private static string Configuration => typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "Configuration").Value!;

    /// <summary>All scripts that are checked without being run.</summary>
    public static IEnumerable<string> Scripts => Files("tests/Pester", "*.ps1").Concat(Files("examples", "*.ps1")).Concat(Files("bench", "*.ps1")).Concat(Files("", "build.ps1", SearchOption.TopDirectoryOnly));

    public static IEnumerable<string> HelpPages => Files("docs/en-US", "*.md", SearchOption.TopDirectoryOnly);

    private static IEnumerable<string> Files(string folder, string pattern, SearchOption depth = SearchOption.AllDirectories)
    {
        string full = Path.Combine(Root, folder);
        return Directory.Exists(full) ? Directory.EnumerateFiles(full, pattern, depth).Where(f => !f.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}", StringComparison.Ordinal)).Order(StringComparer.Ordinal) : [];
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "TrtTools.psd1"))) folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("No TrtTools.psd1 above the tests.");
    }
}
