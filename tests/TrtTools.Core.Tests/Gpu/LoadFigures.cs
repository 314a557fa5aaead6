using System.Diagnostics;
using System.Globalization;
using TrtTools.Cuda;
using TrtTools.Execution;
using TrtTools.Tensors;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Gpu;

/// <summary>How long a process takes from an engine's file to its first result: figures, no assertions. To be run by itself, once for each engine: -explicit only.</summary>
[Collection("GPU")]
public sealed class LoadFigures
{
    /// <summary>TRTTOOLS_ENGINE names the file.</summary>
    [Fact(Explicit = true)]
    public void From_file_to_result()
    {
        string? path = Environment.GetEnvironmentVariable("TRTTOOLS_ENGINE");
        Assert.SkipUnless(File.Exists(path), "TRTTOOLS_ENGINE names no engine file.");
        CancellationToken stop = TestContext.Current.CancellationToken;
        Stopwatch clock = Stopwatch.StartNew();
        using CudaContext device = Cuda.Gpu.Open();
        double context = Lap();
        bool usesCudnn = EngineFile.ReadInfo(path).Device == "Cuda" && CudaLibraries.Find(CudaLibraries.Cudnn) is not null;
        if (usesCudnn) Cudnn.Destroy(Cudnn.Create());
        double cudnn = Lap();
        using Engine engine = EngineFile.Load(path, Report.None, stop);
        double read = Lap();
        engine.Prepare(stop);
        double prepared = Lap();
        IReadOnlyDictionary<string, Tensor> inputs = SyntheticInputs.Create(engine, null, out _);
        double made = Lap();
        using ExecutionContext run = engine.CreateContext();
        run.Run(inputs, stop);
        double first = Lap();
        run.Run(inputs, stop);
        double second = Lap();
        run.Run(inputs, stop);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"LOAD {Path.GetFileNameWithoutExtension(path)}, {engine.SizeBytes:N0} bytes, {engine.Layers.Count} layers: context {context:0} ms, cuDNN's handle {cudnn:0} ms; then file {read:0.0} ms, kernels and weights {prepared:0.0} ms, first result {first:0.0} ms (together {read + prepared + first:0.0}), capture {second:0.0} ms, replay {Lap():0.00} ms (inputs were made in {made:0.0})"));

        double Lap()
        {
            double passed = clock.Elapsed.TotalMilliseconds;
            clock.Restart();
            return passed;
        }
    }
}
