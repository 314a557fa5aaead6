using System.Globalization;
using System.Text;

namespace TrtTools.Tests.Lowering;

/// <summary>The networks that the benchmarks measure, as PyTorch's exporter writes them, narrow enough for the Reference device. Every extent that decides what can be joined is as odd or even as in the real ones.</summary>
internal sealed class NetworkTexts
{
    private readonly StringBuilder _text = new();
    private int _names;
    private int _seed = 1;

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private void Line(FormattableString line) => _text.Append("  ").Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');

    private string Value(FormattableString node)
    {
        string name = Number($"t{_names++}");
        Line($"{name} = {Number(node)}");
        return name;
    }

    private string Weight(params int[] shape) => Value($"Float32[{string.Join(',', shape)}] random({_seed++})");

    /// <summary>A filter or a matrix small enough that what goes through many of them neither grows nor vanishes.</summary>
    private string Scaled(int summed, params int[] shape) => Value($"Mul({Weight(shape)}, {Scalar(Math.Sqrt(3.0 / summed).ToString("F6", CultureInfo.InvariantCulture))})");

    private string Int64(params int[] values) => Value($"Int64[{values.Length}] [{string.Join(", ", values)}]");

    private string Index(int value) => Value($"Int64 {value}");

    private string Scalar(string value) => Value($"Float32 {value}");

    private string Linear(string x, int from, int to, bool biased = true)
    {
        string product = Value($"MatMul({x}, {Scaled(from, from, to)})");
        return biased ? Value($"Add({product}, {Weight(to)})") : product;
    }

    private string LayerNorm(string x, int width) => Value($"LayerNormalization{{axis=-1, epsilon=0.00001}}({x}, {Weight(width)}, {Weight(width)})");

    private string Reshape(string x, params int[] shape) => Value($"Reshape({x}, {Int64(shape)})");

    private string Conv(string x, int from, int to, int kernel = 1, int stride = 1, int group = 1, bool biased = true) =>
        biased ? Value($"Conv{{kernel_shape=[{kernel},{kernel}], strides=[{stride},{stride}], pads=[{kernel / 2},{kernel / 2},{kernel / 2},{kernel / 2}], group={group}}}({x}, {Scaled(from / group * kernel * kernel, to, from / group, kernel, kernel)}, {Weight(to)})")
        : Value($"Conv{{kernel_shape=[{kernel},{kernel}], strides=[{stride},{stride}], pads=[{kernel / 2},{kernel / 2},{kernel / 2},{kernel / 2}], group={group}}}({x}, {Scaled(from / group * kernel * kernel, to, from / group, kernel, kernel)})");

    /// <summary>scaled_dot_product_attention as the exporter takes it apart.</summary>
    private string Attention(string q, string k, string v, int batch, int heads, int keys, int size, string? mask = null)
    {
        string rows = Reshape(k, -1, keys, size), columns = Value($"Transpose{{perm=[0,2,1]}}({rows})"), key = Reshape(columns, batch, heads, size, keys), root = Scalar("0.59460354");
        string scores = Value($"MatMul({Value($"Mul({q}, {root})")}, {Value($"Mul({key}, {root})")})");
        if (mask is not null) scores = Value($"Add({scores}, {mask})");
        string shares = Value($"Softmax{{axis=-1}}({scores})");
        if (mask is not null) shares = Value($"Where({Value($"IsNaN({shares})")}, {Scalar("0.0")}, {shares})");
        return Value($"MatMul({shares}, {v})");
    }

    /// <summary>One token through a decoder, with keys and values in and one longer out.</summary>
    public static string Decoder(int layers = 3, int batch = 1, int past = 7, int heads = 2, int size = 8, int vocabulary = 11)
    {
        NetworkTexts n = new();
        int width = heads * size;
        string words = n.Weight(vocabulary, width), places = n.Weight(16, width), x = n.Value($"Add({n.Value($"Gather({words}, token)")}, {n.Value($"Gather({places}, position)")})");
        List<string> present = [];
        for (int layer = 0; layer < layers; layer++)
        {
            string cache = n.Value($"Gather{{axis=0}}(past, {n.Index(layer)})"), joint = n.Linear(n.LayerNorm(x, width), width, 3 * width);
            string[] parts = [.. Enumerable.Range(0, 3).Select(i => n.Value($"Slice({joint}, {n.Int64(i * width)}, {n.Int64((i + 1) * width)}, {n.Int64(2)}, {n.Int64(1)})"))];
            string[] own = [.. parts.Select(p => n.Value($"Transpose{{perm=[0,2,1,3]}}({n.Reshape(p, batch, 1, heads, size)})"))];
            string k = n.Value($"Concat{{axis=2}}({n.Value($"Gather{{axis=0}}({cache}, {n.Index(0)})")}, {own[1]})"), v = n.Value($"Concat{{axis=2}}({n.Value($"Gather{{axis=0}}({cache}, {n.Index(1)})")}, {own[2]})");
            string y = n.Value($"Transpose{{perm=[0,2,1,3]}}({n.Attention(own[0], k, v, batch, heads, past + 1, size)})");
            x = n.Value($"Add({x}, {n.Linear(n.Reshape(y, batch, 1, width), width, width)})");
            string wide = n.Linear(n.LayerNorm(x, width), width, 4 * width), cube = n.Value($"Pow({wide}, {n.Scalar("3.0")})");
            string inner = n.Value($"Mul({n.Value($"Add({wide}, {n.Value($"Mul({cube}, {n.Scalar("0.044715")})")})")}, {n.Scalar("0.7978845608")})");
            string gelu = n.Value($"Mul({n.Value($"Mul({wide}, {n.Scalar("0.5")})")}, {n.Value($"Add({n.Value($"Tanh({inner})")}, {n.Scalar("1.0")})")})");
            x = n.Value($"Add({x}, {n.Linear(gelu, 4 * width, width)})");
            string zero = n.Int64(0);
            present.Add(n.Value($"Concat{{axis=0}}({n.Value($"Unsqueeze({k}, {zero})")}, {n.Value($"Unsqueeze({v}, {zero})")})"));
        }
        string first = n.Int64(0);
        n.Line($"present = Concat{{axis=0}}({string.Join(", ", present.Select(p => n.Value($"Unsqueeze({p}, {first})")))})");
        n.Line($"logits = MatMul({n.LayerNorm(x, width)}, {n.Value($"Transpose{{perm=[1,0]}}({words})")})");
        return Number($"<opset 18>\ntoken: Int64[{batch},1], position: Int64[{batch},1], past: Float32[{layers},2,{batch},{heads},{past},{size}] -> logits, present {{\n{n._text}}}");
    }

    /// <summary>A layer of a text encoder with a mask of bytes.</summary>
    public static string TextEncoder(int batch = 2, int length = 6, int heads = 2, int size = 8, int layers = 2)
    {
        NetworkTexts n = new();
        int width = heads * size;
        string sum = n.Value($"Add({n.Value($"Gather({n.Weight(11, width)}, input_ids)")}, {n.Weight(1, length, width)})"), x = n.LayerNorm(sum, width);
        string wide = n.Value($"Unsqueeze({n.Value($"Cast{{to=9}}(attention_mask)")}, {n.Int64(1, 2)})"), mask = n.Value($"Where({n.Value($"Expand({wide}, {n.Int64(batch, 1, length, length)})")}, {n.Scalar("0.0")}, {n.Scalar("-inf")})");
        for (int layer = 0; layer < layers; layer++)
        {
            string[] own = [.. Enumerable.Range(0, 3).Select(_ => n.Value($"Transpose{{perm=[0,2,1,3]}}({n.Reshape(n.Linear(x, width, width), batch, length, heads, size)})"))];
            string y = n.Value($"Transpose{{perm=[0,2,1,3]}}({n.Attention(own[0], own[1], own[2], batch, heads, length, size, mask)})");
            x = n.LayerNorm(n.Value($"Add({n.Linear(n.Reshape(y, batch, length, width), width, width)}, {x})"), width);
            string hidden = n.Linear(x, width, 4 * width), erf = n.Value($"Erf({n.Value($"Div({hidden}, {n.Scalar("1.41421356")})")})");
            string gelu = n.Value($"Mul({n.Value($"Mul({hidden}, {n.Value($"Add({erf}, {n.Scalar("1.0")})")})")}, {n.Scalar("0.5")})");
            x = n.LayerNorm(n.Value($"Add({n.Linear(gelu, 4 * width, width)}, {x})"), width);
        }
        n.Line($"y = Identity({x})");
        return Number($"<opset 18>\ninput_ids: Int64[{batch},{length}], attention_mask: Int64[{batch},{length}] -> y {{\n{n._text}}}");
    }

    /// <summary>An image encoder: patches, a class token, places, a layer of attention over [rows, batch, width].</summary>
    public static string ImageEncoder(int batch = 2, int patch = 4, int side = 3, int heads = 2, int size = 8, int layers = 2)
    {
        NetworkTexts n = new();
        int width = heads * size, rows = (side * side) + 1;
        string patches = n.Value($"Conv{{kernel_shape=[{patch},{patch}], strides=[{patch},{patch}]}}(x, {n.Scaled(3 * patch * patch, width, 3, patch, patch)}, {n.Weight(width)})");
        string tokens = n.Value($"Transpose{{perm=[0,2,1]}}({n.Reshape(patches, batch, width, side * side)})"), label = n.Value($"Expand({n.Weight(1, 1, width)}, {n.Int64(batch, 1, 1)})");
        string x = n.Value($"Add({n.Value($"Concat{{axis=1}}({label}, {tokens})")}, {n.Weight(1, rows, width)})");
        for (int layer = 0; layer < layers; layer++)
        {
            string turned = n.Value($"Transpose{{perm=[1,0,2]}}({n.LayerNorm(x, width)})"), joint = n.Linear(turned, width, 3 * width);
            string split = n.Value($"Squeeze({n.Value($"Transpose{{perm=[3,1,2,0,4]}}({n.Value($"Unsqueeze({n.Reshape(joint, rows, batch, 3, width)}, {n.Int64(0)})")})")}, {n.Int64(3)})");
            string[] own = [.. Enumerable.Range(0, 3).Select(i => n.Reshape(n.Value($"Transpose{{perm=[1,0,2]}}({n.Reshape(n.Value($"Gather{{axis=0}}({split}, {n.Index(i)})"), rows, batch * heads, size)})"), batch, heads, rows, size))];
            string y = n.Value($"Transpose{{perm=[2,0,1,3]}}({n.Attention(own[0], own[1], own[2], batch, heads, rows, size)})");
            string o = n.Reshape(n.Linear(n.Reshape(y, rows * batch, width), width, width), rows, batch, width);
            x = n.Value($"Add({n.Value($"Transpose{{perm=[1,0,2]}}({o})")}, {x})");
            string hidden = n.Linear(n.LayerNorm(x, width), width, 4 * width), erf = n.Value($"Erf({n.Value($"Div({hidden}, {n.Scalar("1.41421356")})")})");
            string gelu = n.Value($"Mul({n.Value($"Mul({hidden}, {n.Value($"Add({erf}, {n.Scalar("1.0")})")})")}, {n.Scalar("0.5")})");
            x = n.Value($"Add({x}, {n.Linear(gelu, 4 * width, width)})");
        }
        string last = n.LayerNorm(x, width), head = n.Value($"Gather{{axis=1}}({last}, {n.Index(0)})");
        n.Line($"y = Gemm({head}, {n.Scaled(width, width, 5)}, {n.Weight(5)})");
        return Number($"<opset 18>\nx: Float32[{batch},3,{patch * side},{patch * side}] -> y {{\n{n._text}}}");
    }

    private string Unit(string x, int from, int to, int kernel = 1, int stride = 1)
    {
        string y = Conv(x, from, to, kernel, stride);
        return Value($"Mul({y}, {Value($"Sigmoid({y})")})");
    }

    private string CrossStage(string x, int from, int to, int depth, bool residual)
    {
        int half = to / 2;
        string first = Unit(x, from, to), a = Value($"Slice({first}, {Int64(0)}, {Int64(half)}, {Int64(1)}, {Int64(1)})"), b = Value($"Slice({first}, {Int64(half)}, {Int64(to)}, {Int64(1)}, {Int64(1)})");
        List<string> parts = [a, b];
        for (int i = 0; i < depth; i++)
        {
            string value = Unit(Unit(parts[^1], half, half, 3), half, half, 3);
            parts.Add(residual ? Value($"Add({parts[^1]}, {value})") : value);
        }
        return Unit(Value($"Concat{{axis=1}}({string.Join(", ", parts)})"), (2 + depth) * half, to);
    }

    private string Pyramid(string x, int c)
    {
        string At(string from) => Value($"MaxPool{{kernel_shape=[5,5], pads=[2,2,2,2], strides=[1,1]}}({from})");
        string a = Unit(x, c, c / 2), b = At(a), d = At(b);
        return Unit(Value($"Concat{{axis=1}}({a}, {b}, {d}, {At(d)})"), 2 * c, c);
    }

    /// <summary>A detector with three levels; boxes are decoded.</summary>
    public static string Detector(int batch = 1, int side = 64, int unit = 8, int bins = 16, int classes = 8)
    {
        NetworkTexts n = new();
        int a = unit, b = 2 * unit, c = 4 * unit, d = 8 * unit, e = 16 * unit;
        string f3 = n.CrossStage(n.Unit(n.CrossStage(n.Unit(n.Unit("x", 3, a, 3, 2), a, b, 3, 2), b, b, 1, true), b, c, 3, 2), c, c, 2, true);
        string f4 = n.CrossStage(n.Unit(f3, c, d, 3, 2), d, d, 2, true), f5 = n.Pyramid(n.CrossStage(n.Unit(f4, d, e, 3, 2), e, e, 1, true), e);
        string Up(string value) => n.Value($"Resize{{mode=\"nearest\", coordinate_transformation_mode=\"asymmetric\", nearest_mode=\"floor\"}}({value}, _, {n.Value($"Float32[4] [1.0, 1.0, 2.0, 2.0]")})");
        string Join(string first, string second) => n.Value($"Concat{{axis=1}}({first}, {second})");
        string t4 = n.CrossStage(Join(Up(f5), f4), e + d, d, 1, false), t3 = n.CrossStage(Join(Up(t4), f3), d + c, c, 1, false);
        string o4 = n.CrossStage(Join(n.Unit(t3, c, c, 3, 2), t4), c + d, d, 1, false), o5 = n.CrossStage(Join(n.Unit(o4, d, d, 3, 2), f5), d + e, e, 1, false);
        List<string> boxes = [], scores = [];
        int[] widths = [c, d, e];
        string[] features = [t3, o4, o5];
        for (int level = 0; level < 3; level++)
        {
            int width = widths[level], places = side / (8 << level);
            string feature = features[level], raw = n.Conv(n.Unit(n.Unit(feature, width, 2 * unit, 3), 2 * unit, 2 * unit, 3), 2 * unit, 4 * bins);
            string shares = n.Value($"Softmax{{axis=2}}({n.Reshape(raw, batch, 4, bins, places * places)})"), ladder = n.Value($"Float32[{bins},1] range");
            string sides = n.Value($"ReduceSum{{keepdims=0}}({n.Value($"Mul({shares}, {ladder})")}, {n.Int64(2)})"), centre = n.Weight(2, places * places);
            string near = n.Value($"Slice({sides}, {n.Int64(0)}, {n.Int64(2)}, {n.Int64(1)}, {n.Int64(1)})"), far = n.Value($"Slice({sides}, {n.Int64(2)}, {n.Int64(4)}, {n.Int64(1)}, {n.Int64(1)})");
            string box = n.Value($"Concat{{axis=1}}({n.Value($"Sub({centre}, {near})")}, {n.Value($"Add({centre}, {far})")})");
            boxes.Add(n.Value($"Mul({box}, {n.Scalar(Number($"{8 << level}.0"))})"));
            string score = n.Conv(n.Unit(n.Unit(feature, width, 4 * unit, 3), 4 * unit, 4 * unit, 3), 4 * unit, classes);
            scores.Add(n.Value($"Sigmoid({n.Reshape(score, batch, classes, places * places)})"));
        }
        n.Line($"y = Concat{{axis=1}}({n.Value($"Concat{{axis=2}}({string.Join(", ", boxes)})")}, {n.Value($"Concat{{axis=2}}({string.Join(", ", scores)})")})");
        return Number($"<opset 18>\nx: Float32[{batch},3,{side},{side}] -> y {{\n{n._text}}}");
    }

    /// <summary>Inverted residuals with squeeze and excite, and a classifier.</summary>
    public static string Mobile(int batch = 2, int side = 32, int unit = 8)
    {
        NetworkTexts n = new();
        string Swish(string value) => n.Value($"HardSwish({value})");
        string Block(string x, int from, int wide, int to, int kernel, int stride, bool excites, bool swishes)
        {
            string Act(string value) => swishes ? Swish(value) : n.Value($"Relu({value})");
            string value = Act(n.Conv(Act(n.Conv(x, from, wide)), wide, wide, kernel, stride, wide));
            if (excites)
            {
                int few = wide / 4;
                string mean = n.Value($"ReduceMean{{keepdims=1}}({value}, {n.Int64(-1, -2)})"), small = n.Value($"Relu({n.Conv(mean, wide, few)})");
                value = n.Value($"Mul({n.Value($"HardSigmoid{{alpha=0.16666667}}({n.Conv(small, few, wide)})")}, {value})");
            }
            value = n.Conv(value, wide, to);
            return from == to && stride == 1 ? n.Value($"Add({value}, {x})") : value;
        }
        string y = Swish(n.Conv("x", 3, 2 * unit, 3, 2));
        y = Block(y, 2 * unit, 2 * unit, 2 * unit, 3, 1, false, false);
        y = Block(y, 2 * unit, 8 * unit, 3 * unit, 3, 2, false, false);
        y = Block(y, 3 * unit, 8 * unit, 5 * unit, 5, 2, true, false);
        y = Block(y, 5 * unit, 16 * unit, 5 * unit, 5, 1, true, false);
        y = Block(y, 5 * unit, 24 * unit, 8 * unit, 3, 1, true, true);
        y = Swish(n.Conv(y, 8 * unit, 24 * unit));
        string pooled = n.Reshape(n.Value($"ReduceMean{{keepdims=1}}({y}, {n.Int64(-1, -2)})"), batch, 24 * unit);
        string hidden = Swish(n.Value($"Gemm{{transB=1}}({pooled}, {n.Scaled(24 * unit, 16 * unit, 24 * unit)}, {n.Weight(16 * unit)})"));
        n.Line($"y = Gemm{{transB=1}}({hidden}, {n.Scaled(16 * unit, 10, 16 * unit)}, {n.Weight(10)})");
        return Number($"<opset 18>\nx: Float32[{batch},3,{side},{side}] -> y {{\n{n._text}}}");
    }

    /// <summary>The beginning and the end of a residual network.</summary>
    public static string Residual(int batch = 2, int side = 32)
    {
        NetworkTexts n = new();
        string y = n.Value($"Relu({n.Value($"Conv{{kernel_shape=[7,7], strides=[2,2], pads=[3,3,3,3]}}(x, {n.Scaled(147, 16, 3, 7, 7)}, {n.Weight(16)})")})");
        y = n.Value($"MaxPool{{kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]}}({y})");
        string inner = n.Value($"Relu({n.Conv(n.Value($"Relu({n.Conv(y, 16, 8)})"), 8, 8, 3)})");
        y = n.Value($"Relu({n.Value($"Add({n.Conv(inner, 8, 32)}, {n.Conv(y, 16, 32)})")})");
        string pooled = n.Reshape(n.Value($"ReduceMean{{keepdims=1}}({y}, {n.Int64(-1, -2)})"), batch, 32);
        n.Line($"y = Gemm{{transB=1}}({pooled}, {n.Scaled(32, 10, 32)}, {n.Weight(10)})");
        return Number($"<opset 18>\nx: Float32[{batch},3,{side},{side}] -> y {{\n{n._text}}}");
    }
}
