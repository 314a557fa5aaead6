using System.Globalization;
using TrtTools.Evaluation;

namespace TrtTools.Tests.Fuzz;

/// <summary>Damaged files of every kind give a result or an error record: no other exception, no hang, no memory beyond 1 GB.
/// TRTTOOLS_FUZZ says how many of each kind (20,000 models and 2,000 of each other kind when it is not set); TRTTOOLS_FUZZ_SEED takes one seed or a range of them;
/// TRTTOOLS_FUZZ_SAVE names a folder that gets the damaged files, of which the corpus is made. fuzz/TrtTools.Fuzz is the run of hours.</summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const long MostAllocated = 1L << 30;
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    [Fact]
    public void Models() => Run(20_000, new ModelTarget());

    [Fact]
    public void Engine_files() => Run(2_000, new EngineTarget());

    [Fact]
    public void Calibration_caches()
    {
        Run(2_000, new CacheTextTarget());
        Run(2_000, new CacheJsonTarget());
    }

    [Theory]
    [InlineData(".npy")]
    [InlineData(".npz")]
    [InlineData(".pb")]
    [InlineData(".json")]
    public void Arrays(string extension) => Run(1_000, new ArrayTarget(extension));

    [Fact]
    public void Texts()
    {
        Run(2_000, new PatternTarget());
        Run(2_000, new PreprocessingTarget());
    }

    /// <summary>Small files that once were a fault: &lt;seed or hash&gt;.&lt;kind&gt;; models end in .onnx.</summary>
    [Fact]
    public void Files_that_were_found()
    {
        string[] files = [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Fuzz", "Corpus")).Where(f => Path.GetFileName(f) != "patterns.yaml").Order(StringComparer.Ordinal)];
        Assert.True(files.Length >= 10, $"{files.Length} files in the corpus");
        using EvaluationProcess? process = EvaluatorOfBuild.Start();
        using (EvaluationProcess.Use(process))
        {
            foreach (FuzzTarget target in FuzzTarget.All())
            {
                using (target)
                {
                    foreach (string file in files.Where(f => Path.GetExtension(f) == (target is ModelTarget ? ".onnx" : "." + target.Name)))
                    {
                        Exception? fault = Record.Exception(() => FuzzTarget.Attempt(() => target.Use(File.ReadAllBytes(file), thorough: true)));
                        Assert.True(fault is null, $"{Path.GetFileName(file)}: {fault}");
                    }
                }
            }
        }
    }

    /// <param name="usual">How many, when nothing says otherwise.</param>
    private void Run(int usual, FuzzTarget target)
    {
        using FuzzTarget owned = target;
        using EvaluationProcess? process = EvaluatorOfBuild.Start();
        (int first, int last) = Range(usual);
        List<string> failures = [];
        using (EvaluationProcess.Use(process))
        {
            for (int seed = first; seed <= last && failures.Count < 20; seed++)
            {
                int own = seed;
                byte[] bytes = target.Make(own);
                if (Environment.GetEnvironmentVariable("TRTTOOLS_FUZZ_SAVE") is { Length: > 0 } folder) File.WriteAllBytes(Path.Combine(folder, $"{own}.{(target is ModelTarget ? "onnx" : target.Name)}"), bytes);
                Exception? fault = null;
                long allocated = 0;
                Thread worker = new(() =>
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    try
                    {
                        // Every eighth is evaluated too, in a process of its own.
                        FuzzTarget.Attempt(() => target.Use(bytes, thorough: own % 8 == 0));
                    }
                    catch (Exception e)
                    {
                        fault = e;
                    }
                    allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                });
                worker.Start();
                // A thread cannot be ended: a hang is told here, and ends the run.
                Assert.True(worker.Join(s_longest), $"TRTTOOLS_FUZZ_SEED={own}: still at work after {s_longest.TotalSeconds} s");
                if (fault is not null) failures.Add($"TRTTOOLS_FUZZ_SEED={own}: {fault.GetType().Name}: {fault.Message} {fault.StackTrace?.Split('\n').FirstOrDefault(l => l.Contains("TrtTools", StringComparison.Ordinal))?.Trim()}");
                else if (allocated > MostAllocated) failures.Add($"TRTTOOLS_FUZZ_SEED={own}: {allocated >> 20} MB allocated");
            }
        }
        output.WriteLine($"{target.Name}: seeds {first} to {last}; {process?.Starts ?? 0} processes for evaluation");
        foreach (string failure in failures) output.WriteLine(failure);
        Assert.Empty(failures);
    }

    private static (int First, int Last) Range(int usual)
    {
        if (Environment.GetEnvironmentVariable("TRTTOOLS_FUZZ_SEED") is { Length: > 0 } seeds)
        {
            int[] ends = [.. seeds.Split('-').Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
            return (ends[0], ends[^1]);
        }
        int count = int.TryParse(Environment.GetEnvironmentVariable("TRTTOOLS_FUZZ"), NumberStyles.None, CultureInfo.InvariantCulture, out int given) ? given : usual;
        // The suites run under other cultures too, which make other texts but not other graphs.
        return (0, (CultureInfo.CurrentCulture.Name is "de-DE" or "tr-TR" ? Math.Min(count, usual / 20) : count) - 1);
    }
}
