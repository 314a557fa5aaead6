using System.Diagnostics;
using TrtTools.Engines;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>Times of an engine's layers, from the library's own profiler.</summary>
internal static class LayerProfile
{
    private const int WarmUpRuns = 3;

    public static IReadOnlyList<EngineLayer> Measure(Engine engine, IReadOnlyDictionary<string, TensorData> data, int runs, double seconds, CancellationToken stop) =>
        EngineLayers.WithTimes(EngineLayers.From(engine), Times(engine.CreateProfilingStep(stop), data, runs, seconds, stop));

    /// <summary>Milliseconds of one run by the library's name of the layer. Disposes the step.</summary>
    public static IReadOnlyDictionary<string, double> Times(IHostStep step, IReadOnlyDictionary<string, TensorData> data, int runs, double seconds, CancellationToken stop)
    {
        using (step)
        {
            int done = 0;
            bool complete = false;
            Stopwatch clock = Stopwatch.StartNew();
            try
            {
                using IHostRun run = step.Bind(data);
                while (done < WarmUpRuns + 1 || done < WarmUpRuns + runs && clock.Elapsed.TotalSeconds < seconds)
                {
                    run.Execute(stop);
                    done++;
                }
                complete = true;
            }
            finally
            {
                // Also when a run fails: the profile's file must go.
                if (!complete) step.EndProfiling();
            }
            return step.EndProfiling().ToDictionary(t => t.Name, t => Math.Round(PerRun(t.Calls, done), 6), StringComparer.Ordinal);
        }
    }

    /// <summary>The median of the last runs; a layer in a loop is called several times a run, and some calls may be older than these runs.</summary>
    private static double PerRun(IReadOnlyList<double> calls, int runs)
    {
        int each = calls.Count / runs, counted = runs - WarmUpRuns, first = calls.Count - counted * each;
        if (each == 0) return calls.Sum() / runs;
        return TimeStatistics.Of([.. Enumerable.Range(0, counted).Select(r => calls.Skip(first + r * each).Take(each).Sum())]).Median;
    }
}
