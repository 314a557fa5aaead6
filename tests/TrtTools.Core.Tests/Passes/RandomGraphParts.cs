using TrtTools.Ir;
using TrtTools.Tensors;
using IrAttribute = TrtTools.Ir.Attribute;

namespace TrtTools.Tests.Passes;

/// <summary>Composites in pieces, quantized layers, functions, and Ifs that only one way can go.</summary>
internal sealed partial class RandomGraph
{
    private readonly List<Function> _functions = [];

    /// <summary>A matrix that a product reads transposed.</summary>
    private Tensor? TransposedProduct(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        Tensor matrix = Matrix(graph, x), turned = Transpose(graph, matrix, [1, 0]);
        long results = Pick(3, 4);
        Value product = Add(graph, Pick("Gemm", "MatMul"), turned.Value, Constant(graph, Numbers([matrix.Shape[0], results])));
        // Sometimes somebody else needs it transposed.
        if (Chance(6) && graph == _body) _values.Add(turned);
        return new Tensor(product, [matrix.Shape[1], results]);
    }

    private Tensor Matrix(Graph graph, Tensor x) => x.Rank == 2 ? x : new Tensor(Add(graph, "Flatten", x.Value, ("axis", 1)), [x.Shape[0], x.Count / x.Shape[0]]);

    /// <summary>L2-normalize and log-softmax as exporters write them.</summary>
    private Tensor? AlongAxis(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        int axis = _random.Next(x.Rank);
        Value epsilon = Constant(graph, TensorData.Scalar(1e-3f));
        switch (_random.Next(4))
        {
            case 0:
                Value root = Add(graph, "Sqrt", Add(graph, "Add", Reduce(graph, "ReduceSum", Add(graph, "Mul", x.Value, x.Value), axis, keeps: true), epsilon));
                return new Tensor(Add(graph, "Div", x.Value, root), x.Shape);
            case 1:
                Value length = Reduce(graph, "ReduceL2", x.Value, axis, keeps: true);
                return new Tensor(Add(graph, "Div", x.Value, Chance(2) ? Add(graph, "Clip", length, epsilon) : Add(graph, "Max", length, epsilon)), x.Shape);
            default:
                Value lowered = Add(graph, "Sub", x.Value, Reduce(graph, "ReduceMax", x.Value, axis, keeps: true));
                return new Tensor(Add(graph, "Sub", lowered, Add(graph, "Log", Reduce(graph, "ReduceSum", Add(graph, "Exp", lowered), axis, keeps: true))), x.Shape);
        }
    }

    /// <summary>Normalizations of pictures: over groups of channels, and over the places of each channel.</summary>
    private Tensor? NormalizedPicture(Graph graph, Tensor x)
    {
        if (x.Rank != 4 || x.Count == 0 || x.Shape[1] < 2) return null;
        long channels = x.Shape[1];
        Value scale = Constant(graph, Numbers([channels, 1, 1])), shift = Constant(graph, Numbers([channels, 1, 1]));
        Value normal;
        if (Chance(2))
        {
            if (channels % 2 != 0) return null;
            Value grouped = Add(graph, "Reshape", x.Value, Constant(graph, TensorData.Vector<long>([0, 2, -1])));
            Value each = Add(graph, "InstanceNormalization", grouped, Constant(graph, Filled([2], 1)), Constant(graph, Filled([2], 0)));
            normal = Add(graph, "Reshape", each, Constant(graph, TensorData.Vector<long>(x.Shape)));
        }
        else
        {
            Value difference = Add(graph, "Sub", x.Value, ReducePlaces(graph, x.Value)), square = Add(graph, "Mul", difference, difference);
            normal = Add(graph, "Div", difference, Add(graph, "Sqrt", Add(graph, "Add", ReducePlaces(graph, square), Constant(graph, TensorData.Scalar(1e-3f)))));
        }
        Value scaled = Add(graph, "Mul", normal, scale);
        return new Tensor(Chance(4) ? scaled : Add(graph, "Add", scaled, shift), x.Shape);
    }

    private Value ReducePlaces(Graph graph, Value x)
    {
        if (_opset >= 18) return Add(graph, "ReduceMean", x, Constant(graph, TensorData.Vector<long>(2, 3)));
        Value value = Add(graph, "ReduceMean", x);
        value.Producer!.Attributes.Set(IrAttribute.Ints("axes", 2, 3));
        return value;
    }

    private Tensor? Squeezed(Graph graph, Tensor x)
    {
        if (x.Rank != 4 || x.Count == 0) return null;
        long channels = x.Shape[1];
        Value pooled = Add(graph, "GlobalAveragePool", x.Value);
        Value small = Add(graph, "Relu", Add(graph, "Conv", pooled, Constant(graph, Numbers([2, channels, 1, 1]))));
        Value gate = Add(graph, Pick("Sigmoid", "HardSigmoid"), Add(graph, "Conv", small, Constant(graph, Numbers([channels, 2, 1, 1])), Constant(graph, Numbers([channels]))));
        return new Tensor(Add(graph, "Mul", x.Value, gate), x.Shape);
    }

    /// <summary>Attention to what came before too.</summary>
    private Tensor? CachedAttention(Graph graph, Tensor x)
    {
        if (x.Rank != 3 || x.Count == 0) return null;
        (long batch, long length, long width) = (x.Shape[0], x.Shape[1], x.Shape[2]);
        Value Project() => Add(graph, "MatMul", x.Value, Constant(graph, Numbers([width, 4])));
        Value q = Project(), k = Add(graph, "Concat", [Constant(graph, Numbers([batch, 2, 4])), Project()], ("axis", 1)), v = Add(graph, "Concat", [Constant(graph, Numbers([batch, 2, 4])), Project()], ("axis", 1));
        long[] whole = [batch, length + 2, 4];
        Value scores = Add(graph, "MatMul", q, Transpose(graph, new Tensor(k, whole), [0, 2, 1]).Value);
        if (Chance(2)) scores = Add(graph, Pick("Mul", "Div"), scores, Constant(graph, TensorData.Scalar(0.5f)));
        if (graph == _body && Chance(2)) _values.Add(new Tensor(k, whole));
        return new Tensor(Add(graph, "MatMul", Add(graph, "Softmax", scores, ("axis", _opset < 13 ? 2 : -1)), v), [batch, length, 4]);
    }

    /// <summary>Four query heads over two heads of keys and values.</summary>
    private Tensor? SharedHeads(Graph graph, Tensor x)
    {
        if (x.Rank != 4 || x.Count == 0 || x.Shape[1] != 4) return null;
        (long batch, long length, long width) = (x.Shape[0], x.Shape[2], x.Shape[3]);
        Tensor half = Slice(graph, x, 1, 0, 2);
        Value Shared(Value one)
        {
            Value wide = Add(graph, "Expand", Unsqueeze(graph, one, 2), Constant(graph, TensorData.Vector<long>(batch, 2, 2, length, width)));
            return Add(graph, "Reshape", wide, Constant(graph, TensorData.Vector<long>(x.Shape)));
        }
        Value keys = Transpose(graph, new Tensor(Shared(Add(graph, "Tanh", half.Value)), x.Shape), [0, 1, 3, 2]).Value, values = Shared(Add(graph, "Neg", half.Value));
        Value scores = Add(graph, "MatMul", x.Value, keys);
        if (Chance(2)) scores = Add(graph, "Mul", scores, Constant(graph, TensorData.Scalar(0.5f)));
        return new Tensor(Add(graph, "MatMul", Add(graph, "Softmax", scores, ("axis", _opset < 13 ? 3 : -1)), values), x.Shape);
    }

    /// <summary>A step between DequantizeLinear and QuantizeLinear. It reads an input of the model: what another rounding before it would move by a step is nothing to compare.</summary>
    private Tensor? Quantized(Graph graph)
    {
        Tensor x = _values[0];
        if (x.Count == 0) return null;
        Value scale = Constant(graph, TensorData.Scalar(0.02f)), zero = Constant(graph, TensorData.FromBytes(DataType.Int8, [], new byte[1]));
        Value Dequantized(Value value) => Add(graph, "DequantizeLinear", Add(graph, "QuantizeLinear", value, scale, zero), scale, zero);
        Value source = Dequantized(x.Value);
        Tensor y;
        if (x.Rank == 4 && x.Shape[1] > 0 && x.Shape[2] >= 3 && x.Shape[3] >= 3 && Chance(2))
        {
            byte[] bytes = new byte[3 * x.Shape[1] * 9];
            _random.NextBytes(bytes);
            Value weights = Add(graph, "DequantizeLinear", Constant(graph, TensorData.FromBytes(DataType.Int8, [3, x.Shape[1], 3, 3], bytes)), Constant(graph, TensorData.Scalar(0.01f)), zero);
            y = new Tensor(Add(graph, "Conv", source, weights), [x.Shape[0], 3, x.Shape[2] - 2, x.Shape[3] - 2]);
            if (Chance(2)) y = Unary(graph, "Relu", y);
        }
        else
        {
            y = _random.Next(3) switch
            {
                0 => new Tensor(Add(graph, "Add", source, Dequantized(Add(graph, "Neg", x.Value))), x.Shape),
                1 => new Tensor(Add(graph, "Concat", [source, source], ("axis", 0)), Resized(x.Shape, 0, x.Shape[0] * 2)),
                _ => Unary(graph, Pick("Sigmoid", "LeakyRelu"), new Tensor(source, x.Shape)),
            };
        }
        if (Chance(6)) return y;
        if (Chance(4)) return new Tensor(Dequantized(Add(graph, "DequantizeLinear", Add(graph, "QuantizeLinear", y.Value, scale, zero), scale, zero)), y.Shape);
        Tensor moved = Chance(2) && y.Rank > 1 ? Transpose(graph, y, Shuffled(y.Rank)) : y;
        Tensor again = new(Dequantized(moved.Value), moved.Shape);
        return Chance(2) && again.Count > 0 ? new Tensor(Add(graph, "Reshape", again.Value, Constant(graph, TensorData.Vector<long>(-1))), [again.Count]) : again;
    }

    /// <summary>A call of a function of the model's own.</summary>
    private Tensor Called(Graph graph, Tensor x)
    {
        if (_functions.Count == 0)
        {
            Graph body = new("Twice");
            Value formal = body.AddInput("x", null);
            body.AddOutput(body.AddNode("Add", [body.AddNode(Pick("Relu", "Tanh"), [formal], ["t"]).Output(), formal], ["y"]).Output()!);
            Function function = new("local", "Twice", "", body);
            function.Opset[""] = _opset;
            _functions.Add(function);
        }
        return new Tensor(graph.AddNode("Twice", [x.Value], [Name()], "local").Output()!, x.Shape);
    }

    /// <summary>An If whose branches differ in rank, before what takes only one of them.</summary>
    private Tensor? OneWay(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        Tensor matrix = Matrix(graph, x);
        Value flat = Add(graph, "Concat", [Add(graph, "Reshape", x.Value, Constant(graph, TensorData.Vector<long>(-1))), Constant(graph, TensorData.Vector<float>(0))], ("axis", 0));
        Value condition = Add(graph, "Greater", Add(graph, "ReduceMax", [flat], ("keepdims", 0)), Constant(graph, TensorData.Scalar(-1f)));
        Value either = Add(graph, "If", condition);
        Graph then = new("then_branch"), other = new("else_branch");
        either.Producer!.Attributes.Set(IrAttribute.Subgraph("then_branch", then));
        either.Producer.Attributes.Set(IrAttribute.Subgraph("else_branch", other));
        then.AddOutput(Add(then, "Neg", matrix.Value));
        other.AddOutput(Unsqueeze(other, matrix.Value, 0));
        return new Tensor(Add(graph, "Gemm", either, Constant(graph, Numbers([matrix.Shape[1], 3]))), [matrix.Shape[0], 3]);
    }

    /// <summary>Products written as Einsum, and what scales or shifts a product's input.</summary>
    private Tensor? Product(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        Tensor matrix = Matrix(graph, x);
        (long rows, long inner) = (matrix.Shape[0], matrix.Shape[1]);
        if (Chance(2))
        {
            (string equation, long[] weights, long[] shape) = Pick<(string, long[], long[])>(("ik,kj->ij", [inner, 3], [rows, 3]), ("ik,jk->ij", [3, inner], [rows, 3]), ("ik,kj->ji", [inner, 3], [3, rows]), ("ik,kj->j", [inner, 3], [3]));
            Value product = Add(graph, "Einsum", matrix.Value, Constant(graph, Numbers(weights)));
            product.Producer!.Attributes.Set(new IrAttribute("equation", AttributeKind.String, System.Text.Encoding.UTF8.GetBytes(equation)));
            return new Tensor(product, shape);
        }
        string step = Pick("Mul", "Div", "Add", "Sub");
        Value scaled = Add(graph, step, matrix.Value, Constant(graph, Numbers(Pick<long[]>([], [inner], [1, inner]), away: true)));
        bool turned = Chance(2);
        Value result = Chance(3) ? Add(graph, "MatMul", scaled, Constant(graph, Numbers([inner, 3])))
            : Chance(2) ? Add(graph, "Gemm", [scaled, Constant(graph, Numbers(turned ? [3, inner] : [inner, 3]))], ("transB", turned ? 1 : 0))
            : Add(graph, "Gemm", [scaled, Constant(graph, Numbers(turned ? [3, inner] : [inner, 3])), Constant(graph, Numbers([3]))], ("transB", turned ? 1 : 0));
        return new Tensor(result, [rows, 3]);
    }

    /// <summary>Reductions in pieces.</summary>
    private Tensor? Summed(Graph graph, Tensor x)
    {
        if (x.Rank < 2 || x.Count == 0) return null;
        int axis = _random.Next(x.Rank);
        Value Sum(Value value) => Reduce(graph, "ReduceSum", value, axis, keeps: true);
        Value v = x.Value, result;
        switch (_random.Next(6))
        {
            case 0: result = Add(graph, "Log", Sum(Add(graph, "Exp", Add(graph, "Tanh", v)))); break;
            case 1:
                Value largest = Reduce(graph, "ReduceMax", v, axis, keeps: true);
                result = Add(graph, "Add", Add(graph, "Log", Sum(Add(graph, "Exp", Add(graph, "Sub", v, largest)))), largest);
                break;
            case 2: result = Add(graph, "Log", Sum(Add(graph, "Add", Add(graph, "Relu", v), Constant(graph, TensorData.Scalar(1f))))); break;
            case 3: result = Add(graph, "Sqrt", Sum(Add(graph, "Mul", v, v))); break;
            case 4: result = Sum(Add(graph, "Mul", v, v)); break;
            default: result = Sum(Add(graph, "Abs", v)); break;
        }
        return new Tensor(result, Resized(x.Shape, axis, 1));
    }

    /// <summary>A depthwise convolution and a pointwise one.</summary>
    private Tensor? Separable(Graph graph, Tensor x)
    {
        if (x.Rank != 4 || x.Count == 0 || x.Shape[1] < 2 || x.Shape[2] < 3 || x.Shape[3] < 3) return null;
        long channels = x.Shape[1];
        Value depthwise = Add(graph, "Conv", [x.Value, Constant(graph, Numbers([channels, 1, 3, 3]))], ("group", channels));
        Value between = Chance(2) ? Add(graph, Pick("Relu", "Sigmoid"), depthwise) : depthwise;
        Tensor y = new(Add(graph, "Conv", between, Constant(graph, Numbers([3, channels, 1, 1]))), [x.Shape[0], 3, x.Shape[2] - 2, x.Shape[3] - 2]);
        return Chance(2) ? y : Unary(graph, "Relu", y);
    }
}
