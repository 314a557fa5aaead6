using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Puts the bodies of model-local functions in the place of their calls.</summary>
internal static class FunctionInliner
{
    private const int DeepestCall = 128;

    /// <summary>Inlines every call of a chosen function, in the model's body, in subgraphs and in the functions that stay; then drops the functions
    /// nobody calls any more. A function written for other operator-set versions than the model's stays. Returns the number of calls inlined.</summary>
    public static int Inline(OnnxGraph model, Func<Function, bool> choose)
    {
        HashSet<Function> chosen = [.. model.FunctionTable.Values.Where(f => choose(f) && HasModelOpset(f, model))];
        if (chosen.Count == 0) return 0;
        int count = 0;
        HashSet<string> nodeNames = new(model.Body.NodesWithSubgraphs.Select(n => n.Name), StringComparer.Ordinal);
        IEnumerable<Graph> bodies = model.FunctionTable.Values.Where(f => !chosen.Contains(f)).Select(f => f.Body).Prepend(model.Body);
        foreach (Graph body in bodies)
        {
            Stack<(Node Node, int Depth)> pending = new(body.NodesWithSubgraphs.Reverse().Select(n => (n, 0)));
            while (pending.TryPop(out (Node Node, int Depth) next))
            {
                if (!next.Node.IsAlive || model.FindFunction(next.Node) is not { } function || !chosen.Contains(function)) continue;
                if (next.Depth > DeepestCall)
                {
                    throw new TrtToolsException(ErrorCode.ModelMalformed, $"Function '{function.Domain}::{function.Name}'", "It calls itself, directly or through others",
                        "ONNX functions are not recursive", "Export the model again");
                }
                List<Node> copies = new Inlining(next.Node, function, nodeNames).Run();
                foreach (Node copy in copies.AsEnumerable().Reverse())
                {
                    foreach (Node node in copy.Subgraphs.SelectMany(g => g.NodesWithSubgraphs).Prepend(copy)) pending.Push((node, next.Depth + 1));
                }
                count++;
            }
        }
        foreach (Function function in chosen)
        {
            model.FunctionTable.Remove(function.Key);
            foreach ((string domain, long version) in function.Opset) model.OpsetImports.TryAdd(domain, version);
        }
        return count;
    }

    private static bool HasModelOpset(Function function, OnnxGraph model) =>
        function.Opset.All(o => !model.OpsetImports.TryGetValue(o.Key, out long version) || version == o.Value);

    private sealed class Inlining(Node call, Function function, HashSet<string> nodeNames)
    {
        private readonly Dictionary<Value, Value> _map = [];
        private readonly HashSet<Value> _absent = [];
        private readonly Dictionary<string, Attribute> _attributes = new(StringComparer.Ordinal);
        private readonly OutlinedBody? _names = call.Outlined is { } outlined && outlined.Nodes.Count == function.Body.NodeCount ? outlined : null;
        private readonly Graph _graph = call.Graph;

        public List<Node> Run()
        {
            // The call's own name is free for the node that had it.
            nodeNames.Remove(call.Name);
            foreach (Attribute attribute in function.DefaultAttributes) _attributes[attribute.Name] = attribute;
            foreach (Attribute attribute in call.Attributes) _attributes[attribute.Name] = attribute;
            for (int i = 0; i < function.Body.Inputs.Count; i++)
            {
                if (call.Input(i) is { } actual) _map[function.Body.Inputs[i]] = actual;
                else _absent.Add(function.Body.Inputs[i]);
            }
            Dictionary<Value, Value> results = [];
            for (int i = 0; i < function.Body.Outputs.Count; i++)
            {
                if (call.Output(i) is { } result) results.TryAdd(function.Body.Outputs[i], result);
            }
            foreach (Value extra in call.Outputs.Skip(function.Body.Outputs.Count).OfType<Value>())
            {
                if (extra.HasUses) throw Malformed($"it has {function.Body.Outputs.Count} outputs, and the call has one more, '{extra.Name}'");
            }
            List<Node> copies = [];
            int index = 0;
            foreach (Node node in function.Body.Nodes)
            {
                OutlinedNode? names = _names?.Nodes[index++];
                if (names is { Outputs: [{ IsInitializer: true } initializer] } && TakeConstant(node, initializer) is { } constant) _map[node.Outputs[0]!] = constant;
                else copies.Add(Copy(node, names, results));
            }
            foreach (Value initializer in function.Body.Initializers) throw Malformed($"its body has an initializer '{initializer.Name}'");
            for (int i = 0; i < function.Body.Outputs.Count; i++)
            {
                if (call.Output(i) is not { } result || !ReferenceEquals(result.Producer, call)) continue;
                if (!_map.TryGetValue(function.Body.Outputs[i], out Value? value)) throw Malformed($"output '{function.Body.Outputs[i].Name}' has no value");
                _graph.ReplaceUses(result, value);
            }
            _graph.Remove(call);
            return copies;
        }

        private TrtToolsException Malformed(string found) =>
            new(ErrorCode.ModelMalformed, $"Function '{function.Domain}::{function.Name}' called by '{call.DisplayName}'", found, "A function's body computes its outputs from its inputs", "Export the model again");

        private Value? TakeConstant(Node node, OutlinedValue wanted)
        {
            if (!node.Is("Constant") || node.Attributes.FirstOrDefault() is not { } attribute || ConstantContent.Of(Bind(attribute)) is not { } data) return null;
            if (_graph.Resolve(wanted.Name) is { IsConstant: true } known && known.Data!.ContentEquals(data)) return known;
            Graph holder = _graph;
            for (int i = 0; i < wanted.Level && holder.Outer is { } outer; i++) holder = outer;
            Value value = holder.AddConstant(wanted.Name, data);
            value.Origin = wanted.Origin;
            value.Remainder = wanted.Remainder;
            return value;
        }

        private Node Copy(Node node, OutlinedNode? names, Dictionary<Value, Value> results)
        {
            Node twin = _graph.AddNode(node.OpType, [.. node.Inputs.Select(i => i is null || _absent.Contains(i) ? null : _map.GetValueOrDefault(i, i))], [], node.Domain, call);
            twin.Name = FreshNodeName(names?.Name ?? (node.Name.Length == 0 ? "" : $"{call.DisplayName}/{node.Name}"));
            twin.Overload = node.Overload;
            twin.SourceNodes = names?.SourceNodes ?? call.SourceNodes;
            twin.Remainder = names is null ? node.Remainder : names.Remainder;
            twin.Outlined = node.Outlined;
            for (int i = 0; i < node.Outputs.Count; i++)
            {
                if (node.Outputs[i] is not { } output) continue;
                if (results.TryGetValue(output, out Value? result))
                {
                    _graph.MoveOutput(result, twin, i);
                    _map[output] = result;
                    continue;
                }
                OutlinedValue? name = names is not null && i < names.Outputs.Count ? names.Outputs[i] : null;
                Value value = _graph.AddOutputTo(twin, i, _graph.FreshName(name?.Name ?? $"{call.DisplayName}/{output.Name}"));
                value.Type = name is null ? output.Type : name.Type;
                value.Origin = name?.Origin ?? Origin.None;
                value.Remainder = name is null ? output.Remainder : name.Remainder;
                _map[output] = value;
            }
            foreach (Attribute attribute in node.Attributes)
            {
                if (Bind(attribute) is { } bound) twin.Attributes.Set(CopyGraphs(bound));
            }
            foreach (Graph graph in twin.Subgraphs.SelectMany(g => g.WithSubgraphs).ToList()) Settle(graph);
            return twin;
        }

        /// <summary>The attribute with a reference replaced by the call's content; null when the call leaves it out.</summary>
        private Attribute? Bind(Attribute attribute) =>
            attribute.Reference is null ? attribute : _attributes.TryGetValue(attribute.Reference, out Attribute? actual) ? actual with { Name = attribute.Name } : null;

        private Attribute CopyGraphs(Attribute attribute) => attribute.Content switch
        {
            Graph graph => attribute with { Content = GraphCopier.Copy(graph, _map) },
            Graph[] graphs => attribute with { Content = graphs.Select(g => GraphCopier.Copy(g, _map)).ToArray() },
            _ => attribute,
        };

        /// <summary>Binds what a nested body takes from the function, and renames what would hide an outer name.</summary>
        private void Settle(Graph nested)
        {
            foreach (Node node in nested.Nodes)
            {
                for (int i = 0; i < node.Inputs.Count; i++)
                {
                    if (node.Inputs[i] is { } input && _absent.Contains(input)) node.SetInput(i, null);
                }
                foreach (Attribute attribute in node.Attributes.Where(a => a.Reference is not null).ToList())
                {
                    if (Bind(attribute) is { } bound) node.Attributes.Set(CopyGraphs(bound));
                    else node.Attributes.Remove(attribute.Name);
                }
                node.Name = FreshNodeName(node.Name.Length == 0 ? "" : $"{call.DisplayName}/{node.Name}");
            }
            foreach (Value value in nested.Values.ToList())
            {
                if (nested.Outer?.Resolve(value.Name) is not null) nested.Rename(value, nested.FreshName($"{call.DisplayName}/{value.Name}"));
            }
        }

        private string FreshNodeName(string wanted)
        {
            if (wanted.Length == 0) return "";
            string name = wanted;
            for (int i = 2; !nodeNames.Add(name); i++) name = $"{wanted}_{i}";
            return name;
        }
    }
}
