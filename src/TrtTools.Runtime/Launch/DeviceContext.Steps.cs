using System.Diagnostics;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Tensors;
using Buffer = TrtTools.Engines.Proto.Buffer;

namespace TrtTools.Launch;

/// <summary>Launches one by one and as graphs, steps of the host between them, and runs that are timed launch by launch.</summary>
internal sealed partial class DeviceContext
{
    /// <summary>One run with a mark after each launch and nothing overlapping: milliseconds by launch, in order. Inputs are uploaded.</summary>
    public IReadOnlyList<(Engines.Proto.Launch? Launch, PlanStep Step, double Milliseconds)> Profile(CancellationToken stop)
    {
        _program.Device.MakeCurrent();
        List<(Engines.Proto.Launch?, PlanStep, double)> times = [];
        List<IDeviceEvent> events = [];
        List<Engines.Proto.Launch> launches = [];
        int epoch = 0;
        try
        {
            foreach (PlanStep step in _program.Tables.Steps)
            {
                stop.ThrowIfCancellationRequested();
                if (step.Host is not null)
                {
                    Synchronize();
                    long start = Stopwatch.GetTimestamp();
                    RunHostStep(step, stop);
                    Synchronize();
                    times.Add((null, step, Stopwatch.GetElapsedTime(start).TotalMilliseconds));
                    epoch = step.EpochAfter;
                    continue;
                }
                ShapePlan plan = _current[epoch]!;
                plan.Patch(_bound[epoch]!.Addresses);
                IDeviceEvent? before = NextEvent();
                foreach (PreparedLaunch launch in plan.LaunchesOf(step))
                {
                    if (launch is PreparedNothing) continue;
                    Enqueue(launch);
                    launches.Add(launch.Source);
                    NextEvent();
                }
                Synchronize();
                for (int i = 0; i < launches.Count; i++) times.Add((launches[i], step, events[i + 1].MillisecondsSince(events[i])));
                foreach (IDeviceEvent mark in events) mark.Dispose();
                events.Clear();
                launches.Clear();
            }
            return times;
        }
        finally
        {
            foreach (IDeviceEvent mark in events) mark.Dispose();
        }

        IDeviceEvent NextEvent()
        {
            IDeviceEvent mark = _program.Device.CreateEvent();
            events.Add(mark);
            _stream.Record(mark);
            return mark;
        }
    }

    private bool RunSegment(PlanStep step, ShapePlan plan, AddressBinding binding)
    {
        if (binding.Graphs.TryGetValue(step, out CapturedGraph? known))
        {
            if (known.Version != plan.Version) plan.Patch(binding.Addresses);
            if (plan.TryUpdate(known, step))
            {
                _stream.Launch(known.Graph);
                return true;
            }
            // It may still run.
            Synchronize();
            known.Graph.Dispose();
            binding.Graphs.Remove(step);
        }
        plan.Patch(binding.Addresses);
        IReadOnlyList<PreparedLaunch> launches = plan.LaunchesOf(step);
        // The second run with the same addresses is captured: the first has loaded what libraries load on first use.
        if (binding.Uses > 1 && launches.Count > 1 && CaptureProblem.Length == 0 && Capture(launches, plan.Version) is { } captured)
        {
            binding.Graphs.Add(step, captured);
            _stream.Launch(captured.Graph);
            return true;
        }
        foreach (PreparedLaunch launch in launches)
        {
            Enqueue(launch);
            // In a context's first run an error is found at the launch that made it.
            if (!_proven) SynchronizeAfter(launch);
        }
        return false;
    }

    private CapturedGraph? Capture(IReadOnlyList<PreparedLaunch> launches, int version)
    {
        try
        {
            nint[] nodes = new nint[launches.Count];
            _stream.BeginCapture();
            for (int i = 0; i < nodes.Length; i++)
            {
                Enqueue(launches[i]);
                if (launches[i] is PreparedKernel { Shape.IsEmpty: false }) nodes[i] = _stream.LastNode;
            }
            return new CapturedGraph(_stream.EndCapture(), nodes, version);
        }
        catch (TrtToolsException e)
        {
            // Launches one by one do the same, only slower; whoever measures is told.
            _stream.AbandonCapture();
            CaptureProblem = e.Message;
            return null;
        }
    }

    private void Enqueue(PreparedLaunch launch)
    {
        try
        {
            launch.Enqueue(_stream);
        }
        catch (Exception e) when (e is TrtToolsException or CudaLibraryException)
        {
            throw DeviceErrors.In(_program, launch.Source, e);
        }
    }

    private void SynchronizeAfter(PreparedLaunch launch)
    {
        try
        {
            _stream.Synchronize();
        }
        catch (TrtToolsException e)
        {
            throw DeviceErrors.In(_program, launch.Source, e);
        }
    }

    private void RunHostStep(PlanStep step, CancellationToken stop)
    {
        HostStep host = step.Host!;
        ShapePlan plan = _current[step.Epoch]!;
        Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
        for (int i = 0; i < host.Inputs.Count; i++) inputs[host.Inputs[i]] = HostValue((int)host.InputBuffers[i], host.InputShapes.Count > 0 ? plan.Layout.Evaluate(host.InputShapes[i].Extents) : null, plan);
        using (IHostRun run = _program.HostStepOf(step).Bind(inputs, stop))
        {
            run.Execute(stop);
            IReadOnlyList<TensorData> results = run.CopyResults();
            if (results.Count != host.OutputBuffers.Count) throw new TrtToolsException(ErrorCode.EngineCorrupt, $"The engine '{_program.Name}'", $"a host step gave {results.Count} values", $"{host.OutputBuffers.Count}", "Build the engine again");
            for (int i = 0; i < host.OutputBuffers.Count; i++) _hostValues[host.OutputBuffers[i]] = results[i];
        }
        if (step.EpochAfter != step.Epoch)
        {
            BindSymbols(step.EpochAfter);
            Activate(step.EpochAfter);
        }
        plan = _current[step.EpochAfter]!;
        foreach (uint b in host.OutputBuffers)
        {
            TensorData value = _hostValues[b]!;
            Buffer buffer = _program.BufferAt((int)b);
            if ((DataType)buffer.DataType != value.Type || !plan.Layout.HasShape((int)b, value.Shape))
            {
                throw new TrtToolsException(ErrorCode.ShapeMismatch, $"The engine '{_program.Name}'", $"'{buffer.Name}' came out as {value}", $"{(DataType)buffer.DataType}[{string.Join(',', plan.Layout.ShapeOf((int)b))}]", "Report it with the model");
            }
            if (_program.Tables.Buffers[b].OnDevice) _transfer.ToDevice((int)b, value, _addresses[b], plan.Layout.ByteCountOf((int)b));
        }
    }

    /// <param name="shape">As the step sees the value; null: as the buffer says.</param>
    private TensorData HostValue(int b, long[]? shape, ShapePlan plan)
    {
        if (_hostValues[b] is { } known)
        {
            if (shape is null || known.Shape.SequenceEqual(shape)) return known;
            if (known.Type != DataType.String && known.ByteCount == plan.Layout.DenseBytes(b, shape)) return known.Reshape(shape);
        }
        Buffer buffer = _program.BufferAt(b);
        DataType type = (DataType)buffer.DataType;
        shape ??= plan.Layout.ShapeOf(b);
        long bytes = plan.Layout.DenseBytes(b, shape);
        if (bytes > 0 && buffer.Kind != BufferKind.Weight && _addresses[b] == 0) throw new TrtToolsException(ErrorCode.EngineCorrupt, $"The engine '{_program.Name}'", $"a host step reads '{buffer.Name}', which lies nowhere", "", "Build the engine again");
        if (buffer.Kind == BufferKind.Weight) return TensorData.FromBytes(type, shape, _program.Blobs[(int)buffer.Index].Slice(0, checked((int)bytes)).ToArray());
        // Not remembered: a later launch may write to the buffer again.
        return _transfer.ToHost(b, type, shape, bytes, _addresses[b]);
    }
}
