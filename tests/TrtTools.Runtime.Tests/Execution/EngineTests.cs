using System.Collections.Specialized;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Tensors;

namespace TrtTools.Tests.Execution;

public sealed class EngineTests
{
    private static Dictionary<string, Tensor> Inputs(params long[] shape) => new(StringComparer.Ordinal) { ["x"] = TestEngines.Input(shape) };

    private static TrtToolsException Fails(Engine engine, Dictionary<string, Tensor> inputs)
    {
        using TrtTools.Execution.ExecutionContext context = engine.CreateContext();
        return Assert.Throws<TrtToolsException>(() => context.Run(inputs));
    }

    [Fact]
    public void Runs()
    {
        using Engine engine = TestEngines.Create();
        using TrtTools.Execution.ExecutionContext context = engine.CreateContext();
        OrderedDictionary result = context.Run(Inputs(2, 3));
        Tensor y = (Tensor)result["y"]!;
        Assert.Equal("y", y.Name);
        Assert.Equal(new float[] { 0, 2, 4, 6, 8, 10 }, y.Data);
    }

    [Fact]
    public void A_wrong_name_gives_the_nearest()
    {
        using Engine engine = TestEngines.Create();
        TrtToolsException e = Fails(engine, new(StringComparer.Ordinal) { ["X"] = TestEngines.Input(2, 3) });
        Assert.Equal(ErrorCode.InputNotFound, e.Code);
        Assert.Contains("Did you mean 'x'?", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_input_is_named()
    {
        using Engine engine = TestEngines.Create();
        TrtToolsException e = Fails(engine, []);
        Assert.Equal(ErrorCode.InputNotFound, e.Code);
        Assert.Contains("'x'", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2L, 4L)]
    [InlineData(6L)]
    [InlineData(1L, 2L, 3L)]
    public void A_wrong_shape_names_the_expected_one(params long[] shape)
    {
        using Engine engine = TestEngines.Create();
        TrtToolsException e = Fails(engine, Inputs(shape));
        Assert.Equal(ErrorCode.ShapeMismatch, e.Code);
        Assert.Contains("Float32[2,3]", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_type_names_the_expected_one()
    {
        using Engine engine = TestEngines.Create();
        TrtToolsException e = Fails(engine, new(StringComparer.Ordinal) { ["x"] = new Tensor("x", TensorData.From<long>(new long[6], 2, 3)) });
        Assert.Equal(ErrorCode.InputInvalid, e.Code);
        Assert.Contains("Float32", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Shapes_outside_every_profile_are_refused_with_the_ranges()
    {
        EngineProfile[] profiles =
        [
            new() { Index = 0, Input = "x", Min = [1, 3], Opt = [2, 3], Max = [4, 3] },
            new() { Index = 1, Input = "x", Min = [8, 3], Opt = [8, 3], Max = [8, 3] },
        ];
        using Engine engine = TestEngines.Create([-1, 3], profiles);
        using TrtTools.Execution.ExecutionContext context = engine.CreateContext();
        context.Run(Inputs(1, 3));
        context.Run(Inputs(4, 3));
        context.Run(Inputs(8, 3));
        TrtToolsException e = Fails(engine, Inputs(5, 3));
        Assert.Equal(ErrorCode.ShapeOutOfProfile, e.Code);
        Assert.Contains("[1,3] to [4,3]", e.Message, StringComparison.Ordinal);
        Assert.Contains("[8,3] to [8,3]", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disposed_engine_says_so()
    {
        Engine engine = TestEngines.Create();
        TrtTools.Execution.ExecutionContext context = engine.CreateContext();
        context.Run(Inputs(2, 3));
        engine.Dispose();
        engine.Dispose();
        Assert.Equal(ErrorCode.ObjectNotLive, Assert.Throws<TrtToolsException>(() => context.Run(Inputs(2, 3))).Code);
        Assert.Equal(ErrorCode.ObjectNotLive, Assert.Throws<TrtToolsException>(engine.CreateContext).Code);
    }

    [Fact]
    public async Task Disposing_while_others_run_harms_nobody()
    {
        for (int round = 0; round < 20; round++)
        {
            Engine engine = TestEngines.Create();
            Task[] tasks = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                using TrtTools.Execution.ExecutionContext context = engine.CreateContext();
                try
                {
                    for (int i = 0; i < 200; i++) context.Run(Inputs(2, 3));
                }
                catch (TrtToolsException e) when (e.Code == ErrorCode.ObjectNotLive)
                {
                }
            }))];
            engine.Dispose();
            foreach (Task task in tasks)
            {
                Exception? failure = await Record.ExceptionAsync(() => task);
                Assert.True(failure is null or TrtToolsException { Code: ErrorCode.ObjectNotLive }, failure?.ToString());
            }
        }
    }

    [Fact]
    public void A_summary_is_plain()
    {
        using Engine engine = TestEngines.Create();
        EngineSummary summary = engine.ToSummary();
        Assert.Equal("double", summary.Name);
        Assert.Equal(1, summary.LayerCount);
        Assert.Equal(["x: Float32[2,3]"], summary.Inputs);
        EngineLayer layer = Assert.Single(engine.Layers);
        Assert.Equal(100, layer.Percent);
        Assert.Equal("Cpu", layer.Device);
    }

    [Fact]
    public void An_unknown_kind_of_step_is_incompatible()
    {
        (EngineHeader header, EngineContent content) = TestEngines.Content([10]);
        content.Plan.Body.Steps[0].Host.Kind = "from the future";
        using Engine engine = new(header, content, null, 0);
        Assert.Equal(ErrorCode.EngineIncompatible, Fails(engine, Inputs(2, 3)).Code);
    }

    [Fact]
    public void Without_the_compiler_a_CPU_engine_says_what_is_missing()
    {
        (EngineHeader header, EngineContent content) = TestEngines.Content([10]);
        content.Plan.Body.Steps[0].Host.Kind = TrtTools.Launch.HostSteps.OnnxRuntime;
        using Engine engine = new(header, content, null, 0);
        TrtToolsException e = Fails(engine, Inputs(2, 3));
        Assert.Equal(ErrorCode.EngineIncompatible, e.Code);
        Assert.Contains("TrtTools.Core", e.Message, StringComparison.Ordinal);
    }
}
