using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace TrtTools.Fuzz;

/// <summary>Starts workers on instrumented copies of the assemblies, and starts another where one crashed or hangs; what it was at is kept as a fault.</summary>
internal static class Supervisor
{
    /// <summary>Five seconds are a hang on a machine that does nothing else; on a busy one the clock also counts what others do.</summary>
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    public static int Run(FuzzOptions options)
    {
        string folder = Instrument(options);
        Directory.CreateDirectory(options.Faults);
        using Board board = new(options.Board);
        Stopwatch clock = Stopwatch.StartNew();
        int crashes = 0;
        long last = -1;
        while (board.Total < options.Count)
        {
            using Process worker = Start(folder, options);
            bool hangs = false;
            while (!worker.WaitForExit(1000))
            {
                long started = board.Started;
                if (started == 0 || DateTime.UtcNow.Ticks - started < s_longest.Ticks) continue;
                hangs = true;
                worker.Kill(entireProcessTree: true);
                worker.WaitForExit();
            }
            if (worker.ExitCode == 0 && !hangs) continue;
            crashes++;
            if (board.Total == last) throw new InvalidOperationException("A worker ended before it tried anything; its output says why.");
            last = board.Total;
            (string kind, byte[] bytes) = board.Current();
            Keep(options, kind, bytes, hangs ? $"no end after {s_longest.TotalSeconds} s" : string.Create(CultureInfo.InvariantCulture, $"the process ended with {worker.ExitCode}"));
            board.Started = 0;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{board.Total} files in {clock.Elapsed.TotalMinutes:F1} minutes of this run; {crashes} processes lost; {Directory.GetFiles(options.Faults, "*.txt").Length} faults in {options.Faults}"));
        for (int i = 0; i < Worker.Kinds.Count; i++) Console.WriteLine($"{Worker.Kinds[i]}: {board.CountOf(i)}");
        return Directory.GetFiles(options.Faults, "*.txt").Length == 0 ? 0 : 1;
    }

    /// <summary>Keeps a file that was a fault, once for each way to fail.</summary>
    public static void Keep(FuzzOptions options, string kind, byte[] bytes, string fault)
    {
        string key = Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(kind + string.Concat(fault.Where(c => !char.IsDigit(c))))))[..12];
        string file = Path.Combine(options.Faults, $"{key}.{(kind == "model" ? "onnx" : kind)}");
        if (File.Exists(file)) return;
        File.WriteAllBytes(file, bytes);
        File.WriteAllText(file + ".txt", fault);
        Console.WriteLine($"{kind}: {fault.Split('\n')[0]} ({file})");
    }

    /// <summary>A copy of this program whose TrtTools assemblies count branches. The process for evaluation stays as it is.</summary>
    private static string Instrument(FuzzOptions options)
    {
        string source = AppContext.BaseDirectory, target = Path.Combine(options.State, "instrumented");
        if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
        foreach (string file in Directory.GetFiles(source, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        foreach (string name in new[] { "TrtTools.Core.dll", "TrtTools.Runtime.dll" })
        {
            int types = SharpFuzz.Fuzzer.Instrument(Path.Combine(target, name), static type => type.StartsWith("TrtTools.", StringComparison.Ordinal) && !type.Contains(".Proto.", StringComparison.Ordinal), SharpFuzz.Options.Value).Count();
            Console.WriteLine($"{name}: {types} types instrumented");
        }
        return target;
    }

    private static Process Start(string folder, FuzzOptions options)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { UseShellExecute = false };
        // The host of the program (dotnet) takes the assembly; the program's own host finds it beside itself.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(Path.Combine(folder, "TrtTools.Fuzz.dll"));
        else start.FileName = Path.Combine(folder, Path.GetFileName(Environment.ProcessPath!));
        foreach (string argument in new[] { "--worker", "--count", options.Count.ToString(CultureInfo.InvariantCulture), "--state", options.State }) start.ArgumentList.Add(argument);
        if (options.Kind is { } kind)
        {
            start.ArgumentList.Add("--kind");
            start.ArgumentList.Add(kind);
        }
        start.Environment["TRTTOOLS_FUZZ_EVALUATOR"] = EvaluatorFile();
        return Process.Start(start) ?? throw new InvalidOperationException("The worker did not start.");
    }

    /// <summary>The evaluator of this build: fuzz/TrtTools.Fuzz/bin/Release/net10.0 → src/TrtTools.Evaluator/bin/Release/net10.0.</summary>
    private static string EvaluatorFile()
    {
        DirectoryInfo folder = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string root = folder.Parent!.Parent!.Parent!.Parent!.Parent!.FullName;
        return Path.Combine(root, "src", "TrtTools.Evaluator", "bin", folder.Parent.Name, folder.Name, "TrtTools.Evaluator.dll");
    }
}
