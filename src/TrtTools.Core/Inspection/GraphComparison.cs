using System.Globalization;
using System.Text;
using TrtTools.Data;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Passes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Inspection;

/// <summary>Says how a graph differs from another. The order of nodes and the names of inner tensors and nodes do not count.</summary>
public static class GraphComparison
{
    /// <param name="renames">Whether nodes that have only another name are told too.</param>
    public static IReadOnlyList<GraphDifference> Compare(OnnxGraph reference, OnnxGraph graph, bool renames, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(graph);
        Comparing comparing = new(graph, renames, stop);
        comparing.Opsets(reference, graph);
        comparing.Bodies(reference.Body, graph.Body, "", new Dictionary<Value, Value>());
        comparing.Functions(reference, graph);
        return comparing.Found;
    }

    private sealed class Comparing(OnnxGraph graph, bool renames, CancellationToken stop)
    {
        private readonly HashSet<(TensorData, TensorData)> _weights = [];

        public List<GraphDifference> Found { get; } = [];

        public void Opsets(OnnxGraph a, OnnxGraph b)
        {
            IReadOnlyDictionary<string, long> old = a.Opset, now = b.Opset;
            foreach (string domain in old.Keys.Union(now.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
            {
                string before = old.TryGetValue(domain, out long o) ? Text(o) : "", after = now.TryGetValue(domain, out long n) ? Text(n) : "";
                if (before != after) Add(before.Length == 0 ? DifferenceKind.Added : after.Length == 0 ? DifferenceKind.Removed : DifferenceKind.Changed, DifferencePart.Opset, domain, "", "", before, after, "");
            }
        }

        public void Functions(OnnxGraph a, OnnxGraph b)
        {
            foreach (Function old in a.FunctionTable.Values.OrderBy(f => f.Domain, StringComparer.Ordinal).ThenBy(f => f.Name, StringComparer.Ordinal).ThenBy(f => f.Overload, StringComparer.Ordinal))
            {
                string name = $"{old.Domain}::{old.Name}";
                if (b.FunctionTable.TryGetValue(old.Key, out Function? now)) Bodies(old.Body, now.Body, $"function {name}", new Dictionary<Value, Value>());
                else Add(DifferenceKind.Removed, DifferencePart.Function, name, "", "", $"{old.Body.NodeCount} nodes", "", "");
            }
            foreach (Function now in b.FunctionTable.Values.Where(f => !a.FunctionTable.ContainsKey(f.Key)).OrderBy(f => f.Domain, StringComparer.Ordinal).ThenBy(f => f.Name, StringComparer.Ordinal))
            {
                Add(DifferenceKind.Added, DifferencePart.Function, $"{now.Domain}::{now.Name}", "", "", "", $"{now.Body.NodeCount} nodes", "");
            }
        }

        public void Bodies(Graph old, Graph now, string scope, IReadOnlyDictionary<Value, Value> outer)
        {
            NodeMatching matching = new(old, now, outer);
            Tensors(old.Inputs.Where(i => i.Data is null), now.Inputs.Where(i => i.Data is null), DifferencePart.Input, scope, matching);
            foreach (Node node in matching.Old)
            {
                stop.ThrowIfCancellationRequested();
                if (matching.Find(node) is { } other) Nodes(node, other, scope, matching);
                else Add(DifferenceKind.Removed, DifferencePart.Node, node.DisplayName, Operator(node), "", node.ToString(), "", scope);
            }
            foreach (Node node in matching.Added) Add(DifferenceKind.Added, DifferencePart.Node, node.DisplayName, Operator(node), "", "", node.ToString(), scope);
            Tensors(old.Outputs, now.Outputs, DifferencePart.Output, scope, matching);
        }

        /// <summary>A body's inputs or outputs: by name in the main graph, by place in others, whose names nobody sees.</summary>
        private void Tensors(IEnumerable<Value> old, IEnumerable<Value> now, DifferencePart part, string scope, NodeMatching matching)
        {
            List<Value> a = [.. old], b = [.. now];
            if (scope.Length > 0)
            {
                if (a.Count != b.Count) Add(DifferenceKind.Changed, part, scope, "", "", $"{a.Count} {part}s", $"{b.Count} {part}s", scope);
                if (part == DifferencePart.Output) for (int i = 0; i < Math.Min(a.Count, b.Count); i++) Source(a[i], b[i], b[i].Name, scope, matching);
                return;
            }
            Dictionary<string, Value> byName = [];
            foreach (Value value in b) byName.TryAdd(value.Name, value);
            foreach (Value value in a)
            {
                if (!byName.Remove(value.Name, out Value? other))
                {
                    Add(DifferenceKind.Removed, part, value.Name, "", "", AttributeDisplay.Type(value), "", scope);
                    continue;
                }
                if (value.Type is { } before && other.Type is { } after && before != after) Add(DifferenceKind.Changed, part, value.Name, "", "type", before.ToString(), after.ToString(), scope);
                if (part == DifferencePart.Output) Source(value, other, value.Name, scope, matching);
            }
            foreach (Value value in b.Where(v => byName.ContainsKey(v.Name))) Add(DifferenceKind.Added, part, value.Name, "", "", "", AttributeDisplay.Type(value), scope);
        }

        private void Source(Value a, Value b, string name, string scope, NodeMatching matching)
        {
            if (!Same(a, b, matching, out _)) Add(DifferenceKind.Changed, DifferencePart.Output, name, "", "computed by", By(a), By(b), scope);
        }

        private void Nodes(Node a, Node b, string scope, NodeMatching matching)
        {
            if (a.OpType != b.OpType || a.Domain != b.Domain) Add(DifferenceKind.Changed, DifferencePart.Operator, b.DisplayName, Operator(b), "", Operator(a), Operator(b), scope);
            else if (renames && a.Name != b.Name) Add(DifferenceKind.Renamed, DifferencePart.Node, b.DisplayName, Operator(b), "", a.DisplayName, b.DisplayName, scope);
            foreach (string name in a.Attributes.Select(x => x.Name).Union(b.Attributes.Select(x => x.Name), StringComparer.Ordinal)) Attributes(a, b, name, scope, matching);
            bool swapped = a.Inputs.Count == 2 && b.Inputs.Count == 2 && OperatorCatalog.Find(a.Domain, a.OpType)?.Is(OperatorTraits.Commutative) == true
                && !Same(a.Inputs[0], b.Inputs[0], matching, out _) && Same(a.Inputs[0], b.Inputs[1], matching, out _) && Same(a.Inputs[1], b.Inputs[0], matching, out _);
            for (int i = 0; i < Math.Max(a.Inputs.Count, b.Inputs.Count) && !swapped; i++)
            {
                if (Same(a.Input(i), b.Input(i), matching, out (TensorData Old, TensorData New)? weights)) continue;
                if (weights is { } changed) Weight(changed.Old, changed.New, b, i, scope);
                else Add(DifferenceKind.Changed, DifferencePart.Connection, b.DisplayName, Operator(b), $"input {Text(i)}", By(a.Input(i)), By(b.Input(i)), scope);
            }
        }

        private void Attributes(Node a, Node b, string name, string scope, NodeMatching matching)
        {
            Attribute? old = a.Attributes[name], now = b.Attributes[name];
            if (old is null || now is null)
            {
                Add(old is null ? DifferenceKind.Added : DifferenceKind.Removed, DifferencePart.Attribute, b.DisplayName, Operator(b), name, old is null ? "" : AttributeDisplay.Of(old), now is null ? "" : AttributeDisplay.Of(now), scope);
                return;
            }
            if (old.Kind == now.Kind && old.Kind is AttributeKind.Graph or AttributeKind.Graphs)
            {
                Graph[] before = [.. old.Graphs], after = [.. now.Graphs];
                for (int i = 0; i < Math.Min(before.Length, after.Length); i++) Bodies(before[i], after[i], $"{b.DisplayName} {name}", matching.Values);
                return;
            }
            if (ReferenceEquals(old.Content, now.Content) && old.Reference == now.Reference) return;
            StringBuilder left = new(), right = new();
            if (AttributeText.Append(left, old) & AttributeText.Append(right, now) && old.Kind == now.Kind && left.Equals(right)) return;
            Add(DifferenceKind.Changed, DifferencePart.Attribute, b.DisplayName, Operator(b), name, AttributeDisplay.Of(old), AttributeDisplay.Of(now), scope);
        }

        private static bool Same(Value? a, Value? b, NodeMatching matching, out (TensorData Old, TensorData New)? weights)
        {
            weights = null;
            if (a is null || b is null) return a is null && b is null;
            TensorData? x = a.Data ?? ConstantReader.Read(a), y = b.Data ?? ConstantReader.Read(b);
            if (x is null || y is null) return x is null && y is null && matching.Values.TryGetValue(a, out Value? expected) && ReferenceEquals(expected, b);
            if (x.ContentEquals(y)) return true;
            weights = (x, y);
            return false;
        }

        private void Weight(TensorData old, TensorData now, Node node, int index, string scope)
        {
            Value value = node.Inputs[index]!;
            if (!_weights.Add((old, now))) return;
            double? most = null;
            if (old.Shape.SequenceEqual(now.Shape) && TensorStatistics.Knows(old.Type) && TensorStatistics.Knows(now.Type))
            {
                double[] x = old.ToDouble(), y = now.ToDouble();
                most = 0;
                for (int i = 0; i < x.Length; i++) most = Math.Max(most.Value, Math.Abs(x[i] - y[i]));
            }
            Found.Add(new GraphDifference
            {
                Kind = DifferenceKind.Changed, Part = DifferencePart.Weight, Name = node.DisplayName, Operator = Operator(node), Property = value.Name, Reference = AttributeDisplay.Values(old),
                Difference = AttributeDisplay.Values(now), Scope = scope, MaxAbsoluteDifference = most, Model = graph.Name,
            });
        }

        private void Add(DifferenceKind kind, DifferencePart part, string name, string operatorName, string property, string reference, string difference, string scope) => Found.Add(new GraphDifference
        {
            Kind = kind, Part = part, Name = name, Operator = operatorName, Property = property, Reference = reference, Difference = difference, Scope = scope, Model = graph.Name,
        });

        private static string By(Value? value) => value is null ? "nothing" : value.Data is not null || value.Producer is { } node && NodeMatching.IsConstant(node) ? $"the constant {value.Name}"
            : value.Producer is { } producer ? $"{value.Name} of {producer.OpType} {producer.DisplayName}" : $"the input {value.Name}";

        private static string Operator(Node node) => node.Domain.Length == 0 ? node.OpType : $"{node.Domain}::{node.OpType}";

        private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
    }
}
