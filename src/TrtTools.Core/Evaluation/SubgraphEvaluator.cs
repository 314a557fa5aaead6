using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Evaluation;

/// <summary>Computes chosen values of a graph with ONNX Runtime, its optimizations off.</summary>
internal static class SubgraphEvaluator
{
    /// <summary>Builds one model that holds just what the wanted values need and runs it once. Values may stand in nested bodies, as long as they
    /// depend only on constants and on <paramref name="inputs"/> (graph inputs by name).</summary>
    public static IReadOnlyDictionary<Value, TensorData> Evaluate(OnnxGraph model, IReadOnlyCollection<Value> wanted, IReadOnlyDictionary<string, TensorData>? inputs, CancellationToken stop)
    {
        Dictionary<Value, TensorData> results = [];
        List<Value> computed = [];
        foreach (Value value in wanted)
        {
            if (ConstantReader.Read(value) is { } data) results[value] = data;
            else if (value.Producer is null && inputs is not null && inputs.TryGetValue(value.Name, out TensorData? given)) results[value] = given;
            else if (!computed.Contains(value)) computed.Add(value);
        }
        if (computed.Count == 0) return results;
        Extraction extraction = new(model, inputs ?? new Dictionary<string, TensorData>());
        foreach (Value value in computed) extraction.AddOutput(value);
        IReadOnlyDictionary<string, TensorData> outputs = ModelRunner.RunIsolated(extraction.Model, extraction.Inputs, stop);
        for (int i = 0; i < computed.Count; i++) results[computed[i]] = outputs[extraction.Model.Body.Outputs[i].Name];
        return results;
    }

    private sealed class Extraction
    {
        private readonly OnnxGraph _source;
        private readonly IReadOnlyDictionary<string, TensorData> _given;
        private readonly Dictionary<Value, Value> _map = [];
        private readonly Graph _body = new("evaluation");
        private int _count;

        public Extraction(OnnxGraph source, IReadOnlyDictionary<string, TensorData> given)
        {
            _source = source;
            _given = given;
            Model = new OnnxGraph(_body, source.Name, source.Path, source.IrVersion, source.OpsetImports);
        }

        public OnnxGraph Model { get; }

        public Dictionary<string, TensorData> Inputs { get; } = new(StringComparer.Ordinal);

        public void AddOutput(Value value)
        {
            Require(value);
            _body.AddOutput(_map[value]);
        }

        /// <summary>Copies what computes the value, depth first without recursion: graphs may be ten thousand nodes deep.</summary>
        private void Require(Value value)
        {
            Stack<(Value Value, bool Ready)> pending = new([(value, false)]);
            while (pending.TryPop(out (Value Value, bool Ready) next))
            {
                if (_map.ContainsKey(next.Value)) continue;
                if (next.Value.Producer is not { } producer)
                {
                    AddLeaf(next.Value);
                }
                else if (next.Ready)
                {
                    AddNode(producer);
                }
                else
                {
                    pending.Push((next.Value, true));
                    foreach (Value? input in producer.Inputs)
                    {
                        if (input is not null && !_map.ContainsKey(input)) pending.Push((input, false));
                    }
                    foreach (Value captured in producer.Subgraphs.SelectMany(CapturedBy))
                    {
                        if (!_map.ContainsKey(captured)) pending.Push((captured, false));
                    }
                }
            }
        }

        private void AddLeaf(Value value)
        {
            if (value.Data is { } data)
            {
                _map[value] = _body.AddInitializer(FreshName(), data);
            }
            else if (_given.TryGetValue(value.Name, out TensorData? given) && !Inputs.ContainsKey(value.Name))
            {
                Inputs.Add(value.Name, given);
                _map[value] = _body.AddInput(value.Name, value.Type ?? TensorType.Of(given));
            }
            else
            {
                throw new TrtToolsException(ErrorCode.InputNotFound, $"Value '{value.Name}'", "It is needed to compute what was asked for, and it is not given",
                    "A constant, or a graph input among the given ones", "Give the model's inputs");
            }
        }

        private void AddNode(Node node)
        {
            Node copy = GraphCopier.CopyNode(node, _body, _map, rename: _ => FreshName());
            // Nodes of several bodies come together here, whose names may be equal.
            copy.Name = "";
            foreach (Node below in copy.Subgraphs.SelectMany(g => g.NodesWithSubgraphs)) below.Name = "";
            AddFunctions(copy);
        }

        private void AddFunctions(Node node)
        {
            foreach (Node call in node.Subgraphs.SelectMany(g => g.NodesWithSubgraphs).Prepend(node))
            {
                if (_source.FindFunction(call) is not { } function || !Model.FunctionTable.TryAdd(function.Key, function)) continue;
                foreach (Node inner in function.Body.Nodes) AddFunctions(inner);
            }
        }

        private string FreshName() => $"__evaluated_{_count++}";

        private static IEnumerable<Value> CapturedBy(Graph graph)
        {
            HashSet<Graph> inside = [.. graph.WithSubgraphs];
            return inside.SelectMany(g => g.Nodes.SelectMany(n => n.Inputs).Concat(g.Outputs)).Where(v => v is not null && !inside.Contains(v.Graph)).Distinct()!;
        }
    }
}

/// <summary>Runs whole graphs.</summary>
internal static class ModelRunner
{
    /// <summary>The same where the graph may be anyone's: in a process of its own, where there is one.</summary>
    public static IReadOnlyDictionary<string, TensorData> RunIsolated(OnnxGraph model, IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop) =>
        EvaluationProcess.Shared is { } process ? process.Run(OnnxFile.Serialize(model), model.Name, inputs, stop) : Run(model, inputs, stop);

    /// <summary>All outputs. Given inputs that the model does not have are left out.</summary>
    public static IReadOnlyDictionary<string, TensorData> Run(OnnxGraph model, IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop)
    {
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(model), new OrtOptions { Optimization = OrtOptimization.None, Subject = model.Name }, stop);
        Dictionary<string, TensorData> needed = session.InputNames.Where(inputs.ContainsKey).ToDictionary(n => n, n => inputs[n], StringComparer.Ordinal);
        return session.Run(needed, null, stop);
    }
}
