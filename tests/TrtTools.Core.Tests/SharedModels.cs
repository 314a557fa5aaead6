namespace TrtTools.Tests;

/// <summary>The folder shared/models beside the repository, or the one that TRTTOOLS_SHARED_MODELS names, where there is one. Tests that need it skip where it is not.</summary>
internal static class SharedModels
{
    private static readonly Lazy<string?> s_folder = new(Find);

    /// <summary>The folder, or a skipped test.</summary>
    public static string Folder
    {
        get
        {
            Assert.SkipUnless(s_folder.Value is not null, "No folder shared/models beside the repository or above it.");
            return s_folder.Value!;
        }
    }

    /// <summary>True where the folder is, for lists of test cases.</summary>
    public static bool Exists => s_folder.Value is not null;

    /// <summary>Full path of a model's file.</summary>
    public static string Path(string name) => System.IO.Path.Combine(Folder, name, "model.onnx");

    /// <summary>The folders test_data_set_0, … of a model.</summary>
    public static IReadOnlyList<string> DataSets(string name) =>
        [.. Directory.GetDirectories(System.IO.Path.Combine(Folder, name), "test_data_set_*").Order(StringComparer.Ordinal)];

    /// <summary>Names of all models, in order.</summary>
    public static IReadOnlyList<string> Names =>
        [.. Directory.GetDirectories(Folder).Where(d => File.Exists(System.IO.Path.Combine(d, "model.onnx"))).Select(d => System.IO.Path.GetFileName(d)!).Order(StringComparer.Ordinal)];

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("TRTTOOLS_SHARED_MODELS") is { Length: > 0 } given) return Directory.Exists(given) ? System.IO.Path.GetFullPath(given) : null;
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string candidate = System.IO.Path.Combine(at.FullName, "shared", "models");
            if (Directory.Exists(candidate)) return candidate;
        }
        return null;
    }
}
