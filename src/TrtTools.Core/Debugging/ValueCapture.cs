using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Debugging;

/// <summary>What the tensors inside a model hold when ONNX Runtime runs it, its optimizations off: the inputs of a part that was cut out, and what it should give.</summary>
internal sealed class ValueCapture : IDisposable
{
    private readonly OrtSession _session;
    private readonly Dictionary<string, OrtTensorInfo> _outputs;

    private ValueCapture(OrtSession session, IReadOnlyDictionary<string, TensorData> inputs)
    {
        _session = session;
        Inputs = inputs;
        _outputs = session.Outputs.Where(o => o.DataType != DataType.Undefined).ToDictionary(o => o.Name, StringComparer.Ordinal);
    }

    /// <summary>The model's own inputs.</summary>
    public IReadOnlyDictionary<string, TensorData> Inputs { get; }

    /// <summary>Null, with the reason, where ONNX Runtime does not run the model: its parts are then checked without data.</summary>
    /// <param name="inputs">The model's inputs; null: made up.</param>
    public static ValueCapture? Open(OnnxGraph graph, IReadOnlyDictionary<string, TensorData>? inputs, out string problem, CancellationToken stop)
    {
        problem = "";
        foreach (IReadOnlyDictionary<string, TensorData> candidate in inputs is not null ? [inputs] : SyntheticInputs.ToTry(graph))
        {
            stop.ThrowIfCancellationRequested();
            try
            {
                // A faulty model may bring ONNX Runtime down: it is run where that is an error first.
                ModelRunner.RunIsolated(graph, candidate, stop);
                return new ValueCapture(Tapped(graph, stop), candidate);
            }
            catch (TrtToolsException e) when (e.Code is not ErrorCode.Cancelled)
            {
                if (problem.Length == 0) problem = e.Message;
            }
        }
        return null;
    }

    private static OrtSession Tapped(OnnxGraph graph, CancellationToken stop)
    {
        OnnxGraph copy = graph.Copy();
        foreach (Value value in copy.Body.Values.Where(v => v.Producer is not null && !v.IsGraphOutput).ToList()) copy.Body.AddOutput(value);
        return OrtSession.Create(OnnxFile.Serialize(copy), new OrtOptions { Optimization = OrtOptimization.None, Subject = graph.Name }, stop);
    }

    /// <summary>The type that ONNX Runtime knows of a tensor; null for what is no tensor.</summary>
    public TensorType? TypeOf(Value value) => !_outputs.TryGetValue(value.Name, out OrtTensorInfo? info) ? null
        : new TensorType(info.DataType, info.Shape.Length == 0 ? null : new SymbolicShape([.. info.Shape.Select(d => d < 0 ? null : DimExpr.Constant(d))]));

    /// <summary>The content of tensors of the main graph, by name; what is no tensor is left out.</summary>
    public IReadOnlyDictionary<string, TensorData> Get(IEnumerable<Value> values, CancellationToken stop)
    {
        Dictionary<string, TensorData> found = new(StringComparer.Ordinal);
        List<string> run = [];
        foreach (Value value in values)
        {
            if (value.Data is { } data && !(value.IsGraphInput && Inputs.ContainsKey(value.Name))) found[value.Name] = data;
            else if (Inputs.TryGetValue(value.Name, out TensorData? given)) found[value.Name] = given;
            else if (_outputs.ContainsKey(value.Name) && !run.Contains(value.Name)) run.Add(value.Name);
        }
        if (run.Count == 0) return found;
        Dictionary<string, TensorData> inputs = _session.InputNames.Where(Inputs.ContainsKey).ToDictionary(n => n, n => Inputs[n], StringComparer.Ordinal);
        foreach ((string name, TensorData data) in _session.Run(inputs, run, stop)) found[name] = data;
        return found;
    }

    public void Dispose() => _session.Dispose();
}
