using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tests.Launch;

namespace TrtTools.Tests.Execution;

public sealed unsafe class EngineAcceptanceTests
{
    private static NullDevice Device(float shift = 0, Func<float>? noise = null)
    {
        Dictionary<string, NullKernelBody> bodies = TestKernels.Bodies;
        NullKernelBody add = bodies["add"];
        bodies["add"] = (shape, a) =>
        {
            add(shape, a);
            float* y = (float*)a.AddressAt(2);
            for (int i = 0; i < a.Int32At(3); i++) y[i] += shift + (noise?.Invoke() ?? 0);
        };
        return new NullDevice { Kernels = bodies };
    }

    /// <summary>An engine that was accepted on one device, as it comes from its file on another.</summary>
    private static Engine Moved(NullDevice built, NullDevice now)
    {
        using TestFolder folder = new();
        EngineProfile profile = new() { Index = 0, Input = "x", Min = [1, 4], Opt = [5, 4], Max = [8, 4] };
        using Engine engine = TestKernels.Chain().Engine(built, [profile]);
        EngineAcceptance.Record(engine, Report.None, default);
        EngineFile.Save(engine, folder.File("a.engine"), force: false);
        (EngineHeader header, EngineContent content, long length) = EngineReader.Read(folder.File("a.engine"));
        return new Engine(header, content, null, length) { OpenDevice = () => now };
    }

    [Fact]
    public void What_gives_the_same_bits_is_identical()
    {
        using Engine engine = Moved(Device(), Device());
        EngineTest test = Assert.Single(EngineAcceptance.Test(engine, Report.None, default));
        Assert.True(test.Passed && test.Identical);
        Assert.Equal(("y", 0.0, 1e-4), (test.Output, test.MaxError, test.Tolerance));
        Assert.Equal([5L, 4], Assert.Single(engine.Content.Details.Acceptance.Inputs).Shape);
    }

    [Theory]
    [InlineData(0.0001f, true)]
    [InlineData(0.1f, false)]
    [InlineData(float.NaN, false)]
    public void Another_result_passes_within_the_tolerance_and_no_further(float shift, bool passes)
    {
        using Engine engine = Moved(Device(), Device(shift));
        EngineTest test = Assert.Single(EngineAcceptance.Test(engine, Report.None, default));
        Assert.Equal((passes, false), (test.Passed, test.Identical));
        Assert.Contains(float.IsNaN(shift) ? "NaN or infinities" : "of the output's scale", test.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_output_that_differs_from_run_to_run_is_held_to_its_shape_alone()
    {
        float next = 0;
        using Engine engine = Moved(Device(0, () => next++), Device(100));
        EngineTest test = Assert.Single(EngineAcceptance.Test(engine, Report.None, default));
        Assert.True(test.Passed);
        Assert.Contains("run to run", test.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_engine_without_a_test_says_so()
    {
        using Engine engine = TestKernels.Chain().Engine(Device());
        Assert.Equal(ErrorCode.DataNotFound, Assert.Throws<TrtToolsException>(() => EngineAcceptance.Test(engine, Report.None, default)).Code);
    }

    [Fact]
    public void The_test_is_no_part_of_the_engines_identity()
    {
        using Engine engine = TestKernels.Chain().Engine(Device());
        string id = engine.Content.Id;
        EngineAcceptance.Record(engine, Report.None, default);
        Assert.NotNull(engine.Content.Details.Acceptance);
        Assert.Equal(id, engine.Content.Id);
    }
}
