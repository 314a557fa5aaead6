using TrtTools.Ir;
using TrtTools.Tensors;
using IrAttribute = TrtTools.Ir.Attribute;

namespace TrtTools.Tests.Passes;

/// <summary>Layers, composites and control flow.</summary>
internal sealed partial class RandomGraph
{
    private Tensor? Convolved(Graph graph, List<Tensor> values, Tensor x)
    {
        if (x.Rank != 4 || x.Count == 0 || x.Shape[2] < 3 || x.Shape[3] < 3) return null;
        long channels = x.Shape[1], results = Pick(2, 4);
        Value source = x.Value;
        if (Chance(4)) source = Add(graph, Pick("Mul", "Add", "Sub"), source, Constant(graph, Numbers(Pick<long[]>([], [channels, 1, 1], [1, channels, 1, 1]))));
        bool pads = Chance(2), padded = Chance(3);
        if (padded) source = Add(graph, "Pad", source, Constant(graph, TensorData.Vector<long>(0, 0, 1, 1, 0, 0, 1, 1)));
        bool transposed = Chance(6);
        long group = !transposed && Chance(4) ? channels : 1;
        if (group > 1) results = channels;
        Value weights = Constant(graph, Numbers(transposed ? [channels, results, 3, 3] : [results, channels / group, 3, 3]));
        Value result = Chance(2) ? Add(graph, transposed ? "ConvTranspose" : "Conv", source, weights) : Add(graph, transposed ? "ConvTranspose" : "Conv", source, weights, Constant(graph, Numbers([results])));
        if (pads) result.Producer!.Attributes.Set(IrAttribute.Ints("pads", 1, 1, 1, 1));
        if (group > 1) result.Producer!.Attributes.Set(IrAttribute.Int("group", group));
        long change = (transposed ? 2 : -2) + (pads ? transposed ? -2 : 2 : 0) + (padded ? 2 : 0);
        Tensor y = new(result, [x.Shape[0], results, x.Shape[2] + change, x.Shape[3] + change]);
        for (int i = _random.Next(3); i > 0; i--)
        {
            y = _random.Next(6) switch
            {
                0 or 1 => new Tensor(Add(graph, "BatchNormalization", y.Value, Constant(graph, Numbers([results])), Constant(graph, Numbers([results])), Constant(graph, Numbers([results])), Constant(graph, Filled([results], 0.5))), y.Shape),
                2 => new Tensor(Add(graph, Pick("Mul", "Add", "Sub", "Div"), y.Value, Constant(graph, Numbers(Pick<long[]>([], [results, 1, 1], [1, results, 1, 1], [y.Shape[3]]), away: true))), y.Shape),
                3 when values.LastOrDefault(v => v.Shape.SequenceEqual(y.Shape)) is { } other => new Tensor(Add(graph, "Add", other.Value, y.Value), y.Shape),
                4 => Composite(graph, y),
                _ => Unary(graph, Pick("Relu", "Sigmoid", "LeakyRelu", "Elu", "Tanh"), y),
            };
        }
        if (Chance(6) && graph == _body) values.Add(new Tensor(result, [x.Shape[0], results, x.Shape[2] + change, x.Shape[3] + change]));
        return y;
    }

    private Tensor? Multiplied(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        long width = x.Shape[^1], results = Pick(3, 4);
        Value weights = Constant(graph, Numbers([width, results]));
        Value source = x.Value;
        if (x.Rank == 2 && Chance(3))
        {
            source = Transpose(graph, Transpose(graph, x, [1, 0]), [1, 0]).Value;
            weights = Transpose(graph, new Tensor(Constant(graph, Numbers([results, width])), [results, width]), [1, 0]).Value;
        }
        Value product = x.Rank == 2 && Chance(2) ? Add(graph, "Gemm", source, weights) : Add(graph, "MatMul", source, weights);
        Tensor y = new(product, [.. x.Shape[..^1], results]);
        for (int i = _random.Next(3); i > 0; i--)
        {
            y = _random.Next(3) switch
            {
                0 => new Tensor(Add(graph, Pick("Add", "Mul"), y.Value, Constant(graph, Numbers(Chance(3) ? [] : [results]))), y.Shape),
                1 => Composite(graph, y),
                _ => Unary(graph, Pick("Relu", "Tanh", "Sigmoid"), y),
            };
        }
        return y;
    }

    private Tensor? Pooled(Graph graph, Tensor x)
    {
        if (x.Rank != 4 || x.Count == 0 || x.Shape[2] < 3 || x.Shape[3] < 3) return null;
        bool averages = Chance(2), padded = Chance(2), pads = Chance(3);
        Value source = x.Value;
        if (padded) source = averages || Chance(2) ? Add(graph, "Pad", source, Constant(graph, TensorData.Vector<long>(0, 0, 1, 0, 0, 0, 1, 0))) : Add(graph, "Pad", source, Constant(graph, TensorData.Vector<long>(0, 0, 1, 0, 0, 0, 1, 0)), Constant(graph, TensorData.Scalar(float.MinValue)));
        Value value = Add(graph, averages ? "AveragePool" : "MaxPool", source);
        value.Producer!.Attributes.Set(IrAttribute.Ints("kernel_shape", 3, 3));
        if (pads) value.Producer.Attributes.Set(IrAttribute.Ints("pads", 1, 1, 1, 1));
        if (averages && Chance(2)) value.Producer.Attributes.Set(IrAttribute.Int("count_include_pad", 1));
        long more = (pads ? 2 : 0) - 2;
        return new Tensor(value, [x.Shape[0], x.Shape[1], x.Shape[2] + more + (padded ? 2 : 0), x.Shape[3] + more]);
    }

    private Tensor? Softmax(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        int axis = _opset < 13 ? x.Rank - 1 : _random.Next(x.Rank);
        if (Chance(3))
        {
            Value largest = Reduce(graph, "ReduceMax", x.Value, axis, keeps: true), power = Add(graph, "Exp", Add(graph, "Sub", x.Value, largest));
            return new Tensor(Add(graph, "Div", power, Reduce(graph, "ReduceSum", power, axis, keeps: true)), x.Shape);
        }
        // The logarithm of a probability that rounds to 0 is an infinity that LogSoftmax does not have.
        return Chance(3) ? new Tensor(Add(graph, "Log", Add(graph, "Softmax", Add(graph, "Tanh", x.Value), ("axis", axis))), x.Shape) : new Tensor(Add(graph, "Softmax", x.Value, ("axis", axis)), x.Shape);
    }

    private Tensor Composite(Graph graph, Tensor x)
    {
        Value Number(float number) => Constant(graph, TensorData.Scalar(number));
        Value v = x.Value;
        Value result = _random.Next(8) switch
        {
            0 => Add(graph, "Mul", Add(graph, "Mul", v, Add(graph, "Add", Add(graph, "Erf", Add(graph, "Div", v, Number(1.4142135f))), Number(1))), Number(0.5f)),
            1 => Add(graph, "Mul", v, Add(graph, "Sigmoid", v)),
            2 => Add(graph, "Div", Add(graph, "Mul", v, Add(graph, "Clip", Add(graph, "Add", v, Number(3)), Number(0), Number(6))), Number(6)),
            3 => Add(graph, "Mul", v, Add(graph, "Tanh", Add(graph, "Softplus", v))),
            4 => Add(graph, "Mul", v, Add(graph, "Sigmoid", Add(graph, "Mul", v, Number(1.702f)))),
            5 => Add(graph, "Mul", Add(graph, "Mul", v, Number(0.5f)), Add(graph, "Add", Add(graph, "Tanh", Add(graph, "Mul", Add(graph, "Add", v, Add(graph, "Mul", Number(0.044715f), Add(graph, "Pow", v, Number(3)))), Number(0.7978846f))), Number(1))),
            6 => Add(graph, "Div", v, Add(graph, "Add", Add(graph, "Abs", v), Number(1))),
            _ => Add(graph, "Div", Add(graph, "Clip", Add(graph, "Add", v, Number(3)), Number(0), Number(6)), Number(6)),
        };
        return new Tensor(result, x.Shape);
    }

    private Tensor? Normalized(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        int axis = Chance(3) ? _random.Next(x.Rank) : x.Rank - 1;
        Value scale = Constant(graph, Numbers([x.Shape[^1]])), shift = Constant(graph, Numbers([x.Shape[^1]])), epsilon = Constant(graph, TensorData.Scalar(1e-3f));
        Value result;
        if (Chance(3))
        {
            Value square = Add(graph, "Sqrt", Add(graph, "Add", Reduce(graph, "ReduceMean", Add(graph, "Mul", x.Value, x.Value), axis, keeps: true), epsilon));
            result = Add(graph, "Mul", Add(graph, "Div", x.Value, square), scale);
        }
        else
        {
            Value difference = Add(graph, "Sub", x.Value, Reduce(graph, "ReduceMean", x.Value, axis, keeps: true));
            Value power = Chance(2) ? Add(graph, "Mul", difference, difference) : Add(graph, "Pow", difference, Constant(graph, TensorData.Scalar(2f)));
            Value normal = Add(graph, "Div", difference, Add(graph, "Sqrt", Add(graph, "Add", Reduce(graph, "ReduceMean", power, axis, keeps: true), epsilon)));
            result = Chance(4) ? normal : Add(graph, "Add", Add(graph, "Mul", normal, scale), shift);
        }
        return new Tensor(result, x.Shape);
    }

    private Tensor? Attention(Graph graph, Tensor x)
    {
        if (x.Rank != 3 || x.Count == 0) return null;
        long width = x.Shape[2];
        Value q = Add(graph, "MatMul", x.Value, Constant(graph, Numbers([width, 4]))), k = Add(graph, "MatMul", x.Value, Constant(graph, Numbers([width, 4]))), v = Add(graph, "MatMul", x.Value, Constant(graph, Numbers([width, 4])));
        Value turned = Transpose(graph, new Tensor(k, [x.Shape[0], x.Shape[1], 4]), [0, 2, 1]).Value;
        Value scores = Add(graph, "MatMul", q, turned);
        if (Chance(2)) scores = Add(graph, Pick("Mul", "Div"), scores, Constant(graph, TensorData.Scalar(0.5f)));
        if (Chance(2)) scores = Add(graph, "Add", scores, Constant(graph, Numbers([x.Shape[1], x.Shape[1]])));
        return new Tensor(Add(graph, "MatMul", Add(graph, "Softmax", scores, ("axis", _opset < 13 ? 2 : -1)), v), [x.Shape[0], x.Shape[1], 4]);
    }

    /// <summary>Rotary embedding, halves or not quite.</summary>
    private Tensor? Rotated(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0 || x.Shape[^1] % 2 != 0) return null;
        long half = x.Shape[^1] / 2;
        int axis = x.Rank - 1;
        Value cos = Constant(graph, Numbers([x.Shape[^1]])), sin = Constant(graph, Numbers([x.Shape[^1]]));
        Tensor low = Slice(graph, x, axis, 0, half), high = Slice(graph, x, axis, half, long.MaxValue);
        Value turned = Add(graph, "Concat", [Add(graph, "Neg", high.Value), low.Value], ("axis", Chance(2) ? -1 : axis));
        return new Tensor(Add(graph, "Add", Add(graph, "Mul", x.Value, cos), Add(graph, "Mul", turned, sin)), x.Shape);
    }

    /// <summary>A Reshape or Expand whose target is computed from shapes.</summary>
    private Tensor? ByShape(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        Value shape = Add(graph, "Shape", x.Value);
        Value first = Add(graph, "Gather", [shape, Constant(graph, TensorData.Vector<long>(0))], ("axis", 0));
        if (Chance(3)) return new Tensor(Add(graph, "Expand", x.Value, shape), x.Shape);
        Value target = Add(graph, "Concat", [first, Constant(graph, TensorData.Vector<long>(-1))], ("axis", 0));
        return new Tensor(Add(graph, "Reshape", x.Value, target), [x.Shape[0], x.Count / x.Shape[0]]);
    }

    /// <summary>What depends on constants alone.</summary>
    private Tensor Folded(Graph graph, Tensor x)
    {
        Value a = Constant(graph, Numbers([])), b = Constant(graph, Numbers(Chance(2) ? [] : [1]));
        Value c = Add(graph, Pick("Add", "Mul"), Add(graph, "Neg", a), b);
        long[] shape = x.Rank == 0 && c.Producer!.Inputs.Any(i => i?.Data?.Rank == 1) ? [1] : x.Shape;
        return new Tensor(Add(graph, "Add", x.Value, c), shape);
    }

    private Tensor Branches(Graph graph, List<Tensor> values, Tensor x)
    {
        Value condition = _exotic || Chance(2) ? Constant(graph, TensorData.From<bool>([Chance(2)], []))
            : Add(graph, "Greater", Add(graph, "ReduceMax", [Add(graph, "Concat", [Add(graph, "Reshape", x.Value, Constant(graph, TensorData.Vector<long>(-1))), Constant(graph, TensorData.Vector<float>(0))], ("axis", 0))], ("keepdims", 0)), Constant(graph, TensorData.Scalar(0.5f)));
        bool same = Chance(4);
        string[] types = [Pick(s_unary), Pick(s_unary)];
        Value result = Add(graph, "If", condition);
        foreach (string name in new[] { "then_branch", "else_branch" })
        {
            Graph branch = new(name);
            result.Producer!.Attributes.Set(IrAttribute.Subgraph(name, branch));
            List<Tensor> inner = [.. values.Where(v => v.Shape.SequenceEqual(x.Shape))];
            int before = inner.Count;
            if (!same)
            {
                for (int i = _random.Next(3); i > 0; i--) Step(branch, inner, depth: 1);
            }
            Tensor last = inner.LastOrDefault(v => v.Value.Graph == branch && v.Shape.SequenceEqual(x.Shape)) ?? Unary(branch, types[same || name == "then_branch" ? 0 : 1], x);
            branch.AddOutput(last.Value);
        }
        return new Tensor(result, x.Shape);
    }

    private Tensor Loop(Graph graph, Tensor x)
    {
        bool collects = Chance(3);
        Value count = Constant(graph, TensorData.Scalar<long>(Pick(1, 2, 3, 50)));
        Node loop = graph.AddNode("Loop", [count, Chance(2) ? null : Constant(graph, TensorData.From<bool>([true], [])), x.Value], collects ? [Name(), Name()] : [Name()]);
        Graph body = new("body");
        loop.Attributes.Set(IrAttribute.Subgraph("body", body));
        Value round = body.AddInput(Name(), new TensorType(DataType.Int64, SymbolicShape.Scalar)), goesOn = body.AddInput(Name(), new TensorType(DataType.Bool, SymbolicShape.Scalar));
        Value state = body.AddInput(Name(), new TensorType(DataType.Float32, new SymbolicShape(new DimExpr?[x.Rank])));
        Value next = Add(body, "Tanh", Add(body, "Add", state, Chance(2) ? x.Value : Add(body, "Cast", round, ("to", 1))));
        body.AddOutput(Chance(2) ? Add(body, "Identity", goesOn) : Add(body, "Or", goesOn, goesOn));
        body.AddOutput(next);
        if (!collects) return new Tensor(loop.Outputs[0]!, x.Shape);
        body.AddOutput(Add(body, "Neg", next));
        long rounds = count.Data?.AsSpan<long>()[0] ?? count.Producer!.Attributes.Tensor("value")!.AsSpan<long>()[0];
        return new Tensor(loop.Outputs[1]!, [rounds, .. x.Shape]);
    }
}
