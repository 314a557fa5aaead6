using System.Globalization;
using System.Text;
using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>Reads the grammar that <see cref="GraphText"/> describes.</summary>
internal sealed partial class GraphTextParser
{
    private readonly string _text;
    private readonly List<GraphTextToken> _tokens;
    private readonly List<Graph> _scopes = [];
    private readonly SortedDictionary<string, long> _opset = new(StringComparer.Ordinal) { [""] = 17 };
    private int _at;
    private long _irVersion = 8;

    /// <summary>In a model without signature, unknown names become inputs of the main graph.</summary>
    private bool _free;

    public GraphTextParser(string text)
    {
        _text = text;
        _tokens = GraphTextTokens.Cut(text);
    }

    public OnnxGraph ParseModel()
    {
        SkipEnds();
        if (Take("<")) ParseSettings();
        SkipEnds();
        _free = !HasSignature();
        Graph body = _free ? ParseFree() : ParseGraph();
        OnnxGraph graph = new(body, "test", null, _irVersion, _opset);
        for (SkipEnds(); Next.IsWord("function"); SkipEnds())
        {
            Function function = ParseFunction();
            graph.FunctionTable.Add(function.Key, function);
        }
        if (Next.Kind != GraphTextKind.End) throw Error("the model is over here, but there is more text");
        return graph;
    }

    private GraphTextToken Next => _tokens[_at];

    private void ParseSettings()
    {
        do
        {
            string name = Name();
            long version = Int();
            if (name == "ir") _irVersion = version;
            else _opset[name is "opset" or "ai.onnx" ? "" : name] = version;
        }
        while (Take(","));
        Expect(">");
    }

    /// <summary>True when "->" comes before the first "=" outside a type.</summary>
    private bool HasSignature()
    {
        for (int i = _at; i < _tokens.Count; i++)
        {
            if (_tokens[i].Is("->")) return true;
            if (_tokens[i].Is("=")) return false;
        }
        return false;
    }

    private Graph ParseFree()
    {
        Graph graph = new("test");
        _scopes.Add(graph);
        ParseStatements(graph, static t => t.Kind == GraphTextKind.End || t.IsWord("function"));
        _scopes.Clear();
        foreach (Value value in graph.Values.Where(v => v is { HasUses: false, Producer: not null }).ToList()) graph.AddOutput(value);
        return graph;
    }

    private Graph ParseGraph()
    {
        Graph graph = new(_scopes.Count == 0 ? "test" : "body");
        bool parenthesis = Take("(");
        SkipEnds();
        while (Next.Kind is GraphTextKind.Name or GraphTextKind.String)
        {
            string name = Name();
            graph.AddInput(name, OptionalType());
            if (!Take(",")) break;
            SkipEnds();
        }
        if (parenthesis) Expect(")");
        SkipEnds();
        Expect("->");
        ParseOutputsAndStatements(graph);
        return graph;
    }

    private void ParseOutputsAndStatements(Graph graph)
    {
        List<(string Name, TensorType? Type, int Position)> outputs = [];
        SkipEnds();
        while (Next.Kind is GraphTextKind.Name or GraphTextKind.String)
        {
            int position = Next.Position;
            outputs.Add((Name(), OptionalType(), position));
            if (!Take(",")) break;
            SkipEnds();
        }
        SkipEnds();
        Expect("{");
        _scopes.Add(graph);
        ParseStatements(graph, static t => t.Is("}"));
        Expect("}");
        foreach ((string name, TensorType? type, int position) in outputs)
        {
            Value value = Resolve(name) ?? throw GraphTextTokens.Error(_text, position, $"nothing defines the output '{name}'");
            if (type is not null) value.Type = type;
            graph.AddOutput(value);
        }
        _scopes.RemoveAt(_scopes.Count - 1);
    }

    private Function ParseFunction()
    {
        _at++;
        string domain = Name();
        Expect("::");
        string name = Name();
        Graph body = new(name);
        Function function = new(domain, name, "", body);
        if (Take("<"))
        {
            do
            {
                string attribute = Name();
                if (Take("=")) function.DefaultAttributes.Add(ParseAttributeValue(attribute));
                else function.RequiredAttributes.Add(attribute);
            }
            while (Take(","));
            Expect(">");
        }
        Expect("(");
        while (!Next.Is(")"))
        {
            body.AddInput(Name(), OptionalType());
            if (!Take(",")) break;
        }
        Expect(")");
        Expect("->");
        bool free = _free;
        _free = false;
        ParseOutputsAndStatements(body);
        _free = free;
        foreach ((string d, long version) in _opset) function.Opset[d] = version;
        return function;
    }

    private void ParseStatements(Graph graph, Func<GraphTextToken, bool> end)
    {
        for (SkipSeparators(); !end(Next); SkipSeparators())
        {
            List<(string? Name, TensorType? Type)> targets = [];
            do
            {
                if (Next.IsWord("_"))
                {
                    _at++;
                    targets.Add((null, null));
                }
                else
                {
                    targets.Add((Name(), OptionalType()));
                }
            }
            while (Take(","));
            Expect("=");
            if (IsType(Next) && !_tokens[_at + 1].Is("(")) ParseInitializer(graph, targets);
            else ParseNode(graph, targets);
            if (!end(Next) && !Next.Is(";") && Next.Kind != GraphTextKind.LineEnd) throw Error("a statement ends with ';' or the line");
        }
    }

    private void ParseInitializer(Graph graph, List<(string? Name, TensorType? Type)> targets)
    {
        if (targets is not [(string name, _)]) throw Error("a tensor has one name");
        TensorData data = ParseTensor();
        try { graph.AddInitializer(name, data); }
        catch (InvalidOperationException e) { throw Error(e.Message.TrimEnd('.')); }
    }

    private void ParseNode(Graph graph, List<(string? Name, TensorType? Type)> targets)
    {
        string domain = "", opType = Name();
        if (Take("::")) (domain, opType) = (opType == "ai.onnx" ? "" : opType, Name());
        List<Attribute> attributes = [];
        ParseAttributes(attributes);
        List<Value?> inputs = [];
        Expect("(");
        while (!Next.Is(")"))
        {
            if (Next.IsWord("_"))
            {
                _at++;
                inputs.Add(null);
            }
            else
            {
                GraphTextToken token = Next;
                string name = Name();
                Value? value = Resolve(name);
                if (value is null && _free) value = _scopes[0].AddInput(name);
                inputs.Add(value ?? throw GraphTextTokens.Error(_text, token.Position, $"nothing defines '{name}' up to here"));
            }
            if (!Take(",")) break;
        }
        Expect(")");
        ParseAttributes(attributes);
        Node node;
        try { node = graph.AddNode(opType, inputs, [.. targets.Select(t => t.Name)], domain); }
        catch (InvalidOperationException e) { throw Error(e.Message.TrimEnd('.')); }
        foreach (Attribute attribute in attributes) node.Attributes.Set(attribute);
        for (int i = 0; i < targets.Count; i++)
        {
            if (targets[i].Type is { } type) node.Outputs[i]!.Type = type;
        }
        node.Name = Take("@") ? Name() : targets.FirstOrDefault(t => t.Name is not null).Name ?? "";
    }

    private void ParseAttributes(List<Attribute> attributes)
    {
        if (!Take("{")) return;
        SkipEnds();
        while (!Next.Is("}"))
        {
            string name = Name();
            Expect("=");
            attributes.Add(ParseAttributeValue(name));
            if (!Take(",")) Take(";");
            SkipEnds();
        }
        Expect("}");
    }

    private Attribute ParseAttributeValue(string name)
    {
        GraphTextToken token = Next;
        if (Take("$"))
        {
            string reference = Name();
            Expect(":");
            return Attribute.ReferenceTo(name, Enum.TryParse(Name(), out AttributeKind kind) ? kind : throw Error("an attribute's kind comes after ':', such as Float"), reference);
        }
        if (token.Kind == GraphTextKind.String) return Attribute.String(name, Name());
        if (token.Kind == GraphTextKind.Int) return Attribute.Int(name, Int());
        if (token.Kind == GraphTextKind.Float) return Attribute.Float(name, (float)Number());
        if (IsType(token)) return Attribute.Tensor(name, ParseTensor());
        if (token.Kind == GraphTextKind.Name && token.Text is "floats" or "strings" or "ints")
        {
            _at++;
            Expect("[");
            Expect("]");
            return token.Text == "floats" ? Attribute.Floats(name) : token.Text == "ints" ? Attribute.Ints(name) : Attribute.Strings(name);
        }
        return token.Is("[") ? ParseList(name) : Attribute.Subgraph(name, ParseGraph());
    }

    private Attribute ParseList(string name)
    {
        Expect("[");
        if (Next.Is("(") || Next.Is("->"))
        {
            List<Graph> graphs = [];
            do graphs.Add(ParseGraph()); while (Take(","));
            Expect("]");
            return new Attribute(name, AttributeKind.Graphs, graphs.ToArray());
        }
        List<string> strings = [];
        List<double> numbers = [];
        List<long> ints = [];
        bool isFloat = false;
        while (!Next.Is("]"))
        {
            if (Next.Kind == GraphTextKind.String)
            {
                strings.Add(Name());
            }
            else
            {
                isFloat |= Next.Kind == GraphTextKind.Float;
                if (Next.Kind == GraphTextKind.Int) ints.Add(long.Parse(Next.Text, CultureInfo.InvariantCulture));
                numbers.Add(Number());
            }
            Take(",");
        }
        Expect("]");
        if (strings.Count > 0) return Attribute.Strings(name, [.. strings]);
        return isFloat ? Attribute.Floats(name, [.. numbers.Select(n => (float)n)]) : Attribute.Ints(name, [.. ints]);
    }

    private TensorData ParseTensor()
    {
        DataType type = Enum.Parse<DataType>(Name());
        long[] shape = [];
        if (Take("["))
        {
            List<long> extents = [];
            while (!Next.Is("]"))
            {
                extents.Add(Int());
                if (!Take(",")) break;
            }
            Expect("]");
            shape = [.. extents];
        }
        int count = checked((int)TensorData.CountElements(shape));
        GraphTextToken token = Next;
        if (token.Kind == GraphTextKind.Name && token.Text is "zeros" or "ones" or "range")
        {
            _at++;
            return GraphText.FromDoubles(type, shape, [.. Enumerable.Range(0, count).Select(i => token.Text == "range" ? i : token.Text == "ones" ? 1.0 : 0.0)]);
        }
        if (token.Kind == GraphTextKind.Name && token.Text is "fill" or "random")
        {
            _at++;
            Expect("(");
            double argument = Number();
            Expect(")");
            return token.Text == "random" ? GraphText.Random(type, shape, (ulong)argument) : GraphText.FromDoubles(type, shape, [.. Enumerable.Repeat(argument, count)]);
        }
        List<string> strings = [];
        List<double> numbers = [];
        List<long> ints = [];
        bool list = Take("[");
        SkipEnds();
        while (!(list && Next.Is("]")))
        {
            if (type == DataType.String) strings.Add(Name());
            else if (type is DataType.Int64 && Next.Kind == GraphTextKind.Int) ints.Add(Int());
            else numbers.Add(Number());
            if (!list) break;
            Take(",");
            SkipEnds();
        }
        SkipEnds(list);
        if (list) Expect("]");
        int given = strings.Count + numbers.Count + ints.Count;
        if (given != count) throw GraphTextTokens.Error(_text, token.Position, $"{type}[{string.Join(',', shape)}] holds {count} elements, not {given}");
        if (type == DataType.String) return TensorData.FromStrings(shape, [.. strings]);
        return ints.Count == count && type == DataType.Int64 ? TensorData.From<long>([.. ints], shape) : GraphText.FromDoubles(type, shape, [.. numbers]);
    }

    private TensorType? OptionalType()
    {
        if (!Take(":")) return null;
        if (!IsType(Next)) throw Error("a type comes after ':', such as Float32[1,N,?]");
        DataType type = Enum.Parse<DataType>(Name());
        if (!Take("[")) return new TensorType(type, null);
        List<DimExpr?> dimensions = [];
        while (!Next.Is("]"))
        {
            if (Take("?")) dimensions.Add(null);
            else dimensions.Add(Next.Kind == GraphTextKind.Int ? DimExpr.Constant(Int()) : DimExpr.Symbol(Name()));
            if (!Take(",")) break;
        }
        Expect("]");
        return new TensorType(type, new SymbolicShape([.. dimensions]));
    }

    private static bool IsType(GraphTextToken token) => token.Kind == GraphTextKind.Name && Enum.TryParse<DataType>(token.Text, out _);

    private Value? Resolve(string name)
    {
        for (int i = _scopes.Count - 1; i >= 0; i--)
        {
            if (_scopes[i].Find(name) is { } value) return value;
        }
        return null;
    }

    private string Name()
    {
        if (Next.Kind is not (GraphTextKind.Name or GraphTextKind.String)) throw Error($"a name was expected, not '{Next.Text}'");
        return _tokens[_at++].Text;
    }

    private long Int()
    {
        if (Next.Kind != GraphTextKind.Int) throw Error($"a whole number was expected, not '{Next.Text}'");
        return long.Parse(_tokens[_at++].Text, CultureInfo.InvariantCulture);
    }

    private double Number()
    {
        GraphTextToken token = _tokens[_at++];
        return token switch
        {
            { Text: "inf" } => double.PositiveInfinity,
            { Text: "-inf" } => double.NegativeInfinity,
            { Text: "nan" } => double.NaN,
            { Text: "true" } => 1,
            { Text: "false" } => 0,
            { Kind: GraphTextKind.Int or GraphTextKind.Float } when double.TryParse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) => value,
            _ => throw GraphTextTokens.Error(_text, token.Position, $"a number was expected, not '{token.Text}'"),
        };
    }

    private bool Take(string mark)
    {
        if (!Next.Is(mark)) return false;
        _at++;
        return true;
    }

    private void Expect(string mark)
    {
        if (!Take(mark)) throw Error($"'{mark}' was expected, not '{(Next.Kind == GraphTextKind.End ? "the end" : Next.Text)}'");
    }

    private void SkipEnds(bool really = true)
    {
        while (really && Next.Kind == GraphTextKind.LineEnd) _at++;
    }

    private void SkipSeparators()
    {
        while (Next.Kind == GraphTextKind.LineEnd || Next.Is(";")) _at++;
    }

    private FormatException Error(string message) => GraphTextTokens.Error(_text, Next.Position, message);
}
