using TrtTools.Cuda;
using TrtTools.Launch;

namespace TrtTools.Tests.Launch;

/// <summary>Kernels of hand-made plans: as CUDA text, and as what the Null device does.</summary>
internal static unsafe class TestKernels
{
    /// <summary>Each waits for its predecessor first, so that any of them may be launched programmatically.</summary>
    public const string Text = """
        #if __CUDA_ARCH__ >= 900
        #define WAIT asm volatile("griddepcontrol.wait;" ::: "memory"); asm volatile("griddepcontrol.launch_dependents;")
        #else
        #define WAIT
        #endif
        #define INDEX int i = blockIdx.x * blockDim.x + threadIdx.x; WAIT; if (i < n)
        extern "C" __global__ void add_row(const float* x, const float* row, float* y, int n) { INDEX y[i] = x[i] + row[i % 4]; }
        extern "C" __global__ void twice(const float* x, float* y, int n) { INDEX y[i] = 2.f * x[i]; }
        extern "C" __global__ void add(const float* a, const float* b, float* y, int n) { INDEX y[i] = a[i] + b[i]; }
        """;

    public static Dictionary<string, NullKernelBody> Bodies => new()
    {
        ["add_row"] = (_, a) => For(a, 3, i => F(a, 2)[i] = F(a, 0)[i] + F(a, 1)[i % 4]),
        ["twice"] = (_, a) => For(a, 2, i => F(a, 1)[i] = 2 * F(a, 0)[i]),
        ["add"] = (_, a) => For(a, 3, i => F(a, 2)[i] = F(a, 0)[i] + F(a, 1)[i]),
    };

    /// <summary>y = 2·(x + w) + 0, by way of a copy and a filled buffer; x is [n,4].</summary>
    public static PlanBuilder Chain(bool programmatic = false, Func<PlanBuilder, PlanBuilder>? prepare = null)
    {
        PlanBuilder plan = new();
        plan = prepare?.Invoke(plan) ?? plan;
        uint x = plan.Input("x", "n", "4"), w = plan.Weight("w", 1, 2, 3, 4);
        plan.Symbol("n", x, 0);
        uint a = plan.Scratch("a", "n", "4"), b = plan.Scratch("b", "n", "4"), c = plan.Scratch("c", "n", "4"), zero = plan.Scratch("zero", "n", "4"), y = plan.Output("y", "n", "4");
        plan.Kernel("add_row", [x, w], [a], "4*n");
        plan.Kernel("twice", [a], [b], "4*n", programmatic);
        plan.Copy(b, c, "16*n");
        plan.Fill(zero, "16*n", 0);
        plan.Kernel("add", [c, zero], [y], "4*n", programmatic);
        return plan;
    }

    public static float[] ChainResult(ReadOnlySpan<float> x)
    {
        float[] y = new float[x.Length];
        for (int i = 0; i < y.Length; i++) y[i] = 2 * (x[i] + (i % 4) + 1);
        return y;
    }

    private static float* F(KernelArguments arguments, int index) => (float*)arguments.AddressAt(index);

    private static void For(KernelArguments arguments, int count, Action<int> body)
    {
        for (int i = 0; i < arguments.Int32At(count); i++) body(i);
    }
}
