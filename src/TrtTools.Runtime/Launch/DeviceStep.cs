using TrtTools.Tensors;

namespace TrtTools.Launch;

/// <summary>A whole program on a device, in the form of a step that takes values from the host and gives values to it. Runs overlap: each has a context of its own.</summary>
/// <remarks>It owns one share of the program.</remarks>
internal sealed class DeviceStep(DeviceProgram program, bool profile) : IHostStep
{
    /// <summary>Contexts that wait for the next run; more are let go.</summary>
    private const int MaxIdle = 32;

    private readonly Lock _gate = new();
    private readonly Stack<DeviceContext> _idle = [];
    private readonly SortedDictionary<uint, List<double>> _layerTimes = [];
    private bool _disposed;

    public DeviceProgram Program => program;

    public IHostRun Bind(IReadOnlyDictionary<string, TensorData> inputs)
    {
        try
        {
            return BindOnce(inputs);
        }
        catch (TrtToolsException e) when (e.Code == ErrorCode.OutOfDeviceMemory && ReleaseIdle())
        {
            // Contexts that only waited for the next run gave theirs back.
            return BindOnce(inputs);
        }
    }

    private IHostRun BindOnce(IReadOnlyDictionary<string, TensorData> inputs)
    {
        DeviceContext context = Rent();
        try
        {
            for (int i = 0; i < program.Plan.Inputs.Count; i++) context.SetInput(i, inputs[program.Plan.Inputs[i].Name]);
            context.IsTimed = true;
            context.Upload();
            return new Run(this, context);
        }
        catch
        {
            Return(context, whole: false);
            throw;
        }
    }

    public IReadOnlyList<LayerTime> EndProfiling()
    {
        lock (_gate) return [.. _layerTimes.Select(t => new LayerTime(program.RuntimeName(t.Key), program.LayerKind(t.Key), t.Value))];
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
        }
        ReleaseIdle();
        program.Leave();
    }

    /// <summary>False where no context was idle.</summary>
    private bool ReleaseIdle()
    {
        DeviceContext[] idle;
        lock (_gate)
        {
            idle = [.. _idle];
            _idle.Clear();
        }
        foreach (DeviceContext context in idle) context.Dispose();
        return idle.Length > 0;
    }

    private DeviceContext Rent()
    {
        lock (_gate)
        {
            if (_idle.TryPop(out DeviceContext? context)) return context;
        }
        return program.CreateContext();
    }

    private void Return(DeviceContext context, bool whole)
    {
        lock (_gate)
        {
            if (whole && !_disposed && _idle.Count < MaxIdle)
            {
                _idle.Push(context);
                return;
            }
        }
        context.Dispose();
    }

    private void Add(IReadOnlyList<(Engines.Proto.Launch? Launch, Engines.PlanStep Step, double Milliseconds)> times)
    {
        lock (_gate)
        {
            foreach (IGrouping<uint, double> layer in times.GroupBy(t => t.Launch?.Layer ?? t.Step.Host!.Layer, t => t.Milliseconds))
            {
                if (!_layerTimes.TryGetValue(layer.Key, out List<double>? calls)) _layerTimes.Add(layer.Key, calls = []);
                calls.Add(layer.Sum());
            }
        }
    }

    private sealed class Run(DeviceStep step, DeviceContext context) : IHostRun
    {
        private bool _failed, _executed, _done;

        public string Problem => context.CaptureProblem.Length == 0 ? "" : $"launches run one by one, since they can't be captured as a graph ({context.CaptureProblem.TrimEnd('.')})";

        public DeviceTimes? Times => _executed ? context.Times : null;

        public void Execute(CancellationToken stop)
        {
            _failed = true;
            if (step.IsProfiling) step.Add(context.Profile(stop));
            else context.Execute(stop);
            _failed = false;
            _executed = !step.IsProfiling;
        }

        public IReadOnlyList<TensorData> CopyResults() => context.Download();

        public void Dispose()
        {
            if (_done) return;
            _done = true;
            step.Return(context, whole: !_failed);
        }
    }

    private bool IsProfiling => profile;
}
