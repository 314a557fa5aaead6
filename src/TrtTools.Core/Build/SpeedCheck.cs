using System.Diagnostics;
using System.Globalization;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>INT8 against FP32 on this machine: who asks for INT8 wants it faster, and learns it when it is not.</summary>
internal static class SpeedCheck
{
    private const int MinimumRuns = 5, MaximumRuns = 200;
    private const double Seconds = 1.0;

    /// <summary>Less than this is noise.</summary>
    private const double Margin = 1.03;

    /// <summary>Times both, and warns when INT8 is slower. Returns false when FP32 is to be taken instead, which only -Best allows.</summary>
    public static bool KeepInt8(Engine int8, Engine fp32, BuildContext context)
    {
        context.Begin("comparing INT8 with FP32", 0.95);
        IReadOnlyDictionary<string, TensorData> data = SyntheticInputs.Create(int8, null, out _).ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal);
        (double quick, double plain) = Time(int8, fp32, data, Math.Min(Seconds, context.Options.TimeBudget ?? Seconds), context.Stop);
        string figures = string.Create(CultureInfo.InvariantCulture, $"INT8 runs in {quick:0.###} ms and FP32 in {plain:0.###} ms on this processor ({HostProcessor.Name})");
        context.Report.Verbose($"{context.Name}: {figures}.");
        if (quick <= plain * Margin) return true;
        if (context.Options.Best && !context.Options.Int8)
        {
            context.Report.Verbose($"{context.Name}: FP32 is the faster one and is taken.");
            return false;
        }
        context.Warn($"{figures}: INT8 is not faster here. {Reason()} The engine is INT8 as asked: it is smaller{(HostProcessor.HasVnni ? "" : ", and may be faster where the processor has VNNI")}.");
        return true;
    }

    private static string Reason() => HostProcessor.HasVnni
        ? "The layers are too small for what INT8 saves in them to pay for quantizing between them."
        : "The processor has no VNNI, so 8-bit products cost about as much as FP32 ones, and quantizing comes on top.";

    private static (double Int8, double Fp32) Time(Engine int8, Engine fp32, IReadOnlyDictionary<string, TensorData> data, double seconds, CancellationToken stop)
    {
        using IHostRun a = int8.Bind(data, stop), b = fp32.Bind(data, stop);
        List<double> ta = [], tb = [];
        Stopwatch clock = Stopwatch.StartNew();
        for (int i = -2; i < MinimumRuns || i < MaximumRuns && clock.Elapsed.TotalSeconds < seconds; i++)
        {
            double first = Once(i % 2 == 0 ? a : b, stop), second = Once(i % 2 == 0 ? b : a, stop);
            if (i < 0) continue;
            ta.Add(i % 2 == 0 ? first : second);
            tb.Add(i % 2 == 0 ? second : first);
        }
        return (TimeStatistics.Of(ta).Median, TimeStatistics.Of(tb).Median);
    }

    private static double Once(IHostRun run, CancellationToken stop)
    {
        long start = Stopwatch.GetTimestamp();
        run.Execute(stop);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
