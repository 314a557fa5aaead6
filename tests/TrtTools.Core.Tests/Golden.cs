using System.Runtime.CompilerServices;

namespace TrtTools.Tests;

/// <summary>Texts that a person reads when they change: files under Golden, written anew by build.ps1 -UpdateGoldens and committed apart.</summary>
internal static class Golden
{
    public static bool IsUpdate => Environment.GetEnvironmentVariable("TRTTOOLS_UPDATE_GOLDENS") == "1";

    /// <summary>Asserts that a text is the golden one, or writes it.</summary>
    /// <param name="name">Path below the folder Golden.</param>
    public static void ShouldMatch(string name, string actual)
    {
        string path = PathOf(name);
        actual = actual.ReplaceLineEndings("\n");
        if (IsUpdate)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
            return;
        }
        Assert.True(File.Exists(path), $"{path} is missing; ./build.ps1 -UpdateGoldens writes it.");
        Assert.Equal(File.ReadAllText(path).ReplaceLineEndings("\n"), actual);
    }

    public static string? Read(string name) => File.Exists(PathOf(name)) ? File.ReadAllText(PathOf(name)).ReplaceLineEndings("\n") : null;

    private static string PathOf(string name, [CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "Golden", name.Replace('/', Path.DirectorySeparatorChar));
}
