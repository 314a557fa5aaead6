using System.Globalization;
using System.Text;
using Google.Protobuf;
using TrtTools.Audit;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Evaluation;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Passes;
using TrtTools.Passes.Fusion;
using TrtTools.Quantization;
using TrtTools.Tensors;
using TrtTools.Tests.Onnx;
using TrtTools.Tests.Passes;

namespace TrtTools.Tests.Fuzz;

/// <summary>Damaged files of every kind give a result or an error record: no other exception, no hang, no memory beyond 1 GB.
/// TRTTOOLS_FUZZ says how many of each kind (20,000 models and 2,000 of each other kind when it is not set); TRTTOOLS_FUZZ_SEED takes one seed or a range of them;
/// TRTTOOLS_FUZZ_SAVE names a folder that gets the damaged models, of which the corpus is made.</summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const long MostAllocated = 1L << 30;
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(60);

    [Fact]
    public void Models() => Run(20_000, seed =>
    {
        Mutator mutator = new(new Random(seed));
        byte[] bytes = Damaged(mutator, seed % 3 == 0 ? new RandomModel(seed % 1024).Next() : Model(seed % 512));
        if (Environment.GetEnvironmentVariable("TRTTOOLS_FUZZ_SAVE") is { Length: > 0 } folder) File.WriteAllBytes(Path.Combine(folder, $"{seed}.onnx"), bytes);
        // Every eighth is evaluated too, in a process of its own.
        return () => UseModel(bytes, folds: seed % 8 == 0);
    });

    [Fact]
    public void Models_that_were_found() => Assert.All(Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Fuzz", "Corpus"), "*.onnx"), file =>
    {
        try
        {
            UseModel(File.ReadAllBytes(file), folds: true);
        }
        catch (TrtToolsException)
        {
        }
    });

    [Fact]
    public void Engine_files()
    {
        using TestFolder folder = new();
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[1,2,4,4] -> y { w = Float32[3,2,3,3] random(1); c = Conv(x, w); y = Relu(c) }");
        Engine engine = TrtTools.Build.EngineBuilder.Build(graph, new TrtTools.Build.BuildOptions { Device = DeviceKind.Cpu }, Report.None, CancellationToken.None);
        string path = folder.File("whole.engine");
        EngineFile.Save(engine, path, force: true);
        byte[] whole = File.ReadAllBytes(path);
        (EngineHeader header, EngineContent content, _) = EngineReader.Read(path);
        Run(2_000, seed =>
        {
            Mutator mutator = new(new Random(seed));
            byte[] bytes = seed % 2 == 0 ? mutator.Bytes(whole) : Rewritten(mutator, header, content);
            return () =>
            {
                string file = folder.File($"{Environment.CurrentManagedThreadId}.engine");
                File.WriteAllBytes(file, bytes);
                Attempt(() => EngineFile.ReadInfo(file));
                Engine read = EngineFile.Load(file, Report.None);
                _ = read.Layers.Count;
            };
        });
    }

    [Fact]
    public void Calibration_caches()
    {
        const string Text = "TRT-8502-EntropyCalibration2\nx: 3c010204\n(Unnamed Layer* 4) [Convolution]_output: 3d8a1b2c\nconv:1: 3f800000\ny: 00000000\n";
        byte[] json = CalibrationCacheJson.Write(CalibrationCacheFile.ParseText(Encoding.UTF8.GetBytes(Text), "cache"));
        Run(2_000, seed =>
        {
            Mutator mutator = new(new Random(seed));
            byte[] text = seed % 4 == 0 ? mutator.Bytes(Encoding.UTF8.GetBytes(Text)) : Encoding.UTF8.GetBytes(mutator.Text(Text)), damaged = mutator.Bytes(json);
            return () =>
            {
                Attempt(() => CalibrationCacheFile.ParseText(text, "cache"));
                CalibrationCacheJson.Read(damaged, "cache");
            };
        });
    }

    [Fact]
    public void Arrays()
    {
        using TestFolder folder = new();
        string npy = folder.File("a.npy"), npz = folder.File("a.npz"), pb = folder.File("a.pb");
        Tensor[] tensors = [new("a", TensorData.From<float>([1, 2, 3, 4, 5, 6], 2, 3)), new("b", TensorData.Vector<long>(1, 2, 3))];
        TensorFile.Write(npy, tensors[..1]);
        TensorFile.Write(npz, tensors);
        TensorFile.Write(pb, tensors[..1]);
        byte[][] files = [File.ReadAllBytes(npy), File.ReadAllBytes(npz), File.ReadAllBytes(pb)];
        Run(2_000, seed =>
        {
            byte[] bytes = new Mutator(new Random(seed)).Bytes(files[seed % 3]);
            return () =>
            {
                string file = folder.File($"{Environment.CurrentManagedThreadId}{(seed % 3) switch { 0 => ".npy", 1 => ".npz", _ => ".pb" }}");
                File.WriteAllBytes(file, bytes);
                TensorFile.Read(file);
            };
        });
    }

    [Fact]
    public void Texts()
    {
        string patterns = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fuzz", "Corpus", "patterns.yaml"));
        const string Preprocessing = "layout: NCHW\nmean: [0.5, 0.5, 0.5]\nstd: [0.25, 0.25, 0.25]\nresize: [8, 8]\n";
        Run(2_000, seed =>
        {
            Mutator mutator = new(new Random(seed));
            string first = mutator.Text(patterns), second = mutator.Text(Preprocessing);
            return () =>
            {
                Attempt(() => PatternFile.Parse(first, "patterns"));
                TrtTools.Data.Preprocessing.Parse(second, "preprocessing");
            };
        });
    }

    private static ModelProto Model(int seed) => ModelProto.Parser.ParseFrom(OnnxFile.Serialize(new RandomGraph(seed).Next()));

    private static byte[] Damaged(Mutator mutator, ModelProto model)
    {
        if (mutator.Random.Next(4) == 0) return mutator.Bytes(model.ToByteArray());
        mutator.Message(model);
        byte[] bytes = model.ToByteArray();
        return mutator.Random.Next(6) == 0 ? mutator.Bytes(bytes) : bytes;
    }

    private static byte[] Rewritten(Mutator mutator, EngineHeader header, EngineContent content)
    {
        TrtTools.Engines.Proto.Plan plan = content.Plan.Clone();
        TrtTools.Engines.Proto.Details details = content.Details.Clone();
        mutator.Message(mutator.Random.Next(4) == 0 ? details : plan);
        byte[] planBytes = plan.ToByteArray();
        using MemoryStream stream = new();
        // The blobs lie where the whole plan says; the damaged one is what is read.
        EngineContent damaged = new() { Plan = content.Plan, PlanBytes = planBytes, Details = details, Blobs = content.Blobs };
        EngineWriter.Write(header with { Id = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(planBytes)) }, damaged, stream);
        return stream.ToArray();
    }

    /// <summary>All that a user can do with a model without running it.</summary>
    private static void UseModel(byte[] bytes, bool folds)
    {
        string file = Path.Combine(Path.GetTempPath(), $"trttools-fuzz-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}.onnx");
        File.WriteAllBytes(file, bytes);
        try
        {
            OnnxGraph graph = OnnxFile.Import(file, Report.None, CancellationToken.None);
            GraphLint.Check(graph);
            Attempt(() => GraphMeasurement.Measure(graph));
            Attempt(() => OperatorAudit.Check(graph, SupportTarget.TensorRT11, true));
            Attempt(() => OnnxFile.Serialize(graph));
            OptimizeOptions options = folds ? new() : new() { ExcludePass = ["fold-constants", "resolve-impossible-branches"] };
            OnnxGraph? optimized = null;
            Attempt(() => optimized = GraphOptimizer.Optimize(graph, options, Report.None, CancellationToken.None));
            if (optimized is null) return;
            optimized.IsSimplified = true;
            LayerFusion.Fuse(optimized, new FusionOptions(), Report.None, CancellationToken.None);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>An error record is an answer too.</summary>
    private static void Attempt(Action action)
    {
        try
        {
            action();
        }
        catch (TrtToolsException e) when (e.Code != ErrorCode.InternalError)
        {
        }
    }

    private static void Attempt<T>(Func<T> function) => Attempt(() => { _ = function(); });

    /// <param name="usual">How many, when nothing says otherwise.</param>
    /// <param name="prepare">Makes a damaged file; what it gives uses the file.</param>
    private void Run(int usual, Func<int, Action> prepare)
    {
        using EvaluationProcess? process = EvaluatorOfBuild.Start();
        (int first, int last) = Range(usual);
        List<string> failures = [];
        using (EvaluationProcess.Use(process))
        {
            for (int seed = first; seed <= last && failures.Count < 20; seed++)
            {
                int own = seed;
                Action use = prepare(own);
                Exception? fault = null;
                long allocated = 0;
                Thread worker = new(() =>
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    try
                    {
                        Attempt(use);
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
        output.WriteLine($"seeds {first} to {last}; {process?.Starts ?? 0} processes for evaluation");
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
