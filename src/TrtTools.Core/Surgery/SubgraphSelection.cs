using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Which part of a graph to take out.</summary>
public sealed record SubgraphOptions
{
    /// <summary>Tensors that become the part's inputs; empty for the graph's own.</summary>
    public IReadOnlyList<string> Inputs { get; init; } = [];

    /// <summary>Tensors that become its outputs; empty for the graph's own that the inputs reach.</summary>
    public IReadOnlyList<string> Outputs { get; init; } = [];

    /// <summary>Shapes of inputs by name, where the graph's own shall not hold.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Shapes { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Element types of inputs and outputs by name, where nothing else tells.</summary>
    public IReadOnlyDictionary<string, DataType> Types { get; init; } = new Dictionary<string, DataType>();
}

/// <summary>Takes a part out of a graph: what Select-OnnxSubgraph runs.</summary>
public static class SubgraphSelection
{
    public const string Command = "Select-OnnxSubgraph";

    public static OnnxGraph Select(OnnxGraph graph, SubgraphOptions options, Report report)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(report);
        NameFinder names = new(graph);
        List<Value> inputs = [.. options.Inputs.Distinct(StringComparer.Ordinal).Select(names.MainTensor)];
        List<Value> outputs = options.Outputs.Count > 0 ? [.. options.Outputs.Distinct(StringComparer.Ordinal).Select(names.MainTensor)] : Reached(graph, inputs);
        CheckKeys(options, inputs, outputs);
        OnnxGraph part = Extract(graph, inputs, outputs, options, report);
        HistoryText text = new HistoryText().Add("InputTensor", options.Inputs).Add("OutputTensor", options.Outputs)
            .Add("InputShape", options.Shapes.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key}={string.Join('x', s.Value)}"))
            .Add("DataType", options.Types.OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key}={t.Value}"));
        return part.WithHistory(Command, text.ToString());
    }

    /// <summary>The part between the tensors. With no inputs given, those of the graph that it needs.</summary>
    internal static OnnxGraph Extract(OnnxGraph graph, IReadOnlyList<Value> inputs, IReadOnlyList<Value> outputs, SubgraphOptions options, Report report)
    {
        HashSet<Value> cut = [.. inputs];
        HashSet<Node> needed = [];
        HashSet<Value> leaves = [];
        Collect(outputs, cut, needed, leaves);
        List<Value> missing = [.. graph.Body.Inputs.Where(i => leaves.Contains(i) && i.Data is null && !cut.Contains(i))];
        if (inputs.Count > 0 && missing.Count > 0)
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"{Command} of '{graph.Name}'", $"the part also needs {string.Join(", ", missing.Take(5).Select(m => $"'{m.Name}'"))}, which is an input of the graph",
                "All outputs must follow from the inputs", "Add it to -InputTensor, or a tensor on the way from it");
        }
        List<Value> own = inputs.Count > 0 ? [.. inputs] : [.. graph.Body.Inputs.Where(i => leaves.Contains(i))];
        foreach (Value unused in inputs.Where(i => !leaves.Contains(i) && !outputs.Contains(i)))
        {
            report.Warning($"{graph.Name}: '{unused.Name}' does not lead to {string.Join(", ", outputs.Take(3).Select(o => $"'{o.Name}'"))}; it is an input of the part all the same");
        }

        Graph body = new(graph.Body.Name) { Remainder = graph.Body.Remainder };
        OnnxGraph part = new(body, graph.Name, graph.Path, graph.IrVersion, graph.OpsetImports, graph.Resources) { Remainder = graph.Remainder, Producer = graph.Producer, Metadata = graph.Metadata, History = graph.History };
        Dictionary<Value, Value> map = [];
        InferredTypes types = new(graph);
        foreach (Value input in own)
        {
            Value twin = body.AddInput(input.Name, InputType(input));
            twin.Origin = input.Origin;
            if (input.IsGraphInput) twin.Remainder = input.Remainder;
            if (input.IsGraphInput && inputs.Count == 0 && input.Data is { } data) body.AddInitializer(input.Name, data);
            map[input] = twin;
        }
        foreach (Value constant in graph.Body.Initializers.Where(i => leaves.Contains(i) && !map.ContainsKey(i)))
        {
            Value twin = body.AddInitializer(constant.Name, constant.Data!);
            (twin.Type, twin.Origin, twin.Remainder) = (constant.Type, constant.Origin, constant.Remainder);
            map[constant] = twin;
        }
        foreach (Node node in graph.Body.Nodes.Where(needed.Contains))
        {
            // Of a node with several outputs one may be an input of the part while another is computed.
            List<(Value Given, Value Twin)> given = [.. node.Outputs.OfType<Value>().Where(cut.Contains).Select(o => (o, map[o]))];
            GraphCopier.CopyNode(node, body, map, rename: given.Count == 0 ? null : body.FreshName);
            foreach ((Value original, Value twin) in given) map[original] = twin;
        }
        foreach (Value output in outputs) AddOutput(output);
        CopyFunctions(graph, part);
        GraphEdit.RaiseIrVersion(part);
        if (options.Shapes.Count > 0)
        {
            HashSet<Value> touched = [.. body.Inputs];
            EditCheck.Run(graph, part, touched, Command);
        }
        return part;

        TensorType InputType(Value input)
        {
            TensorType? known = types.Of(input);
            SymbolicShape? shape = options.Shapes.TryGetValue(input.Name, out IReadOnlyList<string>? given) ? ShapeText.Parse(given, $"Shape of '{input.Name}'") : known?.Shape;
            DataType type = options.Types.TryGetValue(input.Name, out DataType wanted) ? wanted : known?.DataType ?? DataType.Undefined;
            if (type == DataType.Undefined) throw new TrtToolsException(ErrorCode.ShapeUnknown, $"Tensor '{input.Name}'", "nothing is known of its element type", "Each input needs an element type", $"Give one: -DataType @{{ '{input.Name}' = 'Float32' }}");
            return new TensorType(type, shape);
        }

        void AddOutput(Value output)
        {
            Value twin = map[output];
            if (twin.IsConstant)
            {
                body.Rename(twin, body.FreshName($"{output.Name}_constant"));
                Node identity = body.AddNode("Identity", [twin], [output.Name]);
                identity.Name = identity.Outputs[0]!.Name;
                twin = identity.Outputs[0]!;
                twin.Type = TensorType.Of(output.Data!);
            }
            else if (options.Types.TryGetValue(output.Name, out DataType wanted) && twin.Type is null)
            {
                twin.Type = new TensorType(wanted, null);
            }
            else
            {
                twin.Type ??= types.Of(output);
            }
            body.AddOutput(twin);
        }
    }

    /// <summary>What is needed to compute the outputs from the cut: nodes, and the inputs and initializers at the ends.</summary>
    internal static void Collect(IReadOnlyList<Value> outputs, IReadOnlySet<Value> cut, HashSet<Node> needed, HashSet<Value> leaves)
    {
        HashSet<Value> seen = [];
        Stack<Value> pending = new(outputs);
        while (pending.TryPop(out Value? value))
        {
            if (!seen.Add(value)) continue;
            if (cut.Contains(value) || value.Producer is not { } producer)
            {
                leaves.Add(value);
                continue;
            }
            if (!needed.Add(producer)) continue;
            foreach (Value read in Rewiring.ReadBy(producer)) pending.Push(read);
        }
    }

    /// <summary>The graph's outputs that depend on the given tensors; all when none is given.</summary>
    private static List<Value> Reached(OnnxGraph graph, List<Value> inputs)
    {
        if (inputs.Count == 0) return [.. graph.Body.Outputs.Distinct()];
        HashSet<Value> reached = [.. inputs];
        HashSet<Node> visited = [];
        Stack<Value> pending = new(inputs);
        while (pending.TryPop(out Value? value))
        {
            foreach (Node reader in Rewiring.ReadersOf(value))
            {
                Node? main = Passes.Captures.AncestorIn(graph.Body, reader);
                if (main is null || !visited.Add(main)) continue;
                foreach (Value? output in main.Outputs)
                {
                    if (output is not null && reached.Add(output)) pending.Push(output);
                }
            }
        }
        List<Value> found = [.. graph.Body.Outputs.Distinct().Where(reached.Contains)];
        if (found.Count == 0) throw new TrtToolsException(ErrorCode.ChangeRefused, $"{Command} of '{graph.Name}'", $"{string.Join(", ", inputs.Take(5).Select(i => $"'{i.Name}'"))} leads to no output", "Each input must be on the way to an output", "Name the outputs with -OutputTensor");
        return found;
    }

    /// <summary>The functions that the part calls, directly or through others.</summary>
    internal static void CopyFunctions(OnnxGraph source, OnnxGraph target)
    {
        Stack<Graph> pending = new([target.Body]);
        while (pending.TryPop(out Graph? body))
        {
            foreach (Node node in body.NodesWithSubgraphs)
            {
                if (source.FindFunction(node) is not { } function || target.FunctionTable.ContainsKey(function.Key)) continue;
                Function twin = function.Copy();
                target.FunctionTable.Add(twin.Key, twin);
                pending.Push(twin.Body);
            }
        }
    }

    private static void CheckKeys(SubgraphOptions options, List<Value> inputs, List<Value> outputs)
    {
        foreach (string name in options.Shapes.Keys.Concat(options.Types.Keys))
        {
            bool known = inputs.Any(i => i.Name == name) || (options.Types.ContainsKey(name) && outputs.Any(o => o.Name == name)) || (inputs.Count == 0);
            if (!known) throw new TrtToolsException(ErrorCode.TensorNotFound, $"Tensor '{name}'", "it is no input of the part", $"One of {string.Join(", ", inputs.Take(8).Select(i => $"'{i.Name}'"))}", "Correct the name");
        }
    }
}
