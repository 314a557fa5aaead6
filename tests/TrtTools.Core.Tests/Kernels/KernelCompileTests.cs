using System.Globalization;
using System.Text;
using TrtTools.Cuda;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>One kernel of each form as golden text, with what it takes of a multiprocessor on each architecture.</summary>
public sealed class KernelCompileTests
{
    private static readonly string[] s_architectures = ["sm_80", "sm_89", "sm_90a"];

    private static readonly (string Name, string Graph, LoweringOptions? Options)[] s_cases =
    [
        ("map", "a: Float16[64,768], b: Float16[768] -> y: Float16[64,768] { s = Add(a, b); y = Relu(s) }", null),
        ("map-dynamic", "a: Float32[n,768] -> y: Float32[n,768] { y = Tanh(a) }", null),
        ("map-flat", "a: Float16[64,512,7,7], b: Float16[512,1,1] -> y: Float16[64,512,7,7] { y = Mul(a, b) }", null),
        ("quantize", "<opset 21> a: Float32[64,768], s: Float32[], z: Int8[] -> y: Int8[64,768] { y = QuantizeLinear(a, s, z) }", null),
        ("transpose", "x: Float16[8,196,256] -> y: Float16[8,256,196] { y = Transpose(x){perm=[0,2,1]} }", null),
        ("gather", "w: Float16[1000,768], i: Int64[64] -> y: Float16[64,768] { y = Gather(w, i) }", null),
        ("reduce-rows", "x: Float32[4096,1024] -> y: Float32[4096] { a = Constant{value=Int64[1] [1]}(); y = ReduceSum(x, a){keepdims=0} }", null),
        ("reduce-columns", "x: Float16[64,4096] -> y: Float16[4096] { y = ReduceMax(x){axes=[0], keepdims=0} }", null),
        ("argmax", "x: Float32[64,1000] -> y: Int64[64] { y = ArgMax(x){axis=1, keepdims=0} }", null),
        ("max-pool", "x: Float16[8,64,56,56] -> y: Float16[8,64,28,28] { y = MaxPool(x){kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]} }", null),
        ("matmul", "a: Float32[128,256], b: Float32[256,192], c: Float32[192] -> y: Float32[128,192] { p = MatMul(a, b); y = Add(p, c) }", null),
        ("convolution", "x: Float32[2,32,28,28], w: Float32[64,32,3,3] -> y: Float32[2,64,28,28] { c = Conv(x, w){pads=[1,1,1,1]}; y = Relu(c) }", null),
        ("softmax-warp", "x: Float16[8192,128] -> y: Float16[8192,128] { y = Softmax(x) }", null),
        ("softmax-block", "x: Float32[64,4096] -> y: Float32[64,4096] { y = Softmax(x) }", null),
        ("softmax-dynamic", "x: Float16[n,k] -> y: Float16[n,k] { y = Softmax(x) }", null),
        ("layernorm", "x: Float16[4096,768], r: Float16[4096,768], s: Float16[768], b: Float16[768] -> y: Float16[4096,768] { a = Add(x, r); y = LayerNormalization(a, s, b) }", null),
    ];

    public static TheoryData<string> Names() => [.. s_cases.Select(c => c.Name)];

    private static IReadOnlyList<KernelLaunch> Launches(string name)
    {
        (_, string graph, LoweringOptions? options) = s_cases.Single(c => c.Name == name);
        return KernelCase.ForTiming(name, graph, options).Launches();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_form_has_its_golden_text(string name)
    {
        StringBuilder text = new();
        foreach (KernelLaunch launch in Launches(name))
        {
            text.Append(CultureInfo.InvariantCulture, $"// grid {string.Join(" x ", launch.Grid.Select(g => g.Text))}, block {string.Join(" x ", launch.Block)}, arguments {string.Join(", ", launch.Arguments.Select(Describe))}\n");
            text.Append(launch.Source.Text).Append('\n');
        }
        Golden.ShouldMatch($"kernels/{name}.cu", text.ToString());
    }

    /// <summary>Registers and spills are recorded with the compiler that gave them; another compiler's are not compared, but spills are wrong whoever makes them.</summary>
    [Fact]
    public void Golden_kernels_compile_for_every_architecture()
    {
        KernelCompilerTests.NeedCompiler();
        StringBuilder table = new();
        table.Append(CultureInfo.InvariantCulture, $"NVRTC {Nvrtc.Current.Version}: registers, bytes of shared memory, of local memory, spilled\n");
        foreach ((string name, _, _) in s_cases)
        {
            KernelLaunch[] launches = [.. Launches(name)];
            foreach (string architecture in s_architectures)
            {
                IReadOnlyDictionary<KernelSource, CompiledSource> compiled = new KernelCompiler().Compile(launches.Select(l => l.Source), architecture);
                foreach (KernelLaunch launch in launches)
                {
                    KernelResources used = compiled[launch.Source].Resources;
                    Assert.False(used.Spills, $"{name}, {architecture}: {used}");
                    table.Append(CultureInfo.InvariantCulture, $"{name}\t{launch.Source.Function}\t{architecture}\t{used.Registers}\t{used.SharedBytes}\t{used.StackBytes}\t{used.SpillStoreBytes + used.SpillLoadBytes}\n");
                }
            }
        }
        string recorded = Golden.Read("kernels/resources.txt") ?? "";
        if (Golden.IsUpdate || recorded.StartsWith($"NVRTC {Nvrtc.Current.Version}:", StringComparison.Ordinal)) Golden.ShouldMatch("kernels/resources.txt", table.ToString());
    }

    private static string Describe(KernelArgument argument) => argument switch
    {
        PointerArgument pointer => $"{pointer.Access} {pointer.Storage.Name}{(pointer.Offset is { IsConstant: true, Value: 0 } ? "" : "+" + pointer.Offset.Text)}",
        ExtentArgument extent => $"{(extent.Wide ? "wide " : "")}{extent.Value.Text}",
        _ => argument.ToString(),
    };
}
