using System.Diagnostics;
using System.Globalization;
using TrtTools.Execution;
using TrtTools.Launch;

namespace TrtTools.Tests.Launch;

/// <summary>What the runtime itself costs, on a device that takes no time: figures, no assertions. -explicit only.</summary>
public sealed class ShapeCostTests
{
    [Theory(Explicit = true)]
    [InlineData(60, false)]
    [InlineData(150, false)]
    [InlineData(150, true)]
    public void A_new_shape_and_a_replay(int launches, bool profiled)
    {
        PlanBuilder plan = new();
        uint x = plan.Input("x", "n", "4"), y = plan.Output("y", "n", "4"), last = x;
        plan.Symbol("n", x, 0);
        for (int i = 0; i < launches; i++)
        {
            uint next = i == launches - 1 ? y : plan.Scratch($"t{i}", "n", "4");
            plan.Kernel("twice", [last], [next], "4*n");
            last = next;
        }
        using Engine engine = plan.Engine(new SilentDevice(), profiled ? [new TrtTools.Engines.EngineProfile { Index = 0, Input = "x", Min = [1, 4], Opt = [1, 4], Max = [5000, 4] }] : null);
        using DeviceContext context = engine.CreateDeviceContext(default);
        double Time(Func<int, long> shape)
        {
            double[] times = new double[2000];
            for (int i = 0; i < times.Length; i++)
            {
                long start = Stopwatch.GetTimestamp();
                context.BindInput(0, 1 << 20, 1 << 20, [shape(i), 4]);
                context.BindOutput(0, 2 << 20, 1 << 20);
                context.Upload();
                context.Execute(default);
                times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            }
            Array.Sort(times);
            return times[times.Length / 2];
        }
        Time(i => 1 + (i % 100));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{launches} launches{(profiled ? " within a profile" : "")}: a new shape {Time(i => 200 + i):0.0} µs, a shape that repeats {Time(_ => 17):0.0} µs"));
    }
}
