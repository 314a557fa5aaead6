using TrtTools.Build;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Evaluation;
using TrtTools.Execution;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Tensors;
using TrtTools.Tests.Lowering;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Gpu;

/// <summary>A Loop and an If with kernels before, between and behind them: the host runs the two inside the engine.</summary>
[Collection("GPU")]
public sealed class ControlFlowTests
{
    private const string Text = """
        x: Float32[n,16], rounds: Int64[], c: Bool[] -> y, z {
          w = Float32[16,16] random(1); yes = Bool 1; half = Float32 0.5
          a = MatMul(x, w); b = Relu(a)
          l = Loop(rounds, yes, b){body=(i: Int64[], k: Bool[], v: Float32[n,16]) -> k2, v2 { k2 = Identity(k); t = Mul(v, half); v2 = Add(t, b) }}
          d = MatMul(l, w); e = Tanh(d)
          f = If(c){then_branch = () -> s { s = Add(e, x) }, else_branch = () -> r { r = Neg(e) }}
          y = MatMul(f, w); z = Softmax(y){axis=-1}
        }
        """;

    private static OnnxGraph Graph => TestGraphs.Parse(Text);

    private static Dictionary<string, TensorData> Inputs(long rounds, bool condition) => new(StringComparer.Ordinal)
    {
        ["x"] = GraphText.Random(DataType.Float32, [5, 16], 3), ["rounds"] = TensorData.Scalar(rounds), ["c"] = TensorData.FromBytes(DataType.Bool, [], new byte[] { condition ? (byte)1 : (byte)0 }),
    };

    [Theory]
    [InlineData(0, true)]
    [InlineData(3, false)]
    public void The_Reference_device_computes_it(long rounds, bool condition)
    {
        LoweredProgram program = GraphLowering.Lower(Graph, new LoweringOptions(), Report.None, CancellationToken.None);
        Assert.Equal(2, program.Steps.OfType<HostGraphStep>().Count());
        LoweringCheck.Compare("control flow", program, Inputs(rounds, condition), ModelRunner.Run(Graph, Inputs(rounds, condition), CancellationToken.None), LoweringCheck.Float32);
    }

    [Fact]
    public void A_GPU_computes_it()
    {
        using CudaContext device = Cuda.Gpu.Open();
        using Engine engine = EngineBuilder.Build(Graph, GpuBuild.Options(), Report.None, TestContext.Current.CancellationToken);
        Assert.Contains(engine.Content.Plan.Body.Steps, s => s.Host is not null);
        Assert.True(engine.Content.Plan.Body.Steps.Count(s => s.Device is not null) >= 3);
        using ExecutionContext context = engine.CreateContext();
        foreach ((long rounds, bool condition) in new[] { (0L, true), (3L, false), (3L, true), (1L, false) })
        {
            Dictionary<string, TensorData> inputs = Inputs(rounds, condition);
            IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(Graph, inputs, CancellationToken.None);
            for (int i = 0; i < 3; i++)
            {
                System.Collections.Specialized.OrderedDictionary results = context.Run(inputs.ToDictionary(p => p.Key, p => new Tensor(p.Key, p.Value)));
                foreach (string output in new[] { "y", "z" }) LoweringCheck.Close($"{rounds} rounds, {condition}: {output}", expected[output], ((Tensor)results[output]!).Content, LoweringCheck.Float32);
            }
        }
    }
}
