using System.Diagnostics;
using System.Globalization;
using TrtTools.Build;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Benchmarks;

/// <summary>Our CPU engine beside ONNX Runtime on the original file at its full optimization level, in turns, with the same threads: "latency [FOLDER] [MODEL…]".
/// The folder holds one folder for each model, with model.onnx and data in the ONNX backend-test form.</summary>
internal static class Latency
{
    private const int Blocks = 20;

    /// <summary>Student's t for 97.5 % and 19 degrees of freedom.</summary>
    private const double Quantile = 2.093;

    /// <summary>Least time of one side's turn.</summary>
    private const double BlockSeconds = 0.15;

    public static void Run(IReadOnlyList<string> arguments)
    {
        string folder = arguments.FirstOrDefault() ?? Path.Combine("..", "shared", "models");
        List<double> ratios = [];
        Console.WriteLine("model                                  ours, ms   ORT, ms   ratio  95 % interval");
        foreach (string model in Directory.GetFiles(folder, "model.onnx", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(Path.GetDirectoryName(model)!);
            if (arguments.Count > 1 && !arguments.Skip(1).Contains(name)) continue;
            try
            {
                ratios.Add(Compare(name, model));
            }
            catch (TrtToolsException e)
            {
                Console.WriteLine($"{name,-36} {e.Code}: {e.Message}");
            }
        }
        if (ratios.Count > 0) Console.WriteLine(FormattableString.Invariant($"geometric mean of {ratios.Count}: {Math.Exp(ratios.Average(Math.Log)):F3}"));
    }

    private static double Compare(string name, string model)
    {
        OnnxGraph graph = OnnxFile.Import(model, Report.None, CancellationToken.None);
        using Engine engine = EngineBuilder.Build(graph, new BuildOptions { Device = DeviceKind.Cpu }, Report.None, CancellationToken.None);
        InputSource source = InputSources.FromPath(Path.GetDirectoryName(model)!, [.. engine.Inputs.Select(i => new InputInfo(i.Name, i.DataType, i.Shape))]);
        Dictionary<string, TensorData> data = source.Read(CancellationToken.None).First().ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
        using OrtSession session = OrtSession.FromFile(model, new OrtOptions { Subject = name, Optimization = OrtOptimization.Full });
        using IHostStep step = OnnxRuntimeHost.StepOf(session, session.OutputNames, name);
        using IHostRun theirs = step.Bind(data), ours = engine.Bind(data, CancellationToken.None);
        List<double> allOurs = [], allTheirs = [];
        double[] logarithms = new double[Blocks];
        for (int block = -1; block < Blocks; block++)
        {
            // ABBA: a drift of the clock's speed cancels. The turn before the first warms both up.
            double[] a, b;
            if (block % 2 == 0) (a, b) = (Turn(ours), Turn(theirs));
            else (b, a) = (Turn(theirs), Turn(ours));
            if (block < 0) continue;
            allOurs.AddRange(a);
            allTheirs.AddRange(b);
            logarithms[block] = Math.Log(Median(a) / Median(b));
        }
        double mean = logarithms.Average();
        double error = Quantile * Math.Sqrt(logarithms.Sum(l => (l - mean) * (l - mean)) / (Blocks - 1) / Blocks);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-36} {Median(allOurs),10:F3} {Median(allTheirs),9:F3} {Math.Exp(mean),7:F3}  {Math.Exp(mean - error):F3}–{Math.Exp(mean + error):F3}"));
        return Math.Exp(mean);
    }

    private static double[] Turn(IHostRun run)
    {
        // One uncounted run brings this side's weights back into the cache.
        run.Execute(CancellationToken.None);
        List<double> times = [];
        long start = Stopwatch.GetTimestamp();
        do
        {
            long before = Stopwatch.GetTimestamp();
            run.Execute(CancellationToken.None);
            times.Add(Stopwatch.GetElapsedTime(before).TotalMilliseconds);
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < BlockSeconds);
        return [.. times];
    }

    private static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);
}
