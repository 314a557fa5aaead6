using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using TrtTools.Evaluation;
using TrtTools.Tests.Fuzz;

namespace TrtTools.Fuzz;

/// <summary>Tries one damaged file after another: new ones, and those that reached new code, damaged further.</summary>
internal static class Worker
{
    private const long MostAllocated = 1L << 30;
    private const int LargestKept = 64 * 1024, MostKept = 20_000;

    /// <summary>How many of one worker: what a process gathers (code, caches) goes with it.</summary>
    private const long PerProcess = 50_000;

    public static IReadOnlyList<string> Kinds { get; } = ["model", "engine", "cache-text", "cache-json", "npy", "npz", "pb", "json", "patterns", "preprocessing"];

    public static int Run(FuzzOptions options, Coverage coverage)
    {
        using Board board = new(options.Board);
        string evaluator = Environment.GetEnvironmentVariable("TRTTOOLS_FUZZ_EVALUATOR") ?? "";
        using EvaluationProcess? process = File.Exists(evaluator) ? new EvaluationProcess(evaluator) : null;
        using IDisposable use = EvaluationProcess.Use(process);
        Dictionary<string, FuzzTarget> targets = FuzzTarget.All().ToDictionary(t => t.Name, StringComparer.Ordinal);
        Dictionary<string, List<byte[]>> pools = Kinds.ToDictionary(k => k, k => ReadPool(options, k), StringComparer.Ordinal);
        foreach ((string kind, List<byte[]> pool) in pools)
        {
            // Learned again, not counted again.
            foreach (byte[] known in pool) Try(targets[kind], known, false, coverage, out _);
            coverage.Learn();
        }
        Stopwatch clock = Stopwatch.StartNew();
        long first = board.Total;
        while (board.Total < options.Count && board.Total - first < PerProcess)
        {
            long at = board.Total;
            Random random = new(unchecked((int)(at * 2654435761)));
            string kind = options.Kind ?? (random.Next(5) > 0 ? "model" : Kinds[random.Next(1, Kinds.Count)]);
            FuzzTarget target = targets[kind];
            List<byte[]> pool = pools[kind];
            byte[] bytes = pool.Count > 0 && random.Next(3) > 0 ? target.Again(new Mutator(random), pool[random.Next(pool.Count)]) : target.Make(random.Next());
            board.Set(kind, bytes);
            string? fault = Try(target, bytes, at % 16 == 0, coverage, out long allocated);
            board.Started = 0;
            board.Add(Kinds.ToList().IndexOf(kind));
            if (fault is null && allocated > MostAllocated + bytes.Length) fault = $"{allocated >> 20} MB allocated";
            if (fault is not null) Supervisor.Keep(options, kind, bytes, fault);
            else if (coverage.Learn() && bytes.Length <= LargestKept && pool.Count < MostKept) Add(options, kind, pool, bytes);
            if (at % 10_000 == 0)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{at}: {coverage.Edges} edges, pools {string.Join(' ', Kinds.Select(k => $"{k} {pools[k].Count}"))}, {(board.Total - first) / clock.Elapsed.TotalSeconds:F0} a second, {Environment.WorkingSet >> 20} MB"));
            }
        }
        return 0;
    }

    /// <summary>One file, as a debugger wants it: what is thrown is not caught.</summary>
    public static int TryOne(string file)
    {
        string kind = Path.GetExtension(file) == ".onnx" ? "model" : Path.GetExtension(file)[1..];
        FuzzTarget target = FuzzTarget.All().First(t => t.Name == kind);
        Stopwatch clock = Stopwatch.StartNew();
        FuzzTarget.Attempt(() => target.Use(File.ReadAllBytes(file), thorough: true));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: taken in {clock.Elapsed.TotalSeconds:F1} s"));
        return 0;
    }

    /// <summary>What is wrong with how the file was taken, or null.</summary>
    private static string? Try(FuzzTarget target, byte[] bytes, bool thorough, Coverage coverage, out long allocated)
    {
        coverage.Clear();
        long before = GC.GetAllocatedBytesForCurrentThread();
        string? fault = null;
        try
        {
            FuzzTarget.Attempt(() => target.Use(bytes, thorough));
        }
        catch (Exception e)
        {
            fault = $"{e.GetType().Name} {e.StackTrace?.Split('\n').FirstOrDefault(l => l.Contains("TrtTools", StringComparison.Ordinal))?.Trim()}\n{e}";
        }
        allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return fault;
    }

    private static List<byte[]> ReadPool(FuzzOptions options, string kind)
    {
        Directory.CreateDirectory(options.PoolOf(kind));
        string corpus = Path.Combine(AppContext.BaseDirectory, "Fuzz", "Corpus");
        IEnumerable<string> found = Directory.GetFiles(corpus).Where(f => Path.GetExtension(f) == (kind == "model" ? ".onnx" : "." + kind));
        return [.. found.Concat(Directory.GetFiles(options.PoolOf(kind))).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
    }

    private static void Add(FuzzOptions options, string kind, List<byte[]> pool, byte[] bytes)
    {
        pool.Add(bytes);
        File.WriteAllBytes(Path.Combine(options.PoolOf(kind), Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]), bytes);
    }
}
