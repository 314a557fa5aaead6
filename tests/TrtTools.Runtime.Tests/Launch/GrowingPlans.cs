using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Launch;
using ExecutionContext = TrtTools.Execution.ExecutionContext;

namespace TrtTools.Tests.Launch;

/// <summary>A step of a decoder in small: what came in goes out one row longer, and goes in again.</summary>
internal static class GrowingPlans
{
    public const int Most = 64;

    /// <summary>present = (2·past, then 2·(token + w)); one launch of three does not know of the length.</summary>
    public static PlanBuilder Step(Func<PlanBuilder, PlanBuilder>? prepare = null)
    {
        PlanBuilder plan = new();
        plan = prepare?.Invoke(plan) ?? plan;
        uint past = plan.Input("past", "n", "4"), token = plan.Input("token", "1", "4"), w = plan.Weight("w", 1, 2, 3, 4);
        plan.Symbol("n", past, 0);
        uint sum = plan.Scratch("sum", "1", "4"), other = plan.Scratch("other", "n", "4"), present = plan.Output("present", "n+1", "4");
        plan.Kernel("add_row", [token, w], [sum], "4");
        plan.Kernel("twice", [past], [present], "4*n");
        plan.Kernel("twice", [sum], [present], "4").Kernel.Arguments[1].Address = plan.Place(present, "16*n");
        return plan;
    }

    public static EngineProfile[] Profile => [new EngineProfile { Index = 0, Input = "past", Min = [1, 4], Opt = [8, 4], Max = [Most - 1, 4] }, new EngineProfile { Index = 0, Input = "token", Min = [1, 4], Opt = [1, 4], Max = [1, 4] }];

    /// <summary>Runs through lengths from 1 on; two buffers of the largest size take turns as past and present.</summary>
    /// <param name="settled">Called when graphs for both orders of the buffers have been made, and at the end.</param>
    public static unsafe void Run(Engine engine, IDevice device, Func<IDeviceMemory, int, float[]> read, Action<bool> settled)
    {
        device.MakeCurrent();
        IDeviceMemory[] cache = [device.Allocate(Most * 16), device.Allocate(Most * 16)];
        IDeviceMemory token = device.Allocate(16);
        try
        {
            using ExecutionContext context = engine.CreateContext();
            List<float> expected = [1, 2, 3, 4];
            cache[0].CopyFromHost(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(expected.ToArray()));
            for (int n = 1; n < Most; n++)
            {
                float[] given = [n % 5, n % 3, -n % 7, 1];
                token.CopyFromHost(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(given));
                context.Bind("past", (nint)cache[(n + 1) % 2].Address, Most * 16, [n, 4]);
                context.Bind("token", (nint)token.Address, 16, [1, 4]);
                context.Bind("present", (nint)cache[n % 2].Address, Most * 16);
                context.Enqueue();
                context.Synchronize();
                // Growing numbers would leave what a float holds exactly.
                for (int i = 0; i < expected.Count; i++) expected[i] *= 2;
                for (int i = 0; i < 4; i++) expected.Add(2 * (given[i] + i + 1));
                Assert.Equal([n + 1, 4], context.GetOutputShape("present"));
                Assert.Equal(expected, read(cache[n % 2], expected.Count));
                if (n == 8) settled(false);
            }
            settled(true);
        }
        finally
        {
            foreach (IDeviceMemory memory in cache.Append(token)) memory.Dispose();
        }
    }
}
