using TrtTools.Engines.Proto;
using TrtTools.Evaluation;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Launch;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>Gives what an engine's layers compute.</summary>
internal interface ILayerSource : IDisposable
{
    IReadOnlyList<LayerTap> Taps { get; }

    /// <summary>Runs the engine, and gives some of the taps' tensors by their names in the original model.</summary>
    IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, TensorData> inputs, IReadOnlyList<string> tensors, CancellationToken stop);
}

/// <summary>A CPU engine: its model with the values at the ends of its layers as outputs.</summary>
internal sealed class HostLayerSource : ILayerSource
{
    private readonly OrtSession _session;
    private readonly Dictionary<string, string> _values;

    private HostLayerSource(OrtSession session, IReadOnlyList<LayerTap> taps)
    {
        (_session, Taps) = (session, taps);
        _values = taps.ToDictionary(t => t.Tensor, t => t.EngineValue, StringComparer.Ordinal);
    }

    public IReadOnlyList<LayerTap> Taps { get; }

    public static HostLayerSource Open(Execution.Engine engine, OnnxGraph original, Report report, CancellationToken stop)
    {
        (IReadOnlyList<LayerTap> taps, OnnxGraph tapped) = LayerTaps.Find(engine, original, report, stop);
        return new HostLayerSource(OrtSession.Create(OnnxFile.Serialize(tapped), OnnxRuntimeHost.OptionsOf(engine.StepRequest.Settings, engine.Name, profile: false), stop), taps);
    }

    public IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, TensorData> inputs, IReadOnlyList<string> tensors, CancellationToken stop)
    {
        IReadOnlyDictionary<string, TensorData> found = _session.Run(inputs, [.. tensors.Select(t => _values[t]).Distinct(StringComparer.Ordinal)], stop);
        return tensors.ToDictionary(t => t, t => found[_values[t]], StringComparer.Ordinal);
    }

    public void Dispose() => _session.Dispose();
}

/// <summary>An engine for a GPU: launch by launch, what each layer left in memory is read before later ones take it. The launches are those of any run, so the layers stay whole.</summary>
internal sealed class DeviceLayerSource : ILayerSource
{
    private readonly Execution.Engine _engine;
    private readonly DeviceContext _context;
    private readonly ILookup<string, (uint Layer, LayerTensor Tensor)> _tensors;

    private DeviceLayerSource(Execution.Engine engine, DeviceContext context, IReadOnlyList<LayerTap> taps, ILookup<string, (uint, LayerTensor)> tensors) => (_engine, _context, Taps, _tensors) = (engine, context, taps, tensors);

    public IReadOnlyList<LayerTap> Taps { get; }

    public static DeviceLayerSource Open(Execution.Engine engine, OnnxGraph original, Report report, CancellationToken stop)
    {
        List<LayerTap> taps = [];
        // A layer that differs between profiles is there for each of them; a run goes through one.
        List<(string Name, uint Layer, LayerTensor Tensor)> tensors = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        IReadOnlyList<Layer> layers = engine.Content.Details.Layers;
        for (int i = 0; i < layers.Count; i++)
        {
            foreach (LayerTensor tensor in layers[i].Tensors)
            {
                // One name is enough: the others hold the same.
                if (tensor.Names.FirstOrDefault(n => original.Body.Find(n)?.Producer is not null) is not { } name) continue;
                tensors.Add((name, (uint)i, tensor));
                if (names.Add(name)) taps.Add(new LayerTap(i, engine.Layers[i], name, ""));
            }
        }
        int found = taps.Select(t => t.Index).Distinct().Count(), all = layers.Count(l => l.SourceNodes.Count > 0);
        if (found < all) report.Verbose($"{engine.Name}: {found} of {all} layers end in a tensor of the original model; the others were not compared.");
        if (found == 0) throw new TrtToolsException(ErrorCode.ModelMalformed, $"The engine '{engine.Name}'", layers.Any(l => l.Tensors.Count > 0) ? "none of its layers could be found in the original model" : "it does not say where its layers' results are: it was built by an earlier version", "It needs the model that it was built from", "Give that model with -ModelPath, or build the engine again");
        return new DeviceLayerSource(engine, engine.CreateDeviceContext(stop), taps, tensors.ToLookup(t => t.Name, t => (t.Layer, t.Tensor), StringComparer.Ordinal));
    }

    public IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, TensorData> inputs, IReadOnlyList<string> tensors, CancellationToken stop)
    {
        ILookup<uint, LayerTensor> wanted = tensors.SelectMany(t => _tensors[t]).ToLookup(t => t.Layer, t => t.Tensor);
        Dictionary<LayerTensor, string> names = new(ReferenceEqualityComparer.Instance);
        foreach (string name in tensors)
        {
            foreach ((_, LayerTensor tensor) in _tensors[name]) names.Add(tensor, name);
        }
        Dictionary<string, TensorData> found = new(StringComparer.Ordinal);
        for (int i = 0; i < _engine.Inputs.Count; i++)
        {
            string name = _engine.Inputs[i].Name;
            _context.SetInput(i, inputs.TryGetValue(name, out TensorData? data) ? data : throw new TrtToolsException(ErrorCode.InputNotFound, $"The engine '{_engine.Name}'", $"the input '{name}' was not given", "", "Add it to the input data"));
        }
        _context.Upload();
        _context.ExecuteReading(wanted, (tensor, content) => found[names[tensor]] = Real(tensor, content), stop);
        return found;
    }

    /// <summary>Integers that stand for a tensor, as what they stand for.</summary>
    private static TensorData Real(LayerTensor tensor, TensorData content) => tensor.Scale == 0 ? content
        : TensorMath.FromDouble(DataType.Float32, content.Shape, [.. content.ToDouble().Select(v => (v - tensor.ZeroPoint) * tensor.Scale)]);

    public void Dispose() => _context.Dispose();
}
