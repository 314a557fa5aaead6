using System.Globalization;
using System.Text;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tests;

namespace TrtTools.Debugging;

/// <summary>Models to hide faults in: chains, branches, nodes of several outputs, subgraphs, sequences, shapes computed on the way.</summary>
internal static class FaultyModels
{
    public static IEnumerable<string> Written => ["chain", "ladder", "splits", "residual", "towers", "shapes", "branch", "sequence", "quantized", "dynamic"];

    public static IEnumerable<string> Shared => ["ppocrv4-rec", "light-squeezenet-rw", "light-shufflenet-rw", "ultraface-rfb-320", "ultraface-slim-320-qdq-int8", "synth-bert-mini", "silero-vad-v6", "silero-vad-16k-op15", "mlsd-320-tiny", "ppocrv2-cls", "blazeface-front-128", "magika-standard-v2-1"];

    public static OnnxGraph Open(string name) => Written.Contains(name) ? TestGraphs.Parse(Text(name)) : OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);

    private static string Text(string name) => name switch
    {
        "chain" => Chain(),
        "ladder" => Ladder(),
        "splits" => Splits(),
        "residual" => Residual(),
        "towers" => Towers(),
        "shapes" => Shapes(),
        "branch" => Branch(),
        "sequence" => Sequence(),
        "quantized" => Quantized(),
        "dynamic" => Dynamic(),
        _ => throw new ArgumentException(name),
    };

    private static string I(int i) => i.ToString(CultureInfo.InvariantCulture);

    // Every operator keeps apart what was apart, so that a fault shows at the end.
    private static string Chain()
    {
        StringBuilder text = new("x: Float32[2,6] -> y { w = Float32[6] random(3); v0 = Identity(x);\n");
        for (int i = 1; i < 200; i++) text.Append($"v{I(i)} = {(i % 3) switch { 0 => "LeakyRelu{alpha=0.9}(v" + I(i - 1) + ")", 1 => $"Add(v{I(i - 1)}, w)", _ => $"Sub(v{I(i - 1)}, w)" }}\n");
        return text + "y = Neg(v199) }";
    }

    // Two sides that run in parallel and are exchanged all the time.
    private static string Ladder()
    {
        StringBuilder text = new("x: Float32[4] -> left, right { l0 = Identity(x); r0 = Neg(x);\n");
        for (int i = 1; i <= 40; i++) text.Append($"l{I(i)} = Sub(l{I(i - 1)}, r{I(i - 1)}); m{I(i)} = LeakyRelu{{alpha=0.9}}(r{I(i - 1)}); r{I(i)} = Sub(m{I(i)}, l{I(i)}); l{I(i)}s = Identity(l{I(i)})\n");
        return text + "left = Identity(l40); right = Identity(r40) }";
    }

    private static string Splits()
    {
        StringBuilder text = new("x: Float32[2,8] -> y { axes = Int64[2] [4, 4]; v0 = Identity(x)\n");
        for (int i = 1; i <= 24; i++)
        {
            text.Append($"a{I(i)}, b{I(i)} = Split{{axis=1}}(v{I(i - 1)}, axes); k{I(i)} = Int64[1] [4]; t{I(i)}, i{I(i)} = TopK{{axis=1}}(a{I(i)}, k{I(i)}); n{I(i)} = Neg(b{I(i)}); v{I(i)} = Concat{{axis=1}}(n{I(i)}, t{I(i)})\n");
        }
        return text + "y = Identity(v24) }";
    }

    private static string Residual()
    {
        StringBuilder text = new("x: Float32[1,4,6,6] -> y { s = Float32[4] ones; b = Float32[4] random(9); v0 = Identity(x)\n");
        for (int i = 1; i <= 20; i++)
        {
            text.Append($"w{I(i)} = Float32[4,4,3,3] random({I(i)}); c{I(i)} = Conv{{pads=[1,1,1,1]}}(v{I(i - 1)}, w{I(i)}, b); r{I(i)} = Relu(c{I(i)}); h{I(i)} = Float32 0.125; q{I(i)} = Mul(r{I(i)}, h{I(i)}); v{I(i)} = Add(q{I(i)}, v{I(i - 1)})\n");
        }
        return text + "y = GlobalAveragePool(v20) }";
    }

    // Twelve ways that never meet before the end.
    private static string Towers()
    {
        StringBuilder text = new("x: Float32[1,4] -> y {\n");
        for (int t = 0; t < 12; t++)
        {
            text.Append($"t{I(t)}_0 = Identity(x)\n");
            for (int i = 1; i <= 15; i++) text.Append($"t{I(t)}_{I(i)} = {(i % 2 == 0 ? "Neg" : "Elu{alpha=0.9}")}(t{I(t)}_{I(i - 1)})\n");
        }
        return text + $"y = Concat{{axis=1}}({string.Join(", ", Enumerable.Range(0, 12).Select(t => $"t{I(t)}_15"))}) }}";
    }

    private static string Shapes()
    {
        StringBuilder text = new("x: Float32[2,3,4] -> y { one = Int64[1] [-1]; zero = Int64 0; v0 = Identity(x)\n");
        for (int i = 1; i <= 12; i++)
        {
            text.Append($"s{I(i)} = Shape(v{I(i - 1)}); g{I(i)} = Gather{{axis=0}}(s{I(i)}, zero); u0{I(i)} = Int64[1] [0]; u{I(i)} = Unsqueeze(g{I(i)}, u0{I(i)}); c{I(i)} = Concat{{axis=0}}(u{I(i)}, one); r{I(i)} = Reshape(v{I(i - 1)}, c{I(i)}); m{I(i)} = Neg(r{I(i)}); e{I(i)} = Elu{{alpha=0.9}}(m{I(i)}); v{I(i)} = Reshape(e{I(i)}, s{I(i)})\n");
        }
        return text + "y = Identity(v12) }";
    }

    // The fault can sit in a branch of an If.
    private static string Branch()
    {
        StringBuilder then = new(), other = new();
        for (int i = 1; i <= 30; i++)
        {
            then.Append($"a{I(i)} = {(i % 2 == 0 ? "Neg" : "Elu{alpha=0.9}")}({(i == 1 ? "x1" : $"a{I(i - 1)}")})\n");
            other.Append($"b{I(i)} = Abs({(i == 1 ? "x1" : $"b{I(i - 1)}")})\n");
        }
        return $"x: Float32[3], c: Bool -> y {{ x1 = Neg(x); d = Not(c); z = If(d){{then_branch=() -> a30 {{ {then} }}, else_branch=() -> b30 {{ {other} }}}}; y1 = Elu{{alpha=0.9}}(z); y = Neg(y1) }}";
    }

    // A sequence passes between some nodes: there is no cutting there.
    private static string Sequence()
    {
        StringBuilder text = new("x: Float32[2,4] -> y { zero = Int64 0; one = Int64 1; v0 = Identity(x)\n");
        for (int i = 1; i <= 10; i++)
        {
            text.Append($"q{I(i)} = SplitToSequence{{axis=1, keepdims=1}}(v{I(i - 1)}); a{I(i)} = SequenceAt(q{I(i)}, zero); n{I(i)} = Neg(a{I(i)}); c{I(i)} = ConcatFromSequence{{axis=1}}(q{I(i)}); v{I(i)} = Add(c{I(i)}, n{I(i)})\n");
        }
        return text + "y = Identity(v10) }";
    }

    private static string Quantized()
    {
        StringBuilder text = new("x: Float32[1,4] -> y { s = Float32 0.05; z = Int8 0; v0 = Identity(x)\n");
        for (int i = 1; i <= 16; i++)
        {
            text.Append($"w{I(i)} = Int8[4,4] random({I(i)}); d{I(i)} = DequantizeLinear(w{I(i)}, s, z); q{I(i)} = QuantizeLinear(v{I(i - 1)}, s, z); e{I(i)} = DequantizeLinear(q{I(i)}, s, z); m{I(i)} = MatMul(e{I(i)}, d{I(i)}); v{I(i)} = Tanh(m{I(i)})\n");
        }
        return text + "y = Identity(v16) }";
    }

    private static string Dynamic()
    {
        StringBuilder text = new("x: Float32[batch,length,4], mask: Float32[batch,1,1] -> y, z { w = Float32[4,4] random(5); v0 = Identity(x)\n");
        for (int i = 1; i <= 16; i++)
        {
            text.Append($"m{I(i)} = MatMul(v{I(i - 1)}, w); t{I(i)} = Transpose{{perm=[0,2,1]}}(m{I(i)}); k{I(i)} = Transpose{{perm=[0,2,1]}}(t{I(i)}); p{I(i)} = Mul(k{I(i)}, mask); u{I(i)} = Tanh(p{I(i)}); v{I(i)} = Add(u{I(i)}, v{I(i - 1)})\n");
        }
        return text + "y = Identity(v16); z = ReduceMean{axes=[1]}(v8) }";
    }
}
