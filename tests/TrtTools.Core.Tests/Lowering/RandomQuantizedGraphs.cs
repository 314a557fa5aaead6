using System.Globalization;
using System.Text;

namespace TrtTools.Tests.Lowering;

/// <summary>Random networks of Q/DQ: convolutions, products, pools, sums and joins of images, with a quantization behind most layers and float layers between.</summary>
internal sealed class RandomQuantizedGraphs(int seed)
{
    public const double LargestStep = 0.025;

    private const double LeastStep = 0.005;

    private readonly Random _random = new(seed);
    private readonly StringBuilder _text = new();
    // An image as float, with its channels and side.
    private readonly List<(string Name, int Channels, int Side)> _values = [];
    private int _names;

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private string Emit(FormattableString node)
    {
        string name = Number($"t{_names++}");
        _text.Append(Number($"{name} = {Number(node)}; "));
        return name;
    }

    private string Scalar(double value) => Emit($"Float32 {value.ToString("F6", CultureInfo.InvariantCulture)}");

    /// <summary>Rounds a value to eight bits and back.</summary>
    private string Quantize(string value, double scale)
    {
        bool isUnsigned = _random.Next(4) == 0;
        string step = Scalar(scale), zero = isUnsigned ? Emit($"UInt8 {_random.Next(100, 156)}") : Emit($"Int8 {(_random.Next(3) == 0 ? _random.Next(-20, 20) : 0)}");
        return Emit($"DequantizeLinear({Emit($"QuantizeLinear({value}, {step}, {zero})")}, {step}, {zero})");
    }

    private string Filter(int to, params int[] rest)
    {
        int summed = rest.Aggregate(1, (a, b) => a * b);
        // Integers from -8 to 7 stand for numbers that keep a sum's size.
        double scale = 0.25 / Math.Sqrt(summed);
        string content = Emit($"Int8[{to},{string.Join(',', rest)}] random({_random.Next(1000)})");
        if (_random.Next(2) == 0) return Emit($"DequantizeLinear({content}, {Scalar(scale)}, {Emit($"Int8 0")})");
        string steps = Emit($"Float32[{to}] [{string.Join(", ", Enumerable.Range(0, to).Select(_ => (scale * (0.5 + _random.NextDouble())).ToString("F6", CultureInfo.InvariantCulture)))}]");
        return Emit($"DequantizeLinear{{axis=0}}({content}, {steps}, {Emit($"Int8[{to}] zeros")})");
    }

    private (string Name, int Channels, int Side) Pick() => _values[Math.Max(_random.Next(_values.Count), _random.Next(_values.Count))];

    public string Make()
    {
        int batch = _random.Next(1, 3), channels = _random.Next(1, 9), side = _random.Next(4, 9);
        _values.Add((Quantize("x", 0.01), channels, side));
        for (int layers = _random.Next(2, 8); layers > 0; layers--) Add(batch);
        string[] outputs = [.. _values.Skip(Math.Max(1, _values.Count - 2)).Select(v => v.Name)];
        if (outputs.Length == 0) outputs = [_values[0].Name];
        return Number($"<opset 17> x: Float32[{batch},{channels},{side},{side}] -> {string.Join(", ", outputs)} {{ {_text}}}");
    }

    private void Add(int batch)
    {
        (string x, int channels, int side) = Pick();
        (string result, int to, int size) = (x, channels, side);
        switch (_random.Next(7))
        {
            case 0 or 1 or 2:
                int kernel = side >= 3 && _random.Next(2) == 0 ? 3 : 1, stride = side >= 4 && _random.Next(3) == 0 ? 2 : 1;
                bool isDepthwise = channels > 1 && _random.Next(4) == 0;
                to = isDepthwise ? channels : _random.Next(1, 13);
                string bias = _random.Next(2) == 0 ? ", " + Emit($"Float32[{to}] random({_random.Next(1000)})") : "";
                result = Emit($"Conv{{pads=[{kernel / 2}, {kernel / 2}, {kernel / 2}, {kernel / 2}], strides=[{stride}, {stride}], group={(isDepthwise ? channels : 1)}}}({x}, {Filter(to, isDepthwise ? 1 : channels, kernel, kernel)}{bias})");
                size = ((side + (2 * (kernel / 2)) - kernel) / stride) + 1;
                if (_random.Next(2) == 0) result = Emit($"Relu({result})");
                break;
            case 3 when _values.FirstOrDefault(v => v.Channels == channels && v.Side == side && v.Name != x) is { Name: { } other }:
                result = Emit($"Add({x}, {other})");
                break;
            case 4 when _values.LastOrDefault(v => v.Side == side && v.Name != x) is { Name: { } next } found:
                result = Emit($"Concat{{axis=1}}({x}, {next})");
                to = channels + found.Channels;
                break;
            case 5 when side >= 3:
                result = Emit($"MaxPool{{kernel_shape=[3,3], pads=[1,1,1,1], strides=[1,1]}}({x})");
                break;
            case 6:
                string rows = Emit($"Transpose{{perm=[0,2,3,1]}}({x})"), columns = Emit($"Transpose{{perm=[1,0]}}({Filter(to = _random.Next(1, 9), channels)})");
                result = Emit($"Transpose{{perm=[0,3,1,2]}}({Emit($"MatMul({rows}, {columns})")})");
                break;
            default:
                result = Emit($"Sigmoid({x})");
                break;
        }
        if (_random.Next(4) > 0) result = Quantize(result, LeastStep + ((LargestStep - LeastStep) * _random.NextDouble()));
        _values.Add((result, to, size));
    }
}
