using System.Diagnostics;
using System.Globalization;

namespace TrtTools.MutateGuards;

/// <summary>Switches each guard of the passes and patterns off, one at a time, and says which of them no test misses.
/// <c>dotnet run --project tools/MutateGuards [-- --list] [--only TEXT] [--quick]</c>; build tests/TrtTools.Core.Tests first.</summary>
internal static class Program
{
    public static int Main(string[] arguments)
    {
        // Few random graphs: what only one of many would show is not kept by the tests.
        Environment.SetEnvironmentVariable("TRTTOOLS_RANDOM_GRAPHS", "60");
        if (arguments is ["--record", var folder, var file]) return Child.Record(folder, file);
        if (arguments is ["--try", var where]) return Child.Try(where);
        string repository = FindRepository(), built = Path.Combine(repository, "tests", "TrtTools.Core.Tests", "bin", "Debug", "net10.0");
        // As deep as the original: tests find shared models from where they are.
        string work = Path.Combine(repository, "tests", "TrtTools.Core.Tests", "bin", "Debug", "mutants");
        if (Directory.Exists(work)) Directory.Delete(work, recursive: true);
        Copy(built, work);
        foreach (string own in Directory.GetFiles(AppContext.BaseDirectory)) File.Copy(own, Path.Combine(work, Path.GetFileName(own)), overwrite: true);
        CoreBuild build = new(repository, built);
        Guard[] all = [.. build.Guards, .. build.YamlGuards, .. build.PatternGuards];
        if (Option(arguments, "--only") is { } only) all = [.. all.Where(g => g.ToString().Contains(only, StringComparison.OrdinalIgnoreCase))];
        Console.WriteLine($"{all.Length} guards, of {build.Guards.Count} conditions, {build.YamlGuards.Count} in patterns of YAML and {build.PatternGuards.Count} inside property patterns");
        if (arguments.Contains("--list"))
        {
            foreach (Guard guard in all) Console.WriteLine(guard);
            return 0;
        }
        return Run(build, all, work, arguments.Contains("--quick"));
    }

    private static int Run(CoreBuild build, Guard[] all, string work, bool quick)
    {
        string core = Path.Combine(work, "TrtTools.Core.dll"), record = Path.Combine(work, "fired.txt");
        build.EmitMutated(core);
        Stopwatch clock = Stopwatch.StartNew();
        using (Process process = Start(work, "--record", work, record))
        {
            Console.Write(process.StandardOutput.ReadToEnd());
            process.WaitForExit();
            if (process.ExitCode != 0) throw new InvalidOperationException("Tests fail with every guard on.");
        }
        string[][] lines = [.. File.ReadLines(record).Select(l => l.Split('\t'))];
        Dictionary<string, long> time = lines.Where(l => l[0] == "time").ToDictionary(l => l[1], l => long.Parse(l[2], CultureInfo.InvariantCulture), StringComparer.Ordinal);
        ILookup<string, string> fired = lines.Where(l => l[0] == "fired").ToLookup(l => l[1], l => l[2]);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.Count} cases with every guard on: {clock.Elapsed.TotalSeconds:F0} s"));
        int missed = 0, refused = 0, done = 0;
        List<Guard> survivors = [];
        using (Questions questions = new(() => Start(work, "--try", work)))
        {
            foreach (Guard guard in all.Where(g => g.Rewrite is null))
            {
                // Only where the guard bars something can its absence show. The quick cases come first.
                string[] cases = [.. fired[guard.Id].Where(c => !quick || time[c] < 2000).OrderBy(c => time[c]).ThenBy(c => c, StringComparer.Ordinal)];
                Count(guard, cases.Length > 0 && questions.Ask([guard.Id, .. cases]), cases.Length == 0 ? "   (no case reaches it)" : "");
            }
        }
        string[] usual = [.. time.Where(t => t.Value < 2000).OrderBy(t => t.Value).ThenBy(t => t.Key, StringComparer.Ordinal).Select(t => t.Key)];
        foreach (Guard guard in all.Where(g => g.Rewrite is not null))
        {
            if (!build.TryEmitWithout(guard, core))
            {
                refused++;
                continue;
            }
            using Questions questions = new(() => Start(work, "--try", work));
            Count(guard, questions.Ask(["", .. usual]), "");
        }
        Console.WriteLine($"{missed} of {missed + survivors.Count} guards are missed by a test when they are off; {survivors.Count} are not; {refused} cannot be taken out (what follows needs them)");
        return survivors.Count == 0 ? 0 : 1;

        void Count(Guard guard, bool isMissed, string note)
        {
            if (isMissed) missed++;
            else survivors.Add(guard);
            if (!isMissed) Console.WriteLine($"survives: {guard}{note}");
            if (++done % 100 == 0) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{done} of {all.Length}, {clock.Elapsed.TotalMinutes:F0} minutes"));
        }
    }

    private static Process Start(string work, params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in arguments.Prepend(Path.Combine(work, "MutateGuards.dll"))) start.ArgumentList.Add(argument);
        Process process = Process.Start(start)!;
        process.ErrorDataReceived += (_, e) => { if (arguments[0] == "--record" && e.Data is not null) Console.Error.WriteLine(e.Data); };
        process.BeginErrorReadLine();
        return process;
    }

    private static void Copy(string source, string target)
    {
        foreach (string file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private static string? Option(string[] arguments, string name) => Array.IndexOf(arguments, name) is >= 0 and var at && at + 1 < arguments.Length ? arguments[at + 1] : null;

    private static string FindRepository()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "TrtTools.sln"))) return at.FullName;
        }
        throw new InvalidOperationException("This is not in the repository.");
    }
}

/// <summary>A child that is asked about one guard after another, and is started again when one ended it.</summary>
internal sealed class Questions(Func<Process> start) : IDisposable
{
    private Process? _process;

    public bool Ask(string[] question)
    {
        _process ??= start();
        _process.StandardInput.WriteLine(string.Join('\t', question));
        _process.StandardInput.Flush();
        string? answer = _process.StandardOutput.ReadLine();
        if (answer is not null && !_process.HasExited) return answer == "missed";
        // It crashed, or was at it too long: the absence shows.
        Dispose();
        return true;
    }

    public void Dispose()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
        _process = null;
    }
}
