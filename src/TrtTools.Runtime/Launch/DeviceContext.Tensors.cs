using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Tensors;

namespace TrtTools.Launch;

/// <summary>Runs that look at what layers leave in memory.</summary>
internal sealed partial class DeviceContext
{
    /// <summary>One run, launch by launch, that reads tensors as soon as their layer has run: later ones take its memory. Inputs are uploaded.</summary>
    /// <param name="wanted">What to read, by the layer's index in Details.</param>
    /// <param name="read">Called with each tensor and its content, dense, in the type that it is stored in.</param>
    public void ExecuteReading(ILookup<uint, LayerTensor> wanted, Action<LayerTensor, TensorData> read, CancellationToken stop)
    {
        _program.Device.MakeCurrent();
        int epoch = 0;
        foreach (PlanStep step in _program.Tables.Steps)
        {
            stop.ThrowIfCancellationRequested();
            if (step.Host is { } host)
            {
                RunHostStep(step, stop);
                epoch = step.EpochAfter;
                Read(host.Layer);
                continue;
            }
            ShapePlan plan = _current[epoch]!;
            plan.Patch(_bound[epoch]!.Addresses);
            IReadOnlyList<PreparedLaunch> launches = plan.LaunchesOf(step);
            for (int i = 0; i < launches.Count; i++)
            {
                Enqueue(launches[i]);
                if (i + 1 < launches.Count && launches[i + 1].Source.Layer == launches[i].Source.Layer) continue;
                if (!wanted.Contains(launches[i].Source.Layer)) continue;
                stop.ThrowIfCancellationRequested();
                Synchronize();
                Read(launches[i].Source.Layer);
            }
        }
        Synchronize();

        void Read(uint layer)
        {
            foreach (LayerTensor tensor in wanted[layer]) read(tensor, Content(tensor, _current[epoch]!));
        }
    }

    private TensorData Content(LayerTensor tensor, ShapePlan plan)
    {
        int b = checked((int)tensor.Buffer);
        DataType type = (DataType)_program.BufferAt(b).DataType;
        long[] shape = [.. tensor.Shape.Select(Evaluate)], strides = [.. tensor.Strides.Select(Evaluate)];
        long count = TensorData.CountElements(shape), offset = Evaluate(tensor.Offset);
        // What a host step gave may lie on the host alone.
        TensorData all = _hostValues[b] is { } known && _addresses[b] == 0 ? known : Whole();
        int size = checked((int)type.ByteCount(1));
        long room = all.ByteCount / size;
        byte[] dense = new byte[checked((int)(count * size))];
        ReadOnlySpan<byte> source = all.Bytes;
        long[] at = new long[shape.Length];
        for (long i = 0; i < count; i++)
        {
            long place = offset;
            for (int d = 0; d < at.Length; d++) place += at[d] * strides[d];
            if (place < 0 || place >= room) throw new TrtToolsException(ErrorCode.EngineCorrupt, $"The engine '{_program.Name}'", $"'{tensor.Names[0]}' does not lie in its buffer", "", "Build the engine again");
            source.Slice(checked((int)(place * size)), size).CopyTo(dense.AsSpan(checked((int)(i * size)), size));
            for (int d = at.Length - 1; d >= 0 && ++at[d] == shape[d]; d--) at[d] = 0;
        }
        return TensorData.FromBytes(type, shape, dense);

        TensorData Whole()
        {
            long bytes = plan.Layout.ByteCountOf(b);
            return _transfer.ToHost(b, DataType.UInt8, [bytes], bytes, _addresses[b]);
        }

        long Evaluate(string text) => DimExpr.Parse(text).Evaluate(_symbols) ?? throw new TrtToolsException(ErrorCode.EngineCorrupt, $"The engine '{_program.Name}'", $"the extent '{text}' of '{tensor.Names[0]}' is not known", "", "Build the engine again");
    }
}
