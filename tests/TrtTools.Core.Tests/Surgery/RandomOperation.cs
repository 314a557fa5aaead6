using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Tests.Surgery;

/// <summary>An operation with random arguments, most of them sensible.</summary>
internal static class RandomOperation
{
    private static readonly string[] s_operators = ["Relu", "Neg", "Not", "Cast", "Transpose", "Softmax", "Add", "Identity", "Conv", "Sigmoid", "Flatten", "com.microsoft::Gelu", "Reluu"];

    public static (string What, Func<OnnxGraph, OnnxGraph> Operation) Next(OnnxGraph graph, Random random)
    {
        string[] tensors = [.. graph.Body.WithSubgraphs.SelectMany(g => g.Values).Select(v => v.Name), "missing"];
        string[] main = [.. graph.Body.Values.Select(v => v.Name)];
        string[] nodes = [.. graph.Body.NodesWithSubgraphs.Select(n => n.DisplayName), "t*", "missing"];
        string Tensor() => tensors[random.Next(tensors.Length)];
        string Main() => main[random.Next(main.Length)];
        string Node() => nodes[random.Next(nodes.Length)];
        string Operator() => s_operators[random.Next(s_operators.Length)];
        bool Coin() => random.Next(2) == 0;
        string fresh = $"new{random.Next(1000)}";
        switch (random.Next(20))
        {
            case 0 or 1:
                NodeSpec after = new() { OpType = Operator(), InsertAfter = Tensor(), Outputs = Coin() ? [fresh] : [], Consumers = random.Next(4) == 0 ? [Node()] : null };
                return ($"Add {after.OpType} after {after.InsertAfter} as {fresh} for {after.Consumers?[0]}", g => NodeInsertion.Add(g, after));
            case 2:
                NodeSpec free = new() { OpType = Operator(), Inputs = [Main(), Tensor()], Outputs = [Coin() ? fresh : Main()] };
                return ($"Add {free.OpType}({string.Join(',', free.Inputs)}) as {free.Outputs[0]}", g => NodeInsertion.Add(g, free));
            case 3 or 4:
                NodeRemovalOptions removal = new() { Name = [Node()], Reconnect = Coin(), Stub = (NodeStub)random.Next(3), KeepUnused = Coin() };
                return ($"Remove {removal}{removal.Name[0]}", g => NodeRemoval.Remove(g, removal));
            case 5:
                NodeChangeOptions change = new() { Name = [Node()], OpType = Coin() ? Operator() : null, NewName = Coin() ? fresh : null, InputAt = Coin() ? new Dictionary<int, string> { [random.Next(3)] = Coin() ? "" : Tensor() } : new Dictionary<int, string>() };
                return ($"Set node {change.Name[0]} {change}", g => NodeChange.Set(g, change));
            case 6:
                (string attribute, object? value) = random.Next(4) switch { 0 => ("axis", (object?)random.Next(-3, 4)), 1 => ("perm", new[] { 1, 0 }), 2 => ("num_outputs", random.Next(1, 4)), _ => ("axis", null) };
                NodeChangeOptions set = new() { Name = [Node()], Attributes = new Dictionary<string, object?> { [attribute] = value } };
                return ($"Set node {set.Name[0]} {attribute}={value}", g => NodeChange.Set(g, set));
            case 7:
                KeyValuePair<string, string>[] names = Coin() ? [KeyValuePair.Create(Tensor(), fresh)] : [KeyValuePair.Create(Tensor(), Tensor()), KeyValuePair.Create(Tensor(), fresh)];
                return ($"Rename {string.Join(',', names)}", g => TensorRenaming.Rename(g, names));
            case 8:
                InputChangeOptions input = new()
                {
                    Name = [Coin() ? Main() : graph.Body.Inputs.Count > 0 ? graph.Body.Inputs[random.Next(graph.Body.Inputs.Count)].Name : fresh], Action = (InputAction)random.Next(3),
                    DataType = random.Next(3) == 0 ? DataType.Float16 : null, Shape = Coin() ? [random.Next(1, 4).ToString(System.Globalization.CultureInfo.InvariantCulture), "3"] : null,
                    Value = random.Next(3) == 0 ? new Tensor("v", GraphText.Random(DataType.Float32, [2, 3], 1)) : null, KeepUnused = Coin(),
                };
                return ($"Set input {input.Name[0]} {input}", g => InputChange.Set(g, input));
            case 9:
                OutputChangeOptions output = new() { Action = (OutputAction)random.Next(1, 5), Name = random.Next(5) == 0 ? [] : [Main()], KeepUnused = Coin() };
                return ($"Set output {string.Join(',', output.Name)} {output}", g => OutputChange.Set(g, output, Report.None));
            case 10:
                InitializerChangeOptions weight = new() { Name = Coin() ? "w1" : Tensor(), Value = new Tensor("v", GraphText.Random(DataType.Float32, random.Next(3) switch { 0 => [3], 1 => [], _ => [4] }, 3)), Add = random.Next(4) == 0, Consumers = random.Next(3) == 0 ? [Node()] : null };
                return ($"Set weight {weight.Name} {weight.Value}", g => InitializerChange.Set(g, weight));
            case 11:
                SubgraphOptions part = new() { Inputs = Coin() ? [] : [Main()], Outputs = Coin() ? [] : [Main(), Main()] };
                return ($"Select {string.Join(',', part.Inputs)} to {string.Join(',', part.Outputs)}", g => SubgraphSelection.Select(g, part, Report.None));
            case 12:
                string at = Main();
                bool last = Coin();
                return ($"Split at {at}, {last}", g => GraphSplit.At(g, [at], complete: true, Report.None)[last ? 1 : 0]);
            case 13:
                int count = random.Next(2, 4), which = random.Next(2);
                return ($"Split into {count}, {which}", g => GraphSplit.Into(g, count, Report.None)[which]);
            case 16 or 17:
                int opset = random.Next(OpsetConversion.Least, OpsetConversion.Greatest + 1);
                return ($"Convert to opset {opset}", g => OpsetConversion.Convert(g, opset, Report.None, CancellationToken.None));
            case 18:
                return ("Strip and restore", g => WeightStrip.Restore(WeightStrip.Strip(g, _ => true, 1, Report.None, CancellationToken.None), g, CancellationToken.None));
            case 19:
                return Coin() ? ("Strip", g => WeightStrip.Strip(g, _ => true, 1, Report.None, CancellationToken.None)) : ("Prune", g => WeightPruning.Prune(g, _ => true, CancellationToken.None).Graph);
            case 14:
                OnnxGraph second = RandomGraph.Next(random);
                MergeOptions merge = new() { Map = [KeyValuePair.Create(Main(), "in0")], Prefix = Coin() ? "p/" : "", KeepOutput = Coin() };
                return ($"Merge {merge.Map[0]} {merge}\n{TestGraphs.Print(second)}", g => GraphMerge.Merge(g, second, merge));
            default:
                (string pattern, string replacement) = random.Next(5) switch { 0 => ("Relu(x)", "Clip(x, 0, _)"), 1 => ("Identity(x)", "x"), 2 => ("Transpose(Transpose(x))", "x"), 3 => ("Add(x, y)", "Sub(x, Neg(y))"), _ => ("Mul(x, y)", "Not(x)") };
                return ($"Replace {pattern} by {replacement}", g =>
                {
                    PatternSession session = PatternSession.Start(g, pattern);
                    foreach (PatternMatch match in session.Matches) session.Replace(match, replacement);
                    return session.Finish();
                });
        }
    }
}
