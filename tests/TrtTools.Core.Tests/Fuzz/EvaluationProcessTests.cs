using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Tests.Fuzz;

public sealed class EvaluationProcessTests
{
    private static readonly IReadOnlyDictionary<string, TensorData> s_input = new Dictionary<string, TensorData> { ["x"] = TensorData.Vector<float>(1, -2) };

    [Fact]
    public void Graphs_run_one_after_another_in_one_process()
    {
        using EvaluationProcess process = EvaluatorOfBuild.Start();
        Assert.Equal([1f, 0f], Run(process, "x: Float32[2] -> y { y = Relu(x) }")["y"].AsSpan<float>().ToArray());
        Assert.Equal([-1f, 2f], Run(process, "x: Float32[2] -> y { y = Neg(x) }")["y"].AsSpan<float>().ToArray());
        Assert.Equal(1, process.Starts);
    }

    [Fact]
    public void An_error_comes_with_its_code_and_the_process_stays()
    {
        using EvaluationProcess process = EvaluatorOfBuild.Start();
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Run(process, "x: Float32[2] -> y { w = Float32[3,2] random(1); y = MatMul(x, w) }"));
        Assert.Equal(ErrorCode.EvaluationFailed, error.Code);
        Assert.False(error.Data.Contains(EvaluationProcess.Collapsed));
        Assert.StartsWith("test: ", error.Message, StringComparison.Ordinal);
        Run(process, "x: Float32[2] -> y { y = Relu(x) }");
        Assert.Equal(1, process.Starts);
    }

    [Fact]
    public void A_process_that_ends_is_an_error_and_the_next_graph_gets_another()
    {
        using EvaluationProcess process = EvaluatorOfBuild.Start();
        Run(process, "x: Float32[2] -> y { y = Relu(x) }");
        process.Running!.Kill();
        process.Running.WaitForExit();
        Run(process, "x: Float32[2] -> y { y = Relu(x) }");
        Assert.Equal(2, process.Starts);
        // In the middle of a run.
        using Timer killer = new(_ => process.Running?.Kill(), null, 1500, Timeout.Infinite);
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Run(process, Endless));
        Assert.Equal(ErrorCode.EvaluationFailed, error.Code);
        Assert.True(error.Data.Contains(EvaluationProcess.Collapsed));
        Run(process, "x: Float32[2] -> y { y = Relu(x) }");
        Assert.Equal(3, process.Starts);
    }

    [Fact]
    public void What_takes_too_long_is_ended()
    {
        using EvaluationProcess process = EvaluatorOfBuild.Start();
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Run(process, Endless));
        Assert.Contains("was not done after 5 s", error.Message, StringComparison.Ordinal);
        Run(process, "x: Float32[2] -> y { y = Relu(x) }");
    }

    [Fact]
    public void Stopping_ends_it()
    {
        using EvaluationProcess process = EvaluatorOfBuild.Start();
        using CancellationTokenSource stop = new(1000);
        Assert.Throws<OperationCanceledException>(() => process.Run(OnnxFile.Serialize(TestGraphs.Parse(Endless)), "test", s_input, stop.Token));
    }

    private const string Endless = "x: Float32[2] -> y { n = Int64 1000000000000; y = Loop(n, _, x){body=(i: Int64[], c: Bool[], a: Float32[2]) -> c, s { s = Neg(a) }} }";

    private static IReadOnlyDictionary<string, TensorData> Run(EvaluationProcess process, string text)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        return process.Run(OnnxFile.Serialize(graph), "test", s_input, CancellationToken.None);
    }
}
