using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>One whole plan that a build made, to be held against others.</summary>
/// <param name="Name">What is special about it, such as "channels last".</param>
internal sealed record CudaPlan(string Name, EnginePrecision Precision, EngineHeader Header, EngineContent Content)
{
    private const int WarmUpRuns = 4, Runs = 25, ProfileRuns = 9;

    /// <summary>Median of whole runs on the device, replayed as graphs; null where made-up inputs do not run.</summary>
    public double? Measure(BuildContext context) => OnDevice<double?>(context, 0, run =>
    {
        for (int i = 0; i < WarmUpRuns; i++) Once(run, context.Stop);
        return TimeStatistics.Of([.. Enumerable.Range(0, Runs).Select(_ => Once(run, context.Stop))]).Median;
    });

    /// <summary>Puts a serial run's time of each layer into the details.</summary>
    /// <returns>False where made-up inputs do not run.</returns>
    public bool FillTimes(BuildContext context)
    {
        bool filled = FillTimes(context, 0);
        foreach (int profile in context.Profiles.Select(p => p.Index).Where(p => p > 0).Distinct().Order())
        {
            if (Content.Details.Layers.Any(l => l.Profiles.Contains((uint)profile))) filled &= FillTimes(context, profile);
        }
        return filled;
    }

    /// <summary>Of a profile's layers that no earlier one has.</summary>
    private bool FillTimes(BuildContext context, int profile) => OnDevice(context, profile, run =>
    {
        for (int i = 0; i < WarmUpRuns; i++) Once(run, context.Stop);
        Dictionary<uint, List<double>> times = [];
        for (int i = 0; i < ProfileRuns; i++)
        {
            run.Upload();
            foreach (IGrouping<uint, double> layer in run.Profile(context.Stop).GroupBy(t => t.Launch?.Layer ?? t.Step.Host!.Layer, t => t.Milliseconds))
            {
                if (!times.TryGetValue(layer.Key, out List<double>? list)) times.Add(layer.Key, list = []);
                list.Add(layer.Sum());
            }
        }
        foreach ((uint layer, List<double> list) in times)
        {
            if (layer < Content.Details.Layers.Count && (profile == 0 || Content.Details.Layers[(int)layer].Profiles.FirstOrDefault() == profile)) Content.Details.Layers[(int)layer].MedianMs = Math.Round(TimeStatistics.Of(list).Median, 6);
        }
        return true;
    });

    /// <summary>False where they are of another number of layers.</summary>
    public bool TryFillTimes(IReadOnlyList<double> milliseconds)
    {
        if (milliseconds.Count != Content.Details.Layers.Count) return false;
        for (int i = 0; i < milliseconds.Count; i++) Content.Details.Layers[i].MedianMs = milliseconds[i];
        return true;
    }

    private static double Once(DeviceContext run, CancellationToken stop)
    {
        run.Upload();
        run.Execute(stop);
        run.Synchronize();
        return run.Times.Compute;
    }

    private T? OnDevice<T>(BuildContext context, int profile, Func<DeviceContext, T> work)
    {
        using Engine engine = EngineAssembler.OfTarget(context, Header, Content);
        try
        {
            IReadOnlyDictionary<string, Tensor> inputs = SyntheticInputs.Create(engine, profile == 0 ? null : context.Profiles.Where(p => p.Index == profile).ToDictionary(p => p.Input, p => p.Opt, StringComparer.Ordinal), out _);
            using DeviceContext run = engine.CreateDeviceContext(context.Stop);
            run.IsTimed = true;
            for (int i = 0; i < engine.Inputs.Count; i++) run.SetInput(i, inputs[engine.Inputs[i].Name].Content);
            return work(run);
        }
        catch (TrtToolsException e) when (e.Code is ErrorCode.ShapeMismatch or ErrorCode.ShapeUnknown or ErrorCode.InputInvalid or ErrorCode.EvaluationFailed)
        {
            context.Report.Verbose($"{context.Name}: made-up inputs do not run, so the engine was not timed as a whole: {e.Message}");
            return default;
        }
    }
}
