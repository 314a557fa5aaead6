using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Launch;

/// <summary>Plans with steps of the host between launches, and the steps.</summary>
internal static class HostStepPlans
{
    /// <summary>Gives the rows whose first element is positive, and how many there are.</summary>
    public const string TakePositive = "test-take-positive";

    static HostStepPlans() => HostSteps.Register(TakePositive, new Factory());

    /// <summary>y = 2·(rows of 2x whose first element is positive) + the same, z = the rows' number: an extent that only the host knows.</summary>
    public static PlanBuilder Between(Func<PlanBuilder, PlanBuilder>? prepare = null)
    {
        PlanBuilder plan = new();
        plan = prepare?.Invoke(plan) ?? plan;
        uint x = plan.Input("x", "n", "4");
        uint a = plan.Scratch("a", "n", "4"), rows = plan.Scratch("rows", "k", "4"), b = plan.Scratch("b", "k", "4"), count = plan.Output("count", "1"), y = plan.Output("y", "k", "4");
        plan.Symbol("n", x, 0);
        plan.Symbol("k", rows, 0);
        plan.Kernel("twice", [x], [a], "4*n");
        plan.Host(TakePositive, [("x", a)], [("rows", rows), ("count", count)]);
        plan.Kernel("twice", [rows], [b], "4*k");
        plan.Kernel("add", [b, rows], [y], "4*k");
        return plan;
    }

    public static void CheckBetween(Engine engine)
    {
        using ExecutionContext context = engine.CreateContext();
        for (int run = 0; run < 20; run++)
        {
            Random random = new(run);
            int n = 1 + run % 5;
            float[] x = [.. Enumerable.Range(0, 4 * n).Select(_ => (float)random.Next(-100, 100))];
            System.Collections.Specialized.OrderedDictionary results = context.Run(new Dictionary<string, Tensor> { ["x"] = new("x", TensorData.From<float>(x, n, 4)) });
            float[] expected = [.. x.Chunk(4).Where(r => r[0] > 0).SelectMany(r => r.Select(v => 6 * v))];
            Tensor y = (Tensor)results["y"]!;
            Assert.Equal([expected.Length / 4, 4], y.Shape);
            Assert.Equal(expected, (float[])y.Data);
            Assert.Equal([expected.Length / 4f], (float[])((Tensor)results["count"]!).Data);
        }
    }

    private sealed class Factory : IHostStepFactory
    {
        public IHostStep Create(HostStepRequest request, CancellationToken stop) => new Step();
    }

    private sealed class Step : IHostStep
    {
        public IHostRun Bind(IReadOnlyDictionary<string, TensorData> inputs) => new Run(inputs.TryGetValue("x", out TensorData? x) && x.Type == DataType.Float32 && x.ByteCount % 16 == 0 ? x
            : throw new TrtToolsException(ErrorCode.EngineCorrupt, TakePositive, "its input is none", "x: Float32[n,4]", ""));

        public IReadOnlyList<LayerTime> EndProfiling() => [];

        public void Dispose() { }
    }

    private sealed class Run(TensorData x) : IHostRun
    {
        private float[] _rows = [];

        public void Execute(CancellationToken stop) => _rows = [.. x.AsSpan<float>().ToArray().Chunk(4).Where(r => r[0] > 0).SelectMany(r => r)];

        public IReadOnlyList<TensorData> CopyResults() => [TensorData.From<float>(_rows, _rows.Length / 4, 4), TensorData.From<float>([_rows.Length / 4f], 1)];

        public void Dispose() { }
    }
}
