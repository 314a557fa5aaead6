using CsCheck;
using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;

namespace TrtTools.Tests.Surgery;

/// <summary>Random operations on random graphs: the result is a graph that nothing is wrong with and ONNX Runtime loads, or the operation is refused with a reason;
/// the graph it began with is the same either way.</summary>
public sealed class SurgeryPropertyTests
{
    private const int OperationsPerGraph = 5;

    [Fact]
    public void Keeps_a_valid_graph_or_refuses()
    {
        int done = 0, refused = 0;
        Gen.Int.Sample(seed =>
        {
            Random random = new(seed);
            OnnxGraph graph = RandomGraph.Next(random);
            AssertValid(graph, $"graph {seed}");
            for (int i = 0; i < OperationsPerGraph; i++)
            {
                (string what, Func<OnnxGraph, OnnxGraph> operation) = RandomOperation.Next(graph, random);
                string before = TestGraphs.Print(graph);
                OnnxGraph? after = null;
                try
                {
                    after = operation(graph);
                    Interlocked.Increment(ref done);
                }
                catch (TrtToolsException e)
                {
                    Assert.True(e.Code is not ErrorCode.InternalError && e.Message.Length > 20, $"seed {seed}, {what}: {e.Message}");
                    Interlocked.Increment(ref refused);
                }
                catch (Exception e) when (e is not Xunit.Sdk.XunitException)
                {
                    Assert.Fail($"seed {seed}, {what} on\n{before}\n{e}");
                }
                Assert.True(before == TestGraphs.Print(graph), $"seed {seed}, {what}: the graph it began with changed");
                if (after is null) continue;
                AssertValid(after, $"seed {seed}, {what} on\n{before}");
                graph = after;
            }
        }, iter: 200, threads: 2);
        // Enough of both, or the test says little.
        Assert.True(done > 300, $"{done} operations done, {refused} refused");
        Assert.True(refused > 200, $"{done} operations done, {refused} refused");
    }

    private static void AssertValid(OnnxGraph graph, string what)
    {
        GraphFinding? error = GraphLint.Check(graph).FirstOrDefault(f => f.Severity == FindingSeverity.Error);
        Assert.True(error is null, $"{what}\ngave {error?.Message}\n{TestGraphs.Print(graph)}");
        try
        {
            using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Optimization = OrtOptimization.None, Subject = graph.Name, Threads = 1 });
        }
        catch (TrtToolsException e)
        {
            Assert.Fail($"{what}\ngave what ONNX Runtime refuses: {e.Message}\n{TestGraphs.Print(graph)}");
        }
    }
}
