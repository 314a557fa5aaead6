using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Shapes;

/// <summary>One run of inference: forward over the main graph, into subgraphs and function calls. Each node is visited once, but for bodies of
/// loops (until their state's type settles) and of functions (once for each distinct call).</summary>
internal sealed class ShapeWalk
{
    // Nested loops and functions that call functions multiply visits; a model made to exploit that stops learning here.
    private const int VisitsPerNode = 50, LeastVisits = 100_000;
    private const int DeepestNesting = 200;
    internal const string UnexpectedInputs = "its inputs are none that the operator takes";

    private readonly OnnxGraph _graph;
    private readonly IReadOnlyDictionary<string, long[]>? _inputShapes;
    private readonly Dictionary<Value, TensorType> _types = [];
    private readonly Dictionary<Value, DimExpr?[]> _contents = [];
    private readonly Dictionary<Value, TensorType> _held = [];
    private readonly Dictionary<Value, TensorType?> _bodyTypes = [];
    private readonly Dictionary<string, long> _symbols = new(StringComparer.Ordinal);
    private readonly Dictionary<string, KnownValue[]> _calls = new(StringComparer.Ordinal);
    private readonly CallKey _callKey;
    private readonly HashSet<Function> _running = [];
    private readonly List<string> _contradictions = [];
    private readonly HashSet<string> _said = new(StringComparer.Ordinal);
    private long _visitsLeft;
    private int _depth;

    public ShapeWalk(OnnxGraph graph, IReadOnlyDictionary<string, long[]>? inputShapes, CallKey? keys = null)
    {
        _callKey = keys ?? new CallKey();
        _graph = graph;
        _inputShapes = inputShapes;
        _types.EnsureCapacity(graph.Body.NodeCount);
        _visitsLeft = LeastVisits + ((long)VisitsPerNode * (graph.Body.NodeCount + graph.FunctionTable.Values.Sum(f => f.Body.NodeCount)));
    }

    public ShapeResult Result() => new(_contents, _contradictions, _symbols);

    public void Run()
    {
        Frame main = new(_graph.OpsetImports, null);
        BindInputs(_graph.Body);
        Visit(_graph.Body, main);
        // Functions that nothing calls: what their bodies alone tell.
        foreach (Function function in _graph.FunctionTable.Values)
        {
            if (!function.Body.Values.Any(_bodyTypes.ContainsKey)) VisitFunction(function, [], new AttributeBindings(function));
        }
    }

    /// <summary>Visits the given nodes of the main graph again, and every node whose inputs' types or contents change by it; writes what was found to their
    /// values. The graph has no functions. Returns the nodes visited, in the graph's order; values that have another type now come to <paramref name="changed"/>.</summary>
    public IReadOnlyList<Node> Update(HashSet<Node> dirty, Func<Node, Node?> ancestor, List<Value> changed)
    {
        _visitsLeft = LeastVisits + ((long)VisitsPerNode * _graph.Body.NodeCount);
        Dictionary<Value, TensorType?> inputs = _graph.Body.Inputs.ToDictionary(i => i, i => _types.GetValueOrDefault(i));
        BindInputs(_graph.Body);
        foreach ((Value input, TensorType? before) in inputs)
        {
            if (!Equals(before, _types.GetValueOrDefault(input))) MarkReaders(input, dirty, ancestor);
        }
        List<Node> visited = [];
        Frame main = new(_graph.OpsetImports, null);
        foreach (Node node in _graph.Body.Nodes)
        {
            if (!dirty.Contains(node)) continue;
            if (--_visitsLeft < 0) break;
            (TensorType? Type, DimExpr?[]? Content, TensorType? Held)[] before = [.. node.Outputs.Select(o => o is null ? default : (_types.GetValueOrDefault(o), _contents.GetValueOrDefault(o), _held.GetValueOrDefault(o)))];
            VisitNode(node, main);
            visited.Add(node);
            for (int i = 0; i < before.Length; i++)
            {
                if (node.Outputs[i] is not { } output) continue;
                Write(output, changed);
                if (!Equals(before[i].Type, _types.GetValueOrDefault(output)) || !IsSame(before[i].Content, _contents.GetValueOrDefault(output)) || !Equals(before[i].Held, _held.GetValueOrDefault(output))) MarkReaders(output, dirty, ancestor);
            }
            foreach (Value value in node.Subgraphs.SelectMany(g => g.WithSubgraphs).SelectMany(g => g.Values)) Write(value, changed);
        }
        return visited;
    }

    private static void MarkReaders(Value value, HashSet<Node> dirty, Func<Node, Node?> ancestor)
    {
        foreach (Use use in value.UseList)
        {
            if (ancestor(use.Node) is { } reader) dirty.Add(reader);
        }
    }

    private static bool IsSame(DimExpr?[]? a, DimExpr?[]? b) => ReferenceEquals(a, b) || (a is not null && b is not null && a.AsSpan().SequenceEqual(b, EqualityComparer<DimExpr?>.Default));

    private void Write(Value value, List<Value> changed)
    {
        if (!_types.TryGetValue(value, out TensorType? type) || type.DataType == DataType.Undefined || type.Equals(value.Type)) return;
        value.Type = type;
        changed.Add(value);
    }

    /// <summary>A value's elements, as far as the walk has them.</summary>
    public DimExpr?[]? KnownContent(Value value) => _contents.GetValueOrDefault(value);

    /// <summary>Writes what was found to the values.</summary>
    public void Commit()
    {
        foreach ((Value value, TensorType type) in _types)
        {
            if (!_bodyTypes.ContainsKey(value) && type.DataType != DataType.Undefined) value.Type = type;
        }
        foreach ((Value value, TensorType? type) in _bodyTypes)
        {
            if (type is not null && type.DataType != DataType.Undefined) value.Type = type;
        }
    }

    /// <summary>Infers one function's body for one call.</summary>
    public CalledBody InferCall(Function function, OperatorView call, IReadOnlyDictionary<Value, TensorType>? around)
    {
        TensorType? Around(Value value) => around is not null && around.TryGetValue(value, out TensorType? type) ? type : TypeOf(value);
        KnownValue[] inputs = [.. function.Body.Inputs.Select((_, i) => call.Node.Input(i) is { } value ? new KnownValue(Around(value), ContentOf(value)) : KnownValue.Nothing)];
        AttributeBindings bindings = new(function, call);
        string key = _callKey.Of(function, inputs, bindings);
        _running.Add(function);
        VisitFunction(function, inputs, bindings);
        return new CalledBody(_types, bindings, key);
    }

    internal sealed record Frame(IReadOnlyDictionary<string, long> Opset, AttributeBindings? Bindings);

    // ---- the walk ----

    private void Visit(Graph body, Frame frame)
    {
        foreach (Node node in body.Nodes)
        {
            if (--_visitsLeft < 0) return;
            VisitNode(node, frame);
        }
    }

    private void VisitNode(Node node, Frame frame)
    {
        foreach (Value? output in node.Outputs)
        {
            if (output is null) continue;
            _types.Remove(output);
            _contents.Remove(output);
            _held.Remove(output);
        }
        NodeContext context = new(this, node, frame);
        if (_graph.FindFunction(node) is { } function)
        {
            Call(function, context);
        }
        else if (OperatorCatalog.Find(node.Domain, node.OpType, context.Opset) is { ShapeRule: { } rule } definition)
        {
            (int least, int most) = definition.InputsAt(context.Opset);
            int inputs = node.Inputs.Count;
            while (inputs > 0 && node.Inputs[inputs - 1] is null) inputs--;
            try
            {
                // A wrong number of inputs is GraphLint's to tell; no rule expects it.
                if (node.Inputs.Count >= least && inputs <= most) rule(context);
            }
            catch (OverflowException)
            {
                context.Contradict("its attributes lie outside any tensor's range");
            }
            catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or InvalidOperationException)
            {
                // A rule that some malformed node takes by surprise must not end the user's command; the fuzz test looks for this sentence.
                context.Contradict(UnexpectedInputs);
            }
        }
        foreach (Value? output in node.Outputs)
        {
            if (output is not null && !_types.ContainsKey(output) && Declared(output) is { } declared) _types[output] = declared;
        }
    }

    internal IReadOnlyList<KnownValue> InferBody(Graph body, IReadOnlyList<KnownValue> inputs, Frame frame)
    {
        if (_depth >= DeepestNesting || _visitsLeft < 0) return [.. body.Outputs.Select(o => new KnownValue(Declared(o), null))];
        _depth++;
        for (int i = 0; i < body.Inputs.Count; i++)
        {
            Value input = body.Inputs[i];
            KnownValue given = i < inputs.Count ? inputs[i] : KnownValue.Nothing;
            _contents.Remove(input);
            if (Merge(input, given.Type, null) is { } type) _types[input] = type;
            else _types.Remove(input);
            if (given.Content is not null) SetContent(input, given.Content);
        }
        Visit(body, frame);
        _depth--;
        return [.. body.Outputs.Select(o => new KnownValue(TypeOf(o), ContentOf(o)))];
    }

    private void Call(Function function, NodeContext context)
    {
        if (_depth >= DeepestNesting || _visitsLeft < 0 || !_running.Add(function)) return;
        try
        {
            KnownValue[] inputs = [.. function.Body.Inputs.Select((_, i) => context.Has(i) ? new KnownValue(context.Type(i), context.Content(i)) : KnownValue.Nothing)];
            AttributeBindings bindings = new(function, context.View);
            string key = _callKey.Of(function, inputs, bindings);
            if (!_calls.TryGetValue(key, out KnownValue[]? results)) _calls[key] = results = VisitFunction(function, inputs, bindings);
            for (int i = 0; i < results.Length && i < context.OutputCount; i++)
            {
                if (context.Node.Outputs[i] is null || results[i].Type is not { } type) continue;
                context.SetType(i, type);
                context.SetContent(i, results[i].Content);
            }
        }
        finally
        {
            _running.Remove(function);
        }
    }

    private KnownValue[] VisitFunction(Function function, IReadOnlyList<KnownValue> inputs, AttributeBindings bindings)
    {
        Frame frame = new(function.Opset, bindings);
        KnownValue[] results = [.. InferBody(function.Body, inputs, frame)];
        foreach (Value value in function.Body.WithSubgraphs.SelectMany(g => g.Values))
        {
            TensorType? type = _types.GetValueOrDefault(value);
            _bodyTypes[value] = _bodyTypes.TryGetValue(value, out TensorType? before) ? Dims.Meet(before, type) : type;
        }
        return results;
    }

    // ---- inputs ----

    private void BindInputs(Graph body)
    {
        foreach (Value input in body.Inputs)
        {
            if (_inputShapes?.GetValueOrDefault(input.Name) is not { } given || input.Type?.Shape is not { } shape || shape.Rank != given.Length) continue;
            for (int axis = 0; axis < given.Length; axis++)
            {
                if (given[axis] < 0 || shape.Dimensions[axis]?.SymbolName is not { } symbol) continue;
                if (!_symbols.TryAdd(symbol, given[axis]) && _symbols[symbol] != given[axis])
                {
                    Say($"Input '{input.Name}': the given shape makes '{symbol}' {given[axis]}, another input makes it {_symbols[symbol]}");
                }
            }
        }
        HashSet<string> names = [.. body.Inputs.Where(i => i.Type?.Shape is not null).SelectMany(i => i.Type!.Shape!.Dimensions).Where(d => d is not null).SelectMany(d => d!.Symbols)];
        foreach (Value input in body.Inputs)
        {
            if (input.Data is not null)
            {
                _types[input] = TensorType.Of(input.Data);
                continue;
            }
            long[]? given = _inputShapes?.GetValueOrDefault(input.Name);
            TensorType? type = Declared(input);
            if (type is null && given is null) continue;
            SymbolicShape? shape = type?.Shape;
            if (given is not null && shape is not null && shape.Rank != given.Length)
            {
                Say($"Input '{input.Name}': the given shape [{string.Join(", ", given)}] has {given.Length} axes, the declared {shape} has {shape.Rank}");
                shape = null;
            }
            if (shape is null && given is null)
            {
                _types[input] = type!;
                continue;
            }
            DimExpr?[] extents = shape is null ? new DimExpr?[given!.Length] : [.. shape.Dimensions];
            for (int axis = 0; axis < extents.Length; axis++)
            {
                if (given is not null && axis < given.Length && given[axis] >= 0)
                {
                    if (extents[axis] is { IsConstant: true } declared && declared.Value != given[axis])
                    {
                        Say($"Input '{input.Name}': axis {axis} is declared {declared}, the given shape says {given[axis]}");
                    }
                    extents[axis] = given[axis];
                }
                else
                {
                    extents[axis] ??= Generated($"{input.Name}.{axis}", names);
                }
            }
            _types[input] = new TensorType(type?.DataType ?? DataType.Undefined, new SymbolicShape(extents));
        }
    }

    private static DimExpr Generated(string name, HashSet<string> taken)
    {
        while (!taken.Add(name)) name += "'";
        return DimExpr.GeneratedSymbol(name);
    }

    // ---- what is known of values ----

    internal TensorType? TypeOf(Value value) => _types.TryGetValue(value, out TensorType? type) ? type : value.Data is { } data ? TensorType.Of(data) : Declared(value);

    internal DimExpr?[]? ContentOf(Value value)
    {
        if (_contents.TryGetValue(value, out DimExpr?[]? known)) return known;
        if (value.Data is null || ReadContent(value.Data) is not { } content) return null;
        _contents[value] = content;
        return content;
    }

    internal TensorType? HeldBy(Value value) => _held.GetValueOrDefault(value);

    internal void SetHeld(Value value, TensorType type) => _held[value] = type;

    internal void SetType(Node node, Value value, TensorType inferred) => _types[value] = Merge(value, inferred, node) ?? inferred;

    internal void SetContent(Value value, DimExpr?[] elements)
    {
        if (elements.Length > OperatorView.LargestShapeTensor || !_types.TryGetValue(value, out TensorType? type) || type.Shape?.ToStatic() is not { } extents) return;
        if (!ContentRules.TryCount(extents, out int count) || count != elements.Length) return;
        _contents[value] = elements;
    }

    /// <summary>The elements of a small constant as extents; null when it holds no integers.</summary>
    internal static DimExpr?[]? ReadContent(TensorData data)
    {
        if (!ContentRules.TryCount(data.Shape.ToArray(), out _)) return null;
        if (data.Type.IsInteger() && data.Type != DataType.UInt64 || data.Type == DataType.Bool) return [.. data.ToInt64().Select(v => (DimExpr?)v)];
        if (!data.Type.IsFloatingPoint() || data.ElementCount > 64) return null;
        DimExpr?[] integral = [.. data.ToDouble().Select(v => v == Math.Floor(v) && Math.Abs(v) < 1L << 53 ? (DimExpr?)(long)v : null)];
        return integral.All(e => e is null) ? null : integral;
    }

    // The declared type under the given input shapes; extents below 0 are no extents.
    private TensorType? Declared(Value value)
    {
        if (value.Type is not { Shape: { } shape } type) return value.Type;
        bool changes = false;
        foreach (DimExpr? d in shape.Dimensions) changes |= d is not null && (d.IsConstant ? d.Value < 0 : _symbols.Count > 0);
        return changes ? type with { Shape = new SymbolicShape([.. shape.Dimensions.Select(Resolve)]) } : type;
    }

    private DimExpr? Resolve(DimExpr? extent)
    {
        if (extent is null || extent.TryGetValue(out long value)) return extent is { Value: < 0 } ? null : extent;
        try
        {
            return extent.Substitute(s => _symbols.TryGetValue(s, out long known) ? DimExpr.Constant(known) : null);
        }
        catch (Exception e) when (e is OverflowException or DivideByZeroException)
        {
            return null;
        }
    }

    // Inferred facts first, declared ones where inference knows less.
    private TensorType? Merge(Value value, TensorType? inferred, Node? node)
    {
        TensorType? declared = Declared(value);
        if (declared is null || inferred is null) return inferred ?? declared;
        string where = node is null ? $"'{value.Name}'" : $"Node '{node.DisplayName}' ({node.OpType}), output '{value.Name}'";
        DataType type = inferred.DataType == DataType.Undefined ? declared.DataType : inferred.DataType;
        if (declared.DataType != DataType.Undefined && type != declared.DataType) Say($"{where}: declared as {declared.DataType}, but it is {type}");
        if (declared.Shape is null || inferred.Shape is null) return new TensorType(type, Clean(inferred.Shape) ?? declared.Shape);
        if (declared.Shape.Rank != inferred.Shape.Rank)
        {
            Say($"{where}: declared as {declared.Shape}, but its shape is {inferred.Shape}");
            return new TensorType(type, Clean(inferred.Shape));
        }
        DimExpr?[] extents = new DimExpr?[inferred.Shape.Rank];
        for (int axis = 0; axis < extents.Length; axis++)
        {
            DimExpr? own = inferred.Shape.Dimensions[axis], said = declared.Shape.Dimensions[axis];
            if (own is { IsConstant: true, Value: < 0 }) own = null;
            if (own is { IsConstant: true } && said is { IsConstant: true } && own.Value != said.Value)
            {
                Say($"{where}: axis {axis} is declared {said}, but it is {own}");
            }
            extents[axis] = own is null || (said is { IsConstant: true } && !own.IsConstant) ? said : own;
        }
        return new TensorType(type, new SymbolicShape(extents));
    }

    private static SymbolicShape? Clean(SymbolicShape? shape) =>
        shape is null || !shape.Dimensions.Any(d => d is { IsConstant: true, Value: < 0 }) ? shape : new SymbolicShape([.. shape.Dimensions.Select(d => d is { IsConstant: true, Value: < 0 } ? null : d)]);

    internal void Say(string contradiction)
    {
        if (_said.Add(contradiction)) _contradictions.Add(contradiction);
    }
}
