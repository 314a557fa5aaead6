using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>How two graphs become one.</summary>
public sealed record MergeOptions
{
    /// <summary>Tensors of the first graph and the inputs of the second that read them; null to go by equal names, or by the only output and the only input.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? Map { get; init; }

    /// <summary>Stands before every name of the second graph.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Outputs of the first graph that the second reads stay outputs.</summary>
    public bool KeepOutput { get; init; }
}

/// <summary>Joins graphs: what Merge-OnnxGraph runs.</summary>
public static class GraphMerge
{
    public const string Command = "Merge-OnnxGraph";

    public static OnnxGraph Merge(OnnxGraph first, OnnxGraph second, MergeOptions options)
    {
        ArgumentNullException.ThrowIfNull(second);
        ArgumentNullException.ThrowIfNull(options);
        GraphEdit edit = new(first);
        OnnxGraph other = second.Copy();
        List<(Value From, Value To)> pairs = Pairs(edit, other, options.Map);
        JoinImports(edit.Model, other);
        JoinFunctions(edit.Model, other);
        foreach ((Value from, Value to) in pairs) CheckPair(edit, from, to);
        Symbols(edit.Model, other, pairs);

        Dictionary<Value, Value> map = [];
        foreach ((Value from, Value to) in pairs) map[to] = from;
        Body(edit, other, options.Prefix, map);
        HashSet<Value> consumed = [.. pairs.Select(p => p.From)];
        for (int i = edit.Body.Outputs.Count - 1; !options.KeepOutput && i >= 0; i--)
        {
            if (consumed.Contains(edit.Body.Outputs[i])) edit.Body.RemoveOutput(i);
        }
        foreach (Value output in other.Body.Outputs) AddOutput(edit, output, map[output], options.Prefix);
        foreach ((_, Value to) in pairs)
        {
            foreach (Node reader in Rewiring.ReadersOf(to)) TouchTwin(edit, reader, map);
        }
        edit.Model.IrVersion = Math.Max(edit.Model.IrVersion, other.IrVersion);
        edit.Model.Metadata = other.Metadata.Concat(edit.Model.Metadata).GroupBy(m => m.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Last().Value, StringComparer.Ordinal);
        HistoryText text = new HistoryText().Add("With", second.Name).Add("TensorMap", pairs.Select(p => $"{p.From.Name}={p.To.Name}")).Add("Prefix", options.Prefix).Add("KeepOutput", options.KeepOutput);
        return edit.Finish(Command, text.ToString(), second);
    }

    private static List<(Value From, Value To)> Pairs(GraphEdit edit, OnnxGraph second, IReadOnlyList<KeyValuePair<string, string>>? map)
    {
        List<(Value From, Value To)> pairs = [];
        if (map is not null)
        {
            foreach ((string from, string to) in map)
            {
                Value input = second.Body.Inputs.FirstOrDefault(i => string.Equals(i.Name, to, StringComparison.Ordinal))
                    ?? throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{to}'", $"'{second.Name}' has no input of this name", "", NameFinder.Nearest(to, second.Body.Inputs.Select(i => i.Name), "It has no inputs"));
                if (pairs.Any(p => p.To == input)) throw new TrtToolsException(ErrorCode.OptionInvalid, $"Input '{to}'", "it stands twice in -TensorMap", "Each input takes one tensor", "Correct -TensorMap");
                pairs.Add((edit.Names.MainTensor(from), input));
            }
            return pairs;
        }
        List<Value> inputs = [.. second.Body.Inputs.Where(i => i.Data is null)];
        foreach (Value output in edit.Body.Outputs.Distinct())
        {
            if (inputs.FirstOrDefault(i => i.Name == output.Name) is { } input) pairs.Add((output, input));
        }
        if (pairs.Count == 0 && edit.Body.Outputs.Count == 1 && inputs.Count == 1) pairs.Add((edit.Body.Outputs[0], inputs[0]));
        if (pairs.Count > 0) return pairs;
        throw new TrtToolsException(ErrorCode.OptionInvalid, "-TensorMap", $"it is not given, and no output of '{edit.Model.Name}' is called as an input of '{second.Name}' is",
            $"Outputs are {Names(edit.Body.Outputs)}, inputs are {Names(inputs)}", "Write -TensorMap @{ 'output of the first' = 'input of the second' }");
    }

    private static string Names(IEnumerable<Value> values) => string.Join(", ", values.Take(6).Select(v => $"'{v.Name}'"));

    private static void CheckPair(GraphEdit edit, Value from, Value to)
    {
        TensorType? given = edit.Types().Of(from);
        if (given is null || to.Type is not { } wanted || ShapeText.WhyNot(wanted, given) is null) return;
        throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{from.Name}'", $"it is {given}", $"'{to.Name}' of the second graph takes {wanted}", "Add a Cast, Reshape or Transpose first (Add-GraphNode)");
    }

    private static void JoinImports(OnnxGraph model, OnnxGraph other)
    {
        foreach ((string domain, long version) in other.OpsetImports)
        {
            if (model.OpsetImports.TryAdd(domain, version) || model.OpsetImports[domain] == version) continue;
            if (!Uses(other, domain)) continue;
            if (!Uses(model, domain))
            {
                model.OpsetImports[domain] = version;
                continue;
            }
            string name = domain.Length == 0 ? "ai.onnx" : domain;
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"{Command} of '{model.Name}' and '{other.Name}'", $"the first is written for opset {model.OpsetImports[domain]} of {name}, the second for {version}", "Both must be written for one", "Export or convert one of them to the other's opset");
        }
    }

    private static bool Uses(OnnxGraph model, string domain) => model.Body.NodesWithSubgraphs.Concat(model.FunctionTable.Values.SelectMany(f => f.Body.NodesWithSubgraphs)).Any(n => n.Domain == domain);

    private static void JoinFunctions(OnnxGraph model, OnnxGraph other)
    {
        foreach (Function function in other.FunctionTable.Values)
        {
            if (model.FunctionTable.TryAdd(function.Key, function)) continue;
            if (Text(model.FunctionTable[function.Key]) == Text(function)) continue;
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"Function '{function.Domain}::{function.Name}'", "both graphs have one of this name, and they differ", "A name stands for one function", "Use Expand-OnnxFunction on one of them first");
        }
        static string Text(Function function)
        {
            OnnxGraph alone = new(new Graph(""), "", null, 8, function.Opset);
            alone.FunctionTable.Add(function.Key, function);
            return GraphText.Print(alone);
        }
    }

    /// <summary>What the join makes equal gets one symbol; other symbols that only happen to be called the same get another name.</summary>
    private static void Symbols(OnnxGraph model, OnnxGraph other, List<(Value From, Value To)> pairs)
    {
        HashSet<string> taken = [.. SymbolsOf(model.Body)];
        Dictionary<string, DimExpr> map = new(StringComparer.Ordinal);
        foreach ((Value from, Value to) in pairs)
        {
            if (from.Type?.Shape is not { } given || to.Type?.Shape is not { } wanted || given.Rank != wanted.Rank) continue;
            for (int axis = 0; axis < wanted.Rank; axis++)
            {
                if (wanted[axis]?.SymbolName is { } symbol && given[axis] is { } extent) map.TryAdd(symbol, extent);
            }
        }
        foreach (string symbol in SymbolsOf(other.Body).Distinct(StringComparer.Ordinal))
        {
            if (map.ContainsKey(symbol) || !taken.Contains(symbol)) continue;
            string name = symbol;
            for (int i = 2; !taken.Add(name); i++) name = FormattableString.Invariant($"{symbol}_{i}");
            map[symbol] = DimExpr.Symbol(name);
        }
        if (map.Count == 0) return;
        foreach (Value value in other.Body.WithSubgraphs.SelectMany(g => g.Values))
        {
            if (value.Type is { Shape: { IsStatic: false } shape } type) value.Type = type with { Shape = new SymbolicShape([.. shape.Dimensions.Select(d => d?.Substitute(s => map.GetValueOrDefault(s)))]) };
        }
    }

    private static IEnumerable<string> SymbolsOf(Graph body) => body.Values.Where(v => v.Type?.Shape is not null).SelectMany(v => v.Type!.Shape!.Dimensions).Where(d => d is not null).SelectMany(d => d!.Symbols);

    private static void Body(GraphEdit edit, OnnxGraph other, string prefix, Dictionary<Value, Value> map)
    {
        Graph body = edit.Body;
        foreach (Value input in other.Body.Inputs)
        {
            if (map.ContainsKey(input)) continue;
            string name = prefix + input.Name;
            if (body.FreshName(name) != name)
            {
                throw new TrtToolsException(ErrorCode.ChangeRefused, $"Input '{name}'", "both graphs have a tensor of this name", "They must differ, since inputs are how the graph is called",
                    $"Add '{input.Name}' to -TensorMap when both mean the same, else give -Prefix");
            }
            Value twin = body.AddInput(name, input.Type);
            (twin.Origin, twin.Remainder) = (input.Origin, input.Remainder);
            map[input] = twin;
        }
        foreach (Value constant in other.Body.Initializers)
        {
            if (map.TryGetValue(constant, out Value? input))
            {
                if (input.IsGraphInput && input.Data is null && constant.IsGraphInput && input.Name == prefix + constant.Name) body.AddInitializer(input.Name, constant.Data!);
                continue;
            }
            Value twin = body.AddInitializer(body.FreshName(prefix + constant.Name), constant.Data!);
            (twin.Type, twin.Origin) = (constant.Type, constant.Origin);
            map[constant] = twin;
        }
        foreach (Node node in other.Body.Nodes)
        {
            Node twin = GraphCopier.CopyNode(node, body, map, rename: name => body.FreshName(prefix + name));
            twin.Name = node.Name.Length == 0 ? "" : edit.FreshNodeName(prefix + node.Name);
            ShadowCheck.NamesIn(twin, edit);
        }
    }

    private static void AddOutput(GraphEdit edit, Value original, Value value, string prefix)
    {
        if (original.Producer is not null && !edit.Body.Outputs.Contains(value))
        {
            edit.Body.AddOutput(value);
            return;
        }
        // The second graph returns what it is given: a node carries it under the name it has there.
        Node identity = edit.Body.AddNode("Identity", [value], [edit.Body.FreshName(prefix + original.Name)]);
        identity.Name = edit.FreshNodeName(identity.Outputs[0]!.Name);
        identity.Outputs[0]!.Type = original.Type;
        edit.Body.AddOutput(identity.Outputs[0]!);
    }

    private static void TouchTwin(GraphEdit edit, Node reader, Dictionary<Value, Value> map)
    {
        for (Node? node = reader; node is not null; node = node.Graph.Owner)
        {
            foreach (Value? output in node.Outputs)
            {
                if (output is not null && map.TryGetValue(output, out Value? twin)) edit.Touch(twin);
            }
        }
    }
}
