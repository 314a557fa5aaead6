namespace TrtTools.Tests;

/// <summary>A folder that lives as long as a test.</summary>
internal sealed class TestFolder : IDisposable
{
    public string FullPath { get; } = Directory.CreateTempSubdirectory("trttools-test-").FullName;

    public string File(string name) => Path.Combine(FullPath, name);

    public IReadOnlyList<string> Files => [.. Directory.GetFiles(FullPath).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    public void Dispose()
    {
        try { Directory.Delete(FullPath, recursive: true); } catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }
}
