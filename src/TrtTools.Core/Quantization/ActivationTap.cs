using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Quantization;

/// <summary>Where calibration gets activations from.</summary>
internal interface IActivationSource : IDisposable
{
    /// <summary>Names of the tensors it gives.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>Runs one sample and hands over its activations, some at a time.</summary>
    IEnumerable<IReadOnlyDictionary<string, TensorData>> Run(IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop);
}

/// <summary>A copy of a graph that returns its activations, run by ONNX Runtime with its optimizations off.</summary>
internal sealed class ActivationTap : IActivationSource
{
    private readonly OrtSession _session;
    private readonly long _limitBytes;
    private List<IReadOnlyList<string>>? _groups;

    public ActivationTap(OnnxGraph graph, IEnumerable<Value> wanted, long limitBytes, CancellationToken stop)
    {
        _limitBytes = limitBytes;
        OnnxGraph copy = graph.Copy();
        HashSet<string> outputs = new(copy.Body.Outputs.Select(o => o.Name), StringComparer.Ordinal);
        List<string> names = [];
        foreach (Value value in wanted)
        {
            Value twin = copy.Body.Find(value.Name)!;
            names.Add(twin.Name);
            if (outputs.Add(twin.Name)) copy.Body.AddOutput(twin);
        }
        Names = names;
        _session = OrtSession.Create(OnnxFile.Serialize(copy), new OrtOptions { Optimization = OrtOptimization.None, Subject = graph.Name }, stop);
    }

    public IReadOnlyList<string> Names { get; }

    public IEnumerable<IReadOnlyDictionary<string, TensorData>> Run(IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop)
    {
        if (_groups is null)
        {
            // The first sample shows how large the activations are: it fetches as few at a time as fit whatever their size.
            List<IReadOnlyList<string>> groups = [];
            List<string> group = [];
            long bytes = 0;
            foreach (string[] few in Names.Chunk(Math.Max(1, Names.Count / 4)))
            {
                IReadOnlyDictionary<string, TensorData> activations = _session.Run(inputs, few, stop);
                foreach (string name in few)
                {
                    if (group.Count > 0 && bytes + activations[name].ByteCount > _limitBytes)
                    {
                        groups.Add([.. group]);
                        group.Clear();
                        bytes = 0;
                    }
                    group.Add(name);
                    bytes += activations[name].ByteCount;
                }
                yield return activations;
            }
            if (group.Count > 0) groups.Add(group);
            _groups = groups;
            yield break;
        }
        foreach (IReadOnlyList<string> group in _groups) yield return _session.Run(inputs, group, stop);
    }

    public void Dispose() => _session.Dispose();
}
