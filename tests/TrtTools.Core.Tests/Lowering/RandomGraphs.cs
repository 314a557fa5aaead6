using System.Globalization;
using System.Text;

namespace TrtTools.Tests.Lowering;

/// <summary>Graphs of random operators over random shapes, as text: valid by construction, with branches, values read several times, and values inside that are outputs.</summary>
internal sealed class RandomGraphs(int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<(string Name, int[] Shape)> _values = [];
    private readonly StringBuilder _text = new();
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private int _names;

    public string Make()
    {
        List<string> inputs = [];
        for (int i = 0; i < _random.Next(1, 4); i++)
        {
            int[] shape = [.. Enumerable.Range(0, _random.Next(1, 5)).Select(_ => _random.Next(1, 6))];
            _values.Add(($"x{i}", shape));
            inputs.Add($"x{i}: Float32[{string.Join(',', shape)}]");
        }
        int nodes = _random.Next(2, 14);
        while (_values.Count < inputs.Count + nodes) AddNode();
        // What nothing reads, and now and then what something reads too.
        IEnumerable<string> outputs = _values.Skip(inputs.Count).Where(v => !_read.Contains(v.Name) || _random.Next(8) == 0).Select(v => v.Name);
        return $"<opset 17> {string.Join(", ", inputs)} -> {string.Join(", ", outputs)} {{ {_text}}}";
    }

    private static string List(IEnumerable<int> values) => $"[{string.Join(", ", values)}]";

    private string Name() => string.Create(CultureInfo.InvariantCulture, $"v{_names++}");

    private (string Name, int[] Shape) Pick()
    {
        // Later values more often, so that chains form.
        int at = Math.Max(_random.Next(_values.Count), _random.Next(_values.Count));
        _read.Add(_values[at].Name);
        return _values[at];
    }

    private (string Name, int[] Shape)? Pick(Func<int[], bool> fits)
    {
        List<(string Name, int[] Shape)> all = [.. _values.Where(v => fits(v.Shape))];
        if (all.Count == 0) return null;
        (string Name, int[] Shape) found = all[Math.Max(_random.Next(all.Count), _random.Next(all.Count))];
        _read.Add(found.Name);
        return found;
    }

    private void Emit(string node, params int[] shape)
    {
        if (shape.Aggregate(1, (a, b) => a * b) > 4000) return;
        string name = Name();
        _text.Append(CultureInfo.InvariantCulture, $"{name} = {node}; ");
        _values.Add((name, shape));
    }

    private string Constant(params int[] shape)
    {
        string name = "c" + Name();
        _text.Append(CultureInfo.InvariantCulture, $"{name} = Float32[{string.Join(',', shape)}] random({_random.Next(1000)}); ");
        return name;
    }

    private string Integers(params int[] values)
    {
        string name = "c" + Name();
        _text.Append(CultureInfo.InvariantCulture, $"{name} = Int64[{values.Length}] {List(values)}; ");
        return name;
    }

    private void AddNode()
    {
        switch (_random.Next(22))
        {
            case 0 or 1 or 2:
                (string x, int[] shape) = Pick();
                string[] unary = ["Relu", "Sigmoid", "Tanh", "Abs", "Neg", "HardSwish", "Erf", "Softplus", "Floor", "Elu"];
                Emit($"{unary[_random.Next(unary.Length)]}({x})", shape);
                break;
            case 3 or 4 or 5: Binary(); break;
            case 6: Transpose(); break;
            case 7 or 8: Reshape(); break;
            case 9: Slice(); break;
            case 10 or 11: Concat(); break;
            case 12: Reduce(); break;
            case 13:
                (string s, int[] of) = Pick();
                Emit($"{(_random.Next(3) == 0 ? "LogSoftmax" : "Softmax")}{{axis={_random.Next(of.Length)}}}({s})", of);
                break;
            case 14 or 15: Product(); break;
            case 16 or 17: Convolution(); break;
            case 18: Pool(); break;
            case 19:
                (string g, int[] table) = Pick();
                int axis = _random.Next(table.Length), count = _random.Next(1, 4);
                Emit($"Gather{{axis={axis}}}({g}, {Integers([.. Enumerable.Range(0, count).Select(_ => _random.Next(-table[axis], table[axis]))])})", [.. table.Take(axis), count, .. table.Skip(axis + 1)]);
                break;
            case 20:
                (string p, int[] padded) = Pick();
                int[] before = [.. padded.Select(_ => _random.Next(0, 2))], after = [.. padded.Select(_ => _random.Next(0, 2))];
                Emit($"Pad({p}, {Integers([.. before, .. after])})", [.. padded.Select((d, i) => d + before[i] + after[i])]);
                break;
            default:
                (string n, int[] row) = Pick();
                Emit($"LayerNormalization({n}, {Constant(row[^1])}, {Constant(row[^1])})", row);
                break;
        }
    }

    private void Binary()
    {
        (string x, int[] shape) = Pick();
        string[] functions = ["Add", "Mul", "Sub", "Max", "Min"];
        string function = functions[_random.Next(functions.Length)];
        if (Pick(other => Broadcast(shape, other) is not null) is { } y && _random.Next(3) > 0)
        {
            Emit(_random.Next(2) == 0 ? $"{function}({x}, {y.Name})" : $"{function}({y.Name}, {x})", Broadcast(shape, y.Shape)!);
            return;
        }
        int[] own = [.. shape.Skip(_random.Next(shape.Length)).Select(d => _random.Next(2) == 0 ? 1 : d)];
        Emit($"{function}({x}, {Constant(own)})", shape);
    }

    private static int[]? Broadcast(int[] a, int[] b)
    {
        int rank = Math.Max(a.Length, b.Length);
        int[] result = new int[rank];
        for (int i = 0; i < rank; i++)
        {
            int x = i < rank - a.Length ? 1 : a[i - rank + a.Length], y = i < rank - b.Length ? 1 : b[i - rank + b.Length];
            if (x != y && x != 1 && y != 1) return null;
            result[i] = Math.Max(x, y);
        }
        return result;
    }

    private void Transpose()
    {
        (string x, int[] shape) = Pick();
        int[] order = [.. Enumerable.Range(0, shape.Length)];
        _random.Shuffle(order);
        Emit($"Transpose{{perm={List(order)}}}({x})", [.. order.Select(o => shape[o])]);
    }

    private void Reshape()
    {
        (string x, int[] shape) = Pick();
        List<int> factors = [];
        foreach (int d in shape)
        {
            int rest = d;
            for (int f = 2; f <= rest; f++)
            {
                while (rest % f == 0)
                {
                    factors.Add(f);
                    rest /= f;
                }
            }
        }
        List<int> target = [];
        int at = 0;
        while (at < factors.Count)
        {
            int take = _random.Next(1, factors.Count - at + 1);
            target.Add(factors.Skip(at).Take(take).Aggregate(1, (a, b) => a * b));
            at += take;
        }
        if (_random.Next(3) == 0 || target.Count == 0) target.Insert(_random.Next(target.Count + 1), 1);
        if (target.Count > 5) return;
        Emit($"Reshape({x}, {Integers([.. target])})", [.. target]);
    }

    private void Slice()
    {
        if (Pick(s => s.Any(d => d > 1)) is not { } x) return;
        int axis = Array.FindIndex(x.Shape, d => d > 1), extent = x.Shape[axis], step = _random.Next(1, 3), start = _random.Next(extent), end = _random.Next(start + 1, extent + 1);
        if (_random.Next(4) == 0)
        {
            Emit($"Slice({x.Name}, {Integers(-1)}, {Integers(-1000)}, {Integers(axis)}, {Integers(-1)})", x.Shape);
            return;
        }
        Emit($"Slice({x.Name}, {Integers(start)}, {Integers(end)}, {Integers(axis)}, {Integers(step)})", [.. x.Shape.Take(axis), (end - start + step - 1) / step, .. x.Shape.Skip(axis + 1)]);
    }

    private void Concat()
    {
        (string x, int[] shape) = Pick();
        int axis = _random.Next(shape.Length), total = shape[axis];
        List<string> parts = [x];
        for (int i = 0; i < _random.Next(1, 3); i++)
        {
            if (Pick(o => o.Length == shape.Length && o.Select((d, k) => k == axis || d == shape[k]).All(e => e)) is not { } y) continue;
            parts.Add(y.Name);
            total += y.Shape[axis];
        }
        Emit($"Concat{{axis={axis}}}({string.Join(", ", parts)})", [.. shape.Take(axis), total, .. shape.Skip(axis + 1)]);
    }

    private void Reduce()
    {
        (string x, int[] shape) = Pick();
        int axis = _random.Next(shape.Length);
        bool keeps = shape.Length == 1 || _random.Next(2) == 0;
        string[] functions = ["ReduceMean", "ReduceMax", "ReduceL2", "ReduceMin"];
        Emit($"{functions[_random.Next(functions.Length)]}{{axes=[{axis}], keepdims={(keeps ? 1 : 0)}}}({x})", keeps ? [.. shape.Take(axis), 1, .. shape.Skip(axis + 1)] : [.. shape.Where((_, d) => d != axis)]);
    }

    private void Product()
    {
        if (Pick(s => s.Length > 1) is not { } x) return;
        if (_random.Next(3) == 0 && Pick(s => s.Length == x.Shape.Length && s[^2] == x.Shape[^1] && s.SkipLast(2).SequenceEqual(x.Shape.SkipLast(2))) is { } y)
        {
            Emit($"MatMul({x.Name}, {y.Name})", [.. x.Shape.SkipLast(1), y.Shape[^1]]);
            return;
        }
        int columns = _random.Next(1, 6);
        string product = Name(), matrix = Constant(x.Shape[^1], columns);
        _text.Append(CultureInfo.InvariantCulture, $"{product} = MatMul({x.Name}, {matrix}); ");
        _values.Add((product, [.. x.Shape.SkipLast(1), columns]));
        if (_random.Next(2) == 0)
        {
            _read.Add(product);
            Emit($"Add({product}, {Constant(columns)})", [.. x.Shape.SkipLast(1), columns]);
        }
    }

    private void Convolution()
    {
        if (Pick(s => s.Length == 4) is not { } x) return;
        int kernel = _random.Next(1, 4), pad = kernel / 2, stride = _random.Next(1, 3);
        bool depthwise = _random.Next(4) == 0;
        int channels = depthwise ? x.Shape[1] : _random.Next(1, 6), height = ((x.Shape[2] + (2 * pad) - kernel) / stride) + 1, width = ((x.Shape[3] + (2 * pad) - kernel) / stride) + 1;
        if (height < 1 || width < 1) return;
        Emit($"Conv{{pads=[{pad},{pad},{pad},{pad}], strides=[{stride},{stride}], group={(depthwise ? channels : 1)}}}({x.Name}, {Constant(channels, depthwise ? 1 : x.Shape[1], kernel, kernel)}, {Constant(channels)})", x.Shape[0], channels, height, width);
    }

    private void Pool()
    {
        if (Pick(s => s.Length == 4 && s[2] > 1 && s[3] > 1) is not { } x) return;
        switch (_random.Next(3))
        {
            case 0: Emit($"GlobalAveragePool({x.Name})", x.Shape[0], x.Shape[1], 1, 1); break;
            case 1: Emit($"MaxPool{{kernel_shape=[2,2], pads=[0,0,1,1]}}({x.Name})", x.Shape); break;
            default: Emit($"AveragePool{{kernel_shape=[3,3], pads=[1,1,1,1]}}({x.Name})", x.Shape); break;
        }
    }
}
