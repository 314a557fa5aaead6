using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;
using IrAttribute = TrtTools.Ir.Attribute;

namespace TrtTools.Tests.Passes;

/// <summary>Graphs that ONNX Runtime runs, made of what passes and patterns look for and of what stands in their way: other readers, graph outputs in the
/// middle, extents of 0 and 1, dynamic extents, shared constants, subgraphs. The same seed gives the same graph.</summary>
internal sealed partial class RandomGraph
{
    private readonly Random _random;
    private readonly Graph _body;
    private readonly List<Tensor> _values = [];
    private readonly List<Value> _constants = [];
    private readonly List<(string Name, TensorData Data)> _inputs = [];
    private readonly bool _exotic;
    private readonly long _opset;
    private int _count;

    public RandomGraph(int seed)
    {
        _random = new Random(seed);
        _body = new Graph("random");
        _opset = Pick(11L, 13, 17, 18);
        // NaN and infinities: then nothing that sums products, whose order roundings and NaNs depend on.
        _exotic = Chance(8);
    }

    /// <summary>A float value and its extents in the run at hand.</summary>
    private sealed record Tensor(Value Value, long[] Shape)
    {
        public int Rank => Shape.Length;

        public long Count => TensorData.CountElements(Shape);
    }

    public IReadOnlyDictionary<string, TensorData> Inputs => _inputs.ToDictionary(i => i.Name, i => i.Data, StringComparer.Ordinal);

    public OnnxGraph Next()
    {
        int inputs = _random.Next(1, 3);
        for (int i = 0; i < inputs; i++) AddInput();
        int steps = _random.Next(3, 16);
        for (int i = 0; i < steps; i++) Step(_body, _values, depth: 0);
        // The last values, and some from the middle that others read too.
        List<Tensor> outputs = [.. _values.Skip(inputs).Where(v => v.Value.Producer?.Graph == _body && (!v.Value.HasUses || Chance(7)))];
        if (outputs.Count == 0) outputs.Add(Unary(_body, "Relu", _values[^1]));
        foreach (Tensor output in outputs.DistinctBy(o => o.Value))
        {
            _body.AddOutput(output.Value);
            if (Chance(10))
            {
                Tensor twin = Unary(_body, "Identity", output);
                _body.AddOutput(twin.Value);
            }
        }
        foreach (Node node in _body.NodesWithSubgraphs) node.Name = $"n{_count++}";
        OnnxGraph model = new(_body, "random", null, 8, _functions.Count == 0 ? [new("", _opset)] : [new("", _opset), new("local", 1)]);
        foreach (Function function in _functions) model.FunctionTable.Add(function.Key, function);
        return model;
    }

    private void AddInput()
    {
        int rank = Pick(2, 3, 4, 4, 4);
        long[] shape = [.. Enumerable.Range(0, rank).Select(_ => (long)Pick(1, 2, 3, 4, 4, 5))];
        if (Chance(25)) shape[_random.Next(rank)] = 0;
        if (rank == 4) (shape[2], shape[3]) = (Pick(4, 6, 8), Pick(4, 6, 8));
        string name = $"x{_inputs.Count}";
        DimExpr?[] declared = [.. shape.Select((d, i) => Chance(5) ? (DimExpr?)DimExpr.Symbol($"{name}d{i}") : (DimExpr?)d)];
        if (rank == 4) declared[1] = shape[1];
        Value value = _body.AddInput(name, new TensorType(DataType.Float32, new SymbolicShape(declared)));
        _inputs.Add((name, Numbers(shape, exotic: _exotic)));
        _values.Add(new Tensor(value, shape));
    }

    private void Step(Graph graph, List<Tensor> values, int depth)
    {
        Tensor x = values[Chance(2) ? values.Count - 1 : _random.Next(values.Count)];
        Tensor? result = _random.Next(_exotic ? 17 : 41) switch
        {
            0 or 1 => Unary(graph, Pick(_exotic && Chance(3) ? s_steps : s_unary), x),
            2 => WithConstant(graph, x),
            3 => Pair(graph, values, x),
            4 => Reshaped(graph, x),
            5 => Transposed(graph, x),
            6 => Sandwich(graph, x),
            7 => Joined(graph, values, x),
            8 => Cut(graph, values, x),
            9 => Reduced(graph, x),
            10 => NoOp(graph, x),
            11 => Chosen(graph, values, x),
            12 => depth == 0 ? Branches(graph, values, x) : null,
            13 => depth == 0 ? Loop(graph, x) : null,
            14 => Folded(graph, x),
            15 => Twice(graph, values, x),
            16 => Called(graph, x),
            25 => Convolved(graph, values, x),
            26 or 27 => TransposedProduct(graph, x),
            28 => AlongAxis(graph, x),
            29 => NormalizedPicture(graph, x),
            30 => Squeezed(graph, x),
            31 => CachedAttention(graph, x),
            32 or 33 => SharedHeads(graph, x),
            34 => Quantized(graph),
            36 or 37 => Product(graph, x),
            38 => Summed(graph, x),
            39 => Separable(graph, x),
            35 => depth == 0 ? OneWay(graph, x) : null,
            17 => Multiplied(graph, x),
            18 => Pooled(graph, x),
            19 => Softmax(graph, x),
            20 => Composite(graph, x),
            21 => Normalized(graph, x),
            22 => Attention(graph, x),
            23 => Convolved(graph, values, x),
            24 => Rotated(graph, x),
            _ => ByShape(graph, x),
        };
        if (result is not null && result.Count <= 4096) values.Add(result);
    }

    private static readonly string[] s_unary = ["Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Erf", "Identity", "Softplus", "HardSigmoid", "LeakyRelu", "Elu", "Relu", "Dropout"];

    /// <summary>A rounding elsewhere would become a whole step in these.</summary>
    private static readonly string[] s_steps = ["Floor", "Ceil", "Sign"];

    private Tensor Unary(Graph graph, string opType, Tensor x) => new(Add(graph, opType, x.Value), x.Shape);

    private Tensor WithConstant(Graph graph, Tensor x)
    {
        string opType = Pick("Add", "Sub", "Mul", "Div", "Add", "Mul", "Pow");
        double neutral = opType is "Add" or "Sub" ? 0 : 1;
        long[] shape = ConstantShape(x);
        TensorData data = Chance(3) ? Filled(shape, opType == "Pow" ? 1 : neutral) : opType == "Pow" ? Filled([], Pick(1, 2)) : Numbers(shape, away: opType == "Div");
        Value constant = Constant(graph, data);
        bool swaps = opType is "Add" or "Mul" && Chance(3);
        Value result = swaps ? Add(graph, opType, constant, x.Value) : Add(graph, opType, x.Value, constant);
        Tensor first = new(result, Broadcast(x.Shape, data.Shape.ToArray()));
        // Two in a row.
        return Chance(2) ? first : new Tensor(Add(graph, Pick("Mul", "Add", "Sub", "Div"), first.Value, Constant(graph, Numbers(ConstantShape(first), away: true))), first.Shape);
    }

    private Tensor? Pair(Graph graph, List<Tensor> values, Tensor x)
    {
        Tensor? y = values.LastOrDefault(v => v.Value != x.Value && v.Shape.SequenceEqual(x.Shape));
        if (y is null) return null;
        string opType = Pick("Add", "Mul", "Sub", "Max", "Min");
        return new Tensor(Add(graph, opType, x.Value, y.Value), x.Shape);
    }

    private Tensor? Reshaped(Graph graph, Tensor x)
    {
        if (x.Count == 0) return null;
        switch (_random.Next(5))
        {
            case 0: return new Tensor(Add(graph, "Flatten", x.Value, ("axis", 1)), x.Rank == 0 ? [1, 1] : [x.Shape[0], x.Count / x.Shape[0]]);
            case 1:
                int at = _random.Next(x.Rank + 1);
                Tensor wide = new(Unsqueeze(graph, x.Value, at), [.. x.Shape[..at], 1, .. x.Shape[at..]]);
                return Chance(2) ? wide : new Tensor(Squeeze(graph, wide.Value, at), x.Shape);
            case 2 when x.Shape.Contains(1L):
                int one = Array.IndexOf(x.Shape, 1L);
                return new Tensor(Squeeze(graph, x.Value, one), [.. x.Shape[..one], .. x.Shape[(one + 1)..]]);
            case 3:
                Tensor flat = new(Add(graph, "Reshape", x.Value, Constant(graph, TensorData.Vector<long>(-1))), [x.Count]);
                return new Tensor(Add(graph, "Reshape", flat.Value, Constant(graph, TensorData.Vector<long>(x.Shape))), x.Shape);
            default:
                if (x.Rank < 2) return null;
                return new Tensor(Add(graph, "Reshape", x.Value, Constant(graph, TensorData.Vector<long>([0, -1]))), [x.Shape[0], x.Count / x.Shape[0]]);
        }
    }

    private Tensor? Transposed(Graph graph, Tensor x)
    {
        if (x.Rank < 2) return null;
        return Transpose(graph, x, Chance(6) ? [.. Enumerable.Range(0, x.Rank)] : Shuffled(x.Rank));
    }

    /// <summary>A Transpose, what can move above it, and its inverse.</summary>
    private Tensor? Sandwich(Graph graph, Tensor x)
    {
        if (x.Rank < 2) return null;
        int[] order = Shuffled(x.Rank);
        Tensor inner = Transpose(graph, x, order);
        for (int i = _random.Next(3); i >= 0; i--)
        {
            inner = _random.Next(5) switch
            {
                0 => WithConstant(graph, inner) is { } c && c.Rank == inner.Rank ? c : inner,
                1 => Reduced(graph, inner, keeps: true) ?? inner,
                2 => new Tensor(Add(graph, "Concat", [inner.Value, inner.Value], ("axis", inner.Rank - 1)), [.. inner.Shape[..^1], inner.Shape[^1] * 2]),
                _ => Unary(graph, Pick("Relu", "Tanh", "Neg"), inner),
            };
        }
        int[] inverse = [.. Enumerable.Range(0, order.Length).Select(i => Array.IndexOf(order, i))];
        return Transpose(graph, inner, Chance(5) ? Shuffled(inner.Rank) : inverse);
    }

    private Tensor Transpose(Graph graph, Tensor x, int[] order)
    {
        Value value = Add(graph, "Transpose", x.Value);
        value.Producer!.Attributes.Set(IrAttribute.Ints("perm", [.. order.Select(o => (long)o)]));
        return new Tensor(value, [.. order.Select(o => x.Shape[o])]);
    }

    private Tensor Joined(Graph graph, List<Tensor> values, Tensor x)
    {
        if (x.Rank == 0) return Unary(graph, "Relu", x);
        int axis = _random.Next(x.Rank);
        if (Chance(5))
        {
            // Zeros, or not quite, beside one value.
            long[] rest = Resized(x.Shape, axis, Math.Max(1, 512 / Math.Max(1, x.Count / Math.Max(1, x.Shape[axis]))));
            Value zeros = Constant(graph, Filled(rest, Chance(5) ? 1 : 0));
            return new Tensor(Add(graph, "Concat", Chance(2) ? [x.Value, zeros] : [zeros, x.Value], ("axis", axis)), Resized(x.Shape, axis, x.Shape[axis] + rest[axis]));
        }
        Tensor y = values.LastOrDefault(v => v.Value != x.Value && v.Rank == x.Rank && Enumerable.Range(0, x.Rank).All(i => i == axis || v.Shape[i] == x.Shape[i])) ?? x;
        long[] shape = [.. x.Shape];
        shape[axis] += y.Shape[axis];
        Tensor joined = new(Add(graph, "Concat", [x.Value, y.Value], ("axis", Chance(3) ? axis - x.Rank : axis)), shape);
        if (Chance(3)) return joined;
        if (Chance(2))
        {
            shape = [.. shape];
            shape[axis] += x.Shape[axis];
            return new Tensor(Add(graph, "Concat", [joined.Value, x.Value], ("axis", axis)), shape);
        }
        // Just one of the parts again, or one element off.
        long start = x.Shape[axis], end = start + y.Shape[axis];
        if (Chance(4) && end - start > 1) end--;
        return Slice(graph, joined, axis, start, end);
    }

    private Tensor? Cut(Graph graph, List<Tensor> values, Tensor x)
    {
        if (x.Rank == 0) return null;
        int axis = _random.Next(x.Rank);
        long extent = x.Shape[axis];
        if (extent < 2) return Slice(graph, x, axis, 0, long.MaxValue);
        long middle = _random.Next(1, (int)extent);
        if (Chance(3)) return Slice(graph, Slice(graph, x, axis, 0, middle), _random.Next(x.Rank), 0, 2);
        Tensor first, second;
        if (Chance(2))
        {
            Value? sizes = _opset >= 13 ? Constant(graph, TensorData.Vector<long>(middle, extent - middle)) : null;
            Node split = graph.AddNode("Split", sizes is null ? [x.Value] : [x.Value, sizes], [Name(), Name()]);
            split.Attributes.Set(IrAttribute.Int("axis", axis));
            if (sizes is null) split.Attributes.Set(IrAttribute.Ints("split", middle, extent - middle));
            (first, second) = (new Tensor(split.Outputs[0]!, Resized(x.Shape, axis, middle)), new Tensor(split.Outputs[1]!, Resized(x.Shape, axis, extent - middle)));
        }
        else
        {
            (first, second) = (Slice(graph, x, axis, 0, middle), Slice(graph, x, axis, middle, long.MaxValue));
        }
        if (graph == _body) values.Add(first);
        return Chance(2) ? second : new Tensor(Add(graph, "Concat", [first.Value, second.Value], ("axis", axis)), x.Shape);
    }

    private Tensor Slice(Graph graph, Tensor x, int axis, long start, long end)
    {
        long extent = x.Shape[axis], last = Math.Min(end, extent);
        Value value = Add(graph, "Slice", [x.Value, .. new[] { start, end, axis }.Select(n => Constant(graph, TensorData.Vector<long>(n)))]);
        return new Tensor(value, Resized(x.Shape, axis, Math.Max(0, last - Math.Min(start, extent))));
    }

    private Tensor? Reduced(Graph graph, Tensor x, bool keeps = false)
    {
        // What ONNX Runtime makes of NaN in a reduction depends on the axis.
        if (x.Rank == 0 || x.Count == 0 || _exotic) return null;
        int axis = _random.Next(x.Rank);
        string opType = Pick("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2");
        Value kept = Reduce(graph, opType, x.Value, axis, keeps: keeps || Chance(2));
        bool drops = kept.Producer!.Attributes.Int("keepdims", 1) == 0;
        if (!drops) return new Tensor(kept, Resized(x.Shape, axis, 1));
        Tensor dropped = new(kept, [.. x.Shape[..axis], .. x.Shape[(axis + 1)..]]);
        return Chance(3) ? dropped : new Tensor(Unsqueeze(graph, dropped.Value, axis), Resized(x.Shape, axis, 1));
    }

    private Tensor? NoOp(Graph graph, Tensor x)
    {
        switch (_random.Next(9))
        {
            case 0: return Unary(graph, "Identity", x);
            case 1: return new Tensor(Add(graph, "Cast", x.Value, ("to", 1)), x.Shape);
            case 2: return new Tensor(Add(graph, "Cast", Add(graph, "Cast", x.Value, ("to", 11)), ("to", 1)), x.Shape);
            case 3: return new Tensor(Add(graph, "Expand", x.Value, Constant(graph, TensorData.Vector<long>(1))), x.Rank == 0 ? [1] : x.Shape);
            case 4 when x.Rank > 0: return new Tensor(Add(graph, "Tile", x.Value, Constant(graph, TensorData.From<long>([.. Enumerable.Repeat(1L, x.Rank)], x.Rank))), x.Shape);
            case 5 when x.Rank > 0: return new Tensor(Add(graph, "Pad", x.Value, Constant(graph, TensorData.From<long>(new long[x.Rank * 2], x.Rank * 2))), x.Shape);
            case 6: return new Tensor(Add(graph, "Max", x.Value), x.Shape);
            case 7 when x.Rank == 4 && x.Count > 0 && !_exotic:
                Value resized = Add(graph, "Resize", [x.Value, null, Constant(graph, TensorData.Vector<float>(1, 1, 1, 1))]);
                return new Tensor(resized, x.Shape);
            default:
                return Clip(graph, Clip(graph, x));
        }
    }

    private Tensor Clip(Graph graph, Tensor x)
    {
        if (Chance(3)) return Unary(graph, "Relu", x);
        float low = Pick(-1f, 0, 0.5f), high = Pick(1f, 3, 6);
        return new Tensor(Add(graph, "Clip", [x.Value, Chance(4) ? null : Constant(graph, TensorData.Scalar(low)), Constant(graph, TensorData.Scalar(high))]), x.Shape);
    }

    private Tensor Chosen(Graph graph, List<Tensor> values, Tensor x)
    {
        Tensor y = values.LastOrDefault(v => v.Value != x.Value && v.Shape.SequenceEqual(x.Shape)) ?? x;
        Value condition = Chance(2) ? Constant(graph, TensorData.From<bool>([Chance(2)], [])) : Add(graph, "Greater", x.Value, y.Value);
        if (Chance(2)) condition = Add(graph, "Not", condition);
        return new Tensor(Add(graph, "Where", condition, x.Value, Chance(4) ? x.Value : y.Value), x.Shape);
    }

    private Tensor Twice(Graph graph, List<Tensor> values, Tensor x)
    {
        string opType = Pick("Relu", "Tanh", "Abs", _exotic ? "Ceil" : "Relu");
        if (Chance(2)) return Unary(graph, opType, Unary(graph, opType, x));
        values.Add(Unary(graph, opType, x));
        return Unary(graph, opType, x);
    }

    private long[] ConstantShape(Tensor x) => _random.Next(4) switch
    {
        0 => [],
        1 when x.Rank > 0 => [x.Shape[^1]],
        2 when x.Rank > 2 => [x.Shape[1], .. Enumerable.Repeat(1L, x.Rank - 2)],
        3 => x.Shape,
        _ => [1],
    };

    // ---- the smallest pieces ----

    private Value Add(Graph graph, string opType, params Value?[] inputs) => graph.AddNode(opType, inputs, [Name()]).Output()!;

    private Value Add(Graph graph, string opType, Value? input, (string Name, long Number) attribute) => Add(graph, opType, [input], attribute);

    private Value Add(Graph graph, string opType, Value?[] inputs, (string Name, long Number) attribute)
    {
        Value value = Add(graph, opType, inputs);
        value.Producer!.Attributes.Set(IrAttribute.Int(attribute.Name, attribute.Number));
        return value;
    }

    private Value Reduce(Graph graph, string opType, Value x, int axis, bool keeps)
    {
        Value value = opType == "ReduceSum" && _opset >= 13 || _opset >= 18 ? Add(graph, opType, x, Constant(graph, TensorData.Vector<long>(axis))) : Add(graph, opType, x);
        if (value.Producer!.Inputs.Count == 1) value.Producer.Attributes.Set(IrAttribute.Ints("axes", axis));
        if (!keeps) value.Producer.Attributes.Set(IrAttribute.Int("keepdims", 0));
        return value;
    }

    private Value Unsqueeze(Graph graph, Value x, int axis) => WithAxis(graph, "Unsqueeze", x, axis);

    private Value Squeeze(Graph graph, Value x, int axis) => WithAxis(graph, "Squeeze", x, axis);

    private Value WithAxis(Graph graph, string opType, Value x, int axis)
    {
        if (_opset >= 13) return Add(graph, opType, x, Constant(graph, TensorData.Vector<long>(axis)));
        Value value = Add(graph, opType, x);
        value.Producer!.Attributes.Set(IrAttribute.Ints("axes", axis));
        return value;
    }

    /// <summary>An initializer or a Constant node, in this body or around it; sometimes one that others read too.</summary>
    private Value Constant(Graph graph, TensorData data)
    {
        Value? known = _constants.Find(c => c.Graph == graph && c.Data is { } other && other.ContentEquals(data));
        if (known is not null && Chance(2)) return known;
        if (Chance(4))
        {
            Value node = Add(graph, "Constant");
            node.Producer!.Attributes.Set(IrAttribute.Tensor("value", data));
            return node;
        }
        Value value = (Chance(3) ? _body : graph).AddInitializer(Name(), data);
        _constants.Add(value);
        return value;
    }

    private string Name() => $"v{_count++}";

    private TensorData Numbers(long[] shape, bool away = false, bool exotic = false)
    {
        float[] numbers = new float[TensorData.CountElements(shape)];
        for (int i = 0; i < numbers.Length; i++)
        {
            numbers[i] = (float)((_random.NextDouble() * 2) - 1);
            if (away) numbers[i] = numbers[i] < 0 ? numbers[i] - 0.5f : numbers[i] + 0.5f;
            if (exotic && Chance(6)) numbers[i] = Pick(float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, -0f, 1e30f);
        }
        return TensorData.From<float>(numbers, shape);
    }

    private static TensorData Filled(long[] shape, double number) => TensorMath.FromDouble(DataType.Float32, shape, [.. Enumerable.Repeat(number, (int)TensorData.CountElements(shape))]);

    private static long[] Resized(long[] shape, int axis, long extent) => [.. shape.Select((d, i) => i == axis ? extent : d)];

    private static long[] Broadcast(long[] a, long[] b)
    {
        long[] result = new long[Math.Max(a.Length, b.Length)];
        for (int i = 1; i <= result.Length; i++)
        {
            long x = i <= a.Length ? a[^i] : 1, y = i <= b.Length ? b[^i] : 1;
            result[^i] = x == 1 ? y : x;
        }
        return result;
    }

    private int[] Shuffled(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        _random.Shuffle(order);
        return order;
    }

    private bool Chance(int outOf) => _random.Next(outOf) == 0;

    private T Pick<T>(params T[] options) => options[_random.Next(options.Length)];
}
