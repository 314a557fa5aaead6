using System.Globalization;
using System.Text;

namespace TrtTools.Tests.Quantization;

/// <summary>Networks of the shape of ResNet-50, as small as a test wants them.</summary>
internal static class ResidualNetwork
{
    /// <summary>A stem of 7×7 with pooling, bottlenecks in stages, average pooling and a layer of classes. Batch normalization keeps the activations near one.</summary>
    /// <param name="width">Channels of the stem; ResNet-50 has 64.</param>
    /// <param name="blocks">Bottlenecks of each stage; ResNet-50 has 3, 4, 6, 3.</param>
    public static string Text(long side, int width, IReadOnlyList<int> blocks, int classes, string batch = "1")
    {
        StringBuilder text = new();
        int seed = 1;
        text.Append(CultureInfo.InvariantCulture, $"x: Float32[{batch},3,{side},{side}] -> y {{\n");
        string at = Unit("stem", "x", 3, width, 7, 2, relu: true);
        text.Append(CultureInfo.InvariantCulture, $"pool = MaxPool{{kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]}}({at})\n");
        at = "pool";
        int channels = width;
        for (int stage = 0; stage < blocks.Count; stage++)
        {
            int inner = width << stage, outer = 4 * inner;
            for (int block = 0; block < blocks[stage]; block++)
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"s{stage}b{block}");
                int stride = stage > 0 && block == 0 ? 2 : 1;
                string a = Unit(name + "_reduce", at, channels, inner, 1, 1, relu: true), b = Unit(name + "_mid", a, inner, inner, 3, stride, relu: true), c = Unit(name + "_expand", b, inner, outer, 1, 1, relu: false);
                string skip = block == 0 ? Unit(name + "_skip", at, channels, outer, 1, stride, relu: false) : at;
                text.Append(CultureInfo.InvariantCulture, $"{name}_sum = Add({c}, {skip}); {name} = Relu({name}_sum)\n");
                (at, channels) = (name, outer);
            }
        }
        text.Append(CultureInfo.InvariantCulture, $"wf = Float32[{classes},{channels}] random({seed++}); bf = Float32[{classes}] random({seed}); g = GlobalAveragePool({at}); f = Flatten(g); y = Gemm{{transB=1}}(f, wf, bf)\n}}");
        return text.ToString();

        string Unit(string name, string from, int input, int output, int kernel, int stride, bool relu)
        {
            // Weights are uniform in -1 … 1, of variance 1/3.
            double variance = input * kernel * kernel / 3.0 * 0.7;
            text.Append(CultureInfo.InvariantCulture, $"{name}_w = Float32[{output},{input},{kernel},{kernel}] random({seed++}); {name}_g = Float32[{output}] ones; {name}_b = Float32[{output}] random({seed++}); {name}_m = Float32[{output}] zeros; {name}_v = Float32[{output}] fill({variance:0.0###})\n");
            text.Append(CultureInfo.InvariantCulture, $"{name}_c = Conv{{kernel_shape=[{kernel},{kernel}], strides=[{stride},{stride}], pads=[{kernel / 2},{kernel / 2},{kernel / 2},{kernel / 2}]}}({from}, {name}_w); {name}_n = BatchNormalization({name}_c, {name}_g, {name}_b, {name}_m, {name}_v)\n");
            if (!relu) return name + "_n";
            text.Append(CultureInfo.InvariantCulture, $"{name} = Relu({name}_n)\n");
            return name;
        }
    }
}
