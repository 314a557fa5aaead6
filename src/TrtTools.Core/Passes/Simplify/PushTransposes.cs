using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes.Simplify;

/// <summary>Transposes move down through pointwise operators, Concat, Split, Pad, reductions and Softmax, where fewer of them are left in the end: from a
/// Transpose on, all that can work on the untransposed value is taken together; what leaves the region through the inverse Transpose needs none any more.</summary>
internal sealed class PushTransposes : NodePass
{
    private const int MostNodes = 256;

    public override string Name => "push-transposes";

    public override IReadOnlyCollection<string> OpTypes { get; } = ["Transpose"];

    public override bool Apply(Node node, PassContext context)
    {
        if (node.Input(0) is not { } source || node.Output() is not { } output || node.Attributes.Ints("perm") is not { Length: > 1 } order || Types.RankOf(source) != order.Length) return false;
        if (order.Any(p => p < 0 || p >= order.Length) || order.Distinct().Count() != order.Length || IsIdentity(order)) return false;
        Region region = new(node.Graph, [.. order.Select(p => (int)p)], context);
        if (!region.Grow(output) || region.Gain <= 0) return false;
        region.Rewrite();
        return true;
    }

    private static bool IsIdentity(long[] order) => order.Select((p, i) => p == i).All(same => same);

    /// <summary>What is computed in the order before the Transpose instead of after it.</summary>
    private sealed class Region(Graph graph, int[] order, PassContext context)
    {
        private readonly long[] _order = [.. order.Select(p => (long)p)];
        private readonly long[] _inverse = [.. Enumerable.Range(0, order.Length).Select(i => (long)Array.IndexOf(order, i))];

        /// <summary>Transposes into the region, whose results are values of it.</summary>
        private readonly List<Node> _sources = [];

        private readonly List<Node> _inside = [];
        private readonly HashSet<Node> _isInside = [];

        /// <summary>Values that are to be had in the other order.</summary>
        private readonly HashSet<Value> _values = [];

        public int Gain { get; private set; }

        /// <summary>False when there is nothing to take in.</summary>
        public bool Grow(Value start)
        {
            Queue<Value> pending = [];
            Add(start);
            while (pending.TryDequeue(out Value? value))
            {
                foreach (Use use in value.UseList)
                {
                    Node reader = use.Node;
                    if (reader.Graph != graph || _isInside.Contains(reader) || !TransposeRules.Moved(reader).Contains(value) || !TransposeRules.CanMove(reader, order.Length, context)) continue;
                    if (_inside.Count >= MostNodes) return false;
                    _inside.Add(reader);
                    _isInside.Add(reader);
                    foreach (Value output in reader.Outputs.OfType<Value>()) Add(output);
                    foreach (Value input in TransposeRules.Moved(reader))
                    {
                        if (!_values.Contains(input) && IsSource(input.Producer)) Add(input);
                    }
                }
            }
            if (_inside.Count == 0) return false;
            Gain = CountGain();
            return true;

            void Add(Value value)
            {
                if (!_values.Add(value)) return;
                if (value.Producer is { } producer && !_isInside.Contains(producer)) _sources.Add(producer);
                pending.Enqueue(value);
            }
        }

        private bool IsSource(Node? node) => node is not null && node.Is("Transpose") && node.Graph == graph && node.Attributes.Ints("perm") is { } other && other.AsSpan().SequenceEqual(_order);

        private bool IsUndone(Node reader) => reader.Is("Transpose") && reader.Attributes.Ints("perm") is { } other && other.AsSpan().SequenceEqual(_inverse);

        /// <summary>Whether somebody outside needs the value in its own order.</summary>
        private bool IsNeeded(Value value) => value.IsGraphOutput || value.UseList.Any(u => !_isInside.Contains(u.Node) && !IsUndone(u.Node));

        private int CountGain()
        {
            int gain = 0;
            foreach (Node source in _sources)
            {
                if (!IsNeeded(source.Output()!)) gain++;
            }
            foreach (Value value in _values)
            {
                gain += value.UseList.Count(u => !_isInside.Contains(u.Node) && IsUndone(u.Node));
                if (_isInside.Contains(value.Producer!) && IsNeeded(value)) gain--;
            }
            // What comes from elsewhere must be brought into the order; constants are transposed here and now.
            gain -= _inside.SelectMany(TransposeRules.Moved).Where(v => !_values.Contains(v) && PassContext.Constant(v) is null).Distinct().Count();
            return gain;
        }

        public void Rewrite()
        {
            Dictionary<Value, Value> before = [];
            foreach (Node source in _sources) before[source.Output()!] = source.Input(0)!;
            List<Node> transposes = [];
            List<Node> ordered = Sorted();
            foreach (Node node in ordered)
            {
                List<Value?> inputs = [.. node.Inputs];
                HashSet<Value> moved = [.. TransposeRules.Moved(node)];
                for (int i = 0; i < inputs.Count; i++)
                {
                    if (inputs[i] is not { } input || !moved.Contains(input)) continue;
                    if (!before.TryGetValue(input, out Value? twin)) before[input] = twin = Bring(input, node);
                    inputs[i] = twin;
                }
                Node copy = graph.AddNode(node.OpType, inputs, [.. node.Outputs.Select(o => o is null ? null : graph.FreshName(o.Name + "_untransposed"))], before: node);
                copy.Name = context.FreshNodeName(node.DisplayName + "_untransposed");
                copy.SourceNodes = PassContext.SourcesOf(node);
                foreach (Attribute attribute in node.Attributes) copy.Attributes.Set(attribute);
                TransposeRules.Turn(copy, order, context);
                context.Touch(copy);
                for (int i = 0; i < node.Outputs.Count; i++)
                {
                    if (node.Outputs[i] is not { } output) continue;
                    Value twin = copy.Outputs[i]!;
                    if (output.Type is { } type) twin.Type = type with { Shape = type.Shape is { } shape && shape.Rank == order.Length ? new SymbolicShape([.. _inverse.Select(p => shape[(int)p])]) : null };
                    twin.Origin = PassContext.NamesOf(output);
                    before[output] = twin;
                }
            }
            foreach (Value value in _values.ToList())
            {
                foreach (Use use in value.UseList.ToArray())
                {
                    // The Transpose that undid it gives what is there now.
                    if (!_isInside.Contains(use.Node) && IsUndone(use.Node) && use.Node.Output() is { } plain && PassContext.CanReplace(plain, before[value])) context.Replace(plain, before[value]);
                }
            }
            ordered.Reverse();
            foreach (Node node in ordered.Where(n => n.IsAlive))
            {
                foreach (Value output in node.Outputs.OfType<Value>().ToList())
                {
                    bool isNeeded = output.IsGraphOutput || output.UseList.Any(u => !_isInside.Contains(u.Node));
                    if (!isNeeded) continue;
                    Node transpose = graph.AddNode("Transpose", [before[output]], [], before: node);
                    transpose.Name = context.FreshNodeName(output.Name + "_transposed");
                    transpose.SourceNodes = PassContext.SourcesOf(node);
                    transpose.Attributes.Set(Attribute.Ints("perm", _order));
                    graph.MoveOutput(output, transpose, 0);
                    transposes.Add(transpose);
                }
            }
            foreach (Node node in ordered) context.RemoveIfUnused(node);
            foreach (Node transpose in transposes) context.TouchAround(transpose);
            foreach (Node source in _sources) context.RemoveIfUnused(source);
        }

        private Value Bring(Value input, Node reader)
        {
            if (PassContext.Constant(input) is { } data) return TransposeRules.Broadcastable(data, order.Length, _inverse) is { } turned ? graph.AddConstant(input.Name + "_turned", turned) : input;
            Node transpose = context.AddNode("Transpose", [input], input.Name + "_turned", FirstReader(input) ?? reader, PassContext.SourcesOf(reader));
            transpose.Attributes.Set(Attribute.Ints("perm", _inverse));
            return transpose.Output()!;
        }

        /// <summary>Right behind what computes it, so that all readers can have it.</summary>
        private Node? FirstReader(Value input) => input.Producer is { } producer && producer.Graph == graph ? producer.Next : graph.First;

        /// <summary>The nodes inside, each after those it reads.</summary>
        private List<Node> Sorted()
        {
            Dictionary<Node, int> open = [];
            foreach (Node node in _inside) open[node] = Feeding(node).Count();
            Queue<Node> ready = new(_inside.Where(n => open[n] == 0));
            List<Node> sorted = [];
            while (ready.TryDequeue(out Node? node))
            {
                sorted.Add(node);
                foreach (Node reader in node.Outputs.OfType<Value>().SelectMany(o => o.UseList).Select(u => u.Node).Where(_isInside.Contains))
                {
                    if (--open[reader] == 0) ready.Enqueue(reader);
                }
            }
            return sorted;
        }

        private IEnumerable<Node> Feeding(Node node) => node.Inputs.Select(i => i?.Producer).OfType<Node>().Where(_isInside.Contains);
    }
}
