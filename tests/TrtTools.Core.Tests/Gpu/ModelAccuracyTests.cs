using System.Collections.Specialized;
using System.Diagnostics;
using System.Globalization;
using TrtTools.Build;
using TrtTools.Cuda;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;
using TrtTools.Tests.Build;
using TrtTools.Tests.Cuda;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Gpu;

/// <summary>Real models, built for the GPU that is here and run on it, give the outputs that lie beside them. Each case prints a line with its figures.</summary>
/// <remarks>
/// An error is a share of the output's scale, the greatest magnitude expected. Where the greatest element leads by more than twice the error it stands at the same place, so that needs no check of its own.
/// </remarks>
[Collection("GPU")]
public sealed class ModelAccuracyTests
{
    /// <summary>Models of integers: a rounding that falls to the other side moves a result by a step.</summary>
    private const double QuantizedCosine = 0.999;

    /// <summary>It picks peaks: a rounding moves a pick to another place, so its outputs are judged by their mean error.</summary>
    private const string PicksPeaks = "mlsd-320-tiny";

    /// <summary>What does not hold the limits: its probabilities are 0.3 % and 1.4 % off where two classes are near.</summary>
    private static readonly Dictionary<(string, string), double> s_exceptions = new() { [("ppocrv4-rec", "Tf32")] = 4e-3, [("ppocrv4-rec", "Fp16")] = 2e-2 };

    private static readonly Dictionary<string, double> s_limits = new(StringComparer.Ordinal) { ["Fp32"] = 1e-4, ["Tf32"] = 2e-3, ["Fp16"] = 1e-2 };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string model in SharedModelNames.All.Where(n => n != "style-candy"))
            {
                foreach (string precision in s_limits.Keys) cases.Add(model, precision);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_model_gives_what_is_expected(string model, string precision)
    {
        using (CudaContext device = Cuda.Gpu.Open()) { }
        Assert.SkipUnless(File.Exists(SharedModels.Path(model)), "The model is not here.");
        CancellationToken stop = TestContext.Current.CancellationToken;
        using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(model), Report.None, stop);
        Stopwatch clock = Stopwatch.StartNew();
        using Engine engine = EngineBuilder.Build(graph, GpuBuild.Options(precision), Report.None, stop);
        double built = clock.Elapsed.TotalSeconds;
        Dictionary<string, Tensor> inputs = new(StringComparer.Ordinal);
        string set = SharedModels.DataSets(model)[0];
        for (int i = 0; i < engine.Inputs.Count; i++) inputs[engine.Inputs[i].Name] = new Tensor(engine.Inputs[i].Name, Read(set, $"input_{i}.pb"));
        OrderedDictionary results;
        using (ExecutionContext context = engine.CreateContext())
        {
            context.Run(inputs, stop);
            // The second run is captured, the third replayed.
            context.Run(inputs, stop);
            results = context.Run(inputs, stop);
        }
        double error = 0, cosine = 1;
        string wrong = "";
        for (int o = 0; o < engine.Outputs.Count; o++)
        {
            TensorData expected = Read(set, $"output_{o}.pb"), actual = ((Tensor)results[o]!).Content;
            if (expected.Type != actual.Type || !expected.Shape.SequenceEqual(actual.Shape)) wrong += $" {engine.Outputs[o].Name} is {actual}, expected {expected};";
            else Compare(expected.ToDouble(), actual.ToDouble(), mean: model == PicksPeaks && precision != "Fp32", ref error, ref cosine);
        }
        if (Environment.GetEnvironmentVariable("TRTTOOLS_ENGINE_FOLDER") is { Length: > 0 } folder) EngineFile.Save(engine, Path.Combine(folder, $"{model}.{precision}.engine"), force: true);
        EngineBenchmark times = EngineMeasurement.Measure(engine, new MeasureOptions { WarmUp = 20, Duration = 0.05, Iteration = 10, InputData = inputs }, Report.None, stop);
        bool quantized = engine.Precision == "Int8";
        bool passed = wrong.Length == 0 && (quantized ? cosine >= QuantizedCosine : error <= s_exceptions.GetValueOrDefault((model, precision), s_limits[precision]));
        int hostSteps = engine.Content.Plan.Body.Steps.Count(s => s.Host is not null);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"MODEL {model} {precision}: built {built:0.00} s, {engine.Layers.Count} layers, {hostSteps} host steps, {times.GpuComputeMedianMs:0.0000} ms, error {error:0.00e+0}, cosine {cosine:0.0000000}, {(passed ? "passed" : "FAILED")}{wrong}{string.Concat(engine.Warnings.Select(w => $"; warning: {w}"))}"));
        Assert.True(passed, $"error {error}, cosine {cosine}{wrong}");
    }

    private static void Compare(double[] expected, double[] actual, bool mean, ref double error, ref double cosine)
    {
        double scale = 0, difference = 0, sum = 0, product = 0, own = 0, other = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (double.IsFinite(expected[i])) scale = Math.Max(scale, Math.Abs(expected[i]));
            // NaN and infinities stand where they are expected, and nowhere else.
            if (double.IsFinite(expected[i]) != double.IsFinite(actual[i])) difference = double.PositiveInfinity;
            if (!double.IsFinite(expected[i]) || !double.IsFinite(actual[i])) continue;
            difference = Math.Max(difference, Math.Abs(expected[i] - actual[i]));
            sum += Math.Abs(expected[i] - actual[i]);
            product += expected[i] * actual[i];
            own += expected[i] * expected[i];
            other += actual[i] * actual[i];
        }
        if (mean && double.IsFinite(difference)) difference = sum / Math.Max(1, expected.Length);
        error = Math.Max(error, scale > 0 ? difference / scale : difference);
        if (own > 0 && other > 0) cosine = Math.Min(cosine, product / Math.Sqrt(own * other));
    }

    private static TensorData Read(string folder, string file) => TensorFile.Read(Path.Combine(folder, file))[0].Content;
}
