using TrtTools.Files;

namespace TrtTools.Tests.Files;

public sealed class AtomicFileTests
{
    [Fact]
    public void What_a_dead_process_left_is_removed_and_nothing_else()
    {
        string folder = Directory.CreateTempSubdirectory("trttools-test-").FullName;
        try
        {
            using System.Diagnostics.Process dead = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("dotnet", "--version") { RedirectStandardOutput = true })!;
            dead.WaitForExit();
            string Name(string file, int process) => $".{file}.{process}-{Guid.NewGuid():N}.tmp";
            string gone = Name("a[1].engine", dead.Id), fresh = Name("a[1].engine", dead.Id), living = Name("a[1].engine", Environment.ProcessId), other = Name("b.engine", dead.Id), users = ".a[1].engine.notes.tmp";
            foreach (string name in new[] { gone, fresh, living, other, users })
            {
                File.WriteAllText(Path.Combine(folder, name), "half");
                if (name != fresh) File.SetLastWriteTimeUtc(Path.Combine(folder, name), DateTime.UtcNow - AtomicFile.LeftoverAge - TimeSpan.FromMinutes(1));
            }
            AtomicFile.Write(Path.Combine(folder, "a[1].engine"), overwrite: false, stream => stream.WriteByte(1));
            Assert.Equal(new[] { "a[1].engine", fresh, living, other, users }.Order(StringComparer.Ordinal), Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
