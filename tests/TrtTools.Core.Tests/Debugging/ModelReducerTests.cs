using TrtTools.Ir;
using TrtTools.Tensors;
using TrtTools.Tests;

namespace TrtTools.Debugging;

public sealed class ModelReducerTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static TheoryData<string> Written() => [.. FaultyModels.Written];

    public static TheoryData<string> Shared() => [.. FaultyModels.Shared];

    private static ModelReduction Reduce(OnnxGraph graph, FaultyRuntime runtime, ReductionOptions? options = null) => ModelReducer.Reduce(graph, options ?? new ReductionOptions(), runtime.Check, Report.None, Stop);

    /// <summary>Faulty nodes spread over the model, each one whose fault shows in the model's outputs.</summary>
    private static IEnumerable<string> Faults(OnnxGraph graph, int count)
    {
        using Level whole = Level.Open(graph.Copy(), null, new CheckSession(ReplayFile.Open(null, "", "", "", ""), 0, Report.None, Stop), _ => throw new InvalidOperationException(), "", Report.None);
        ModelCandidate candidate = whole.Whole();
        List<string> names = [.. candidate.Graph.Body.NodesWithSubgraphs.GroupBy(n => n.DisplayName).Where(g => g.Count() == 1 && !g.First().Is("Constant")).Select(g => g.Key)];
        for (int i = 0; i < count; i++)
        {
            int at = (int)((i + 0.5) * names.Count / count);
            string? shown = names.Skip(at).Concat(names.Take(at).Reverse()).Take(40).FirstOrDefault(n => new FaultyRuntime(n).Check(candidate).Outcome == CheckOutcome.Bad);
            if (shown is not null) yield return shown;
        }
    }

    private static void CheckReduction(OnnxGraph graph, int faults)
    {
        int all = graph.Body.NodesWithSubgraphs.Count(), tried = 0;
        foreach (string faulty in Faults(graph, faults).Distinct())
        {
            tried++;
            FaultyRuntime runtime = new(faulty);
            ModelReduction found = Reduce(graph, runtime);
            Assert.True(found.NodeCount <= 3, $"{graph.Name}, {faulty}: {found.NodeCount} nodes: {string.Join(", ", found.Node)}");
            Assert.Contains(faulty, found.Graph.Body.NodesWithSubgraphs.Select(n => n.DisplayName));
            double limit = (2 * Math.Log2(all)) + 10;
            Assert.True(found.CheckCount <= limit, $"{graph.Name}, {faulty}: {found.CheckCount} checks of {limit:F1} for {all} nodes");
            Assert.Equal(runtime.Calls, found.CheckCount);
            Assert.Equal(CheckOutcome.Bad, runtime.Check(new ModelCandidate(found.Graph, found.InputData, found.Expected)).Outcome);
            Assert.Equal(CheckOutcome.Good, new FaultyRuntime().Check(new ModelCandidate(found.Graph, found.InputData, found.Expected)).Outcome);
            TestContext.Current.TestOutputHelper?.WriteLine($"{graph.Name}: {faulty}: {found.NodeCount} of {all} nodes in {found.CheckCount} checks (limit {limit:F1})");
        }
        Assert.True(tried > 0, "no fault shows");
    }

    [Theory]
    [MemberData(nameof(Written))]
    public void One_faulty_node_is_found_in_few_checks(string name) => CheckReduction(FaultyModels.Open(name), 5);

    [Theory]
    [MemberData(nameof(Shared))]
    public void One_faulty_node_of_a_real_model_is_found_in_few_checks(string name) => CheckReduction(FaultyModels.Open(name), 2);

    [Fact]
    public void A_fault_that_needs_two_nodes_far_apart_is_found_with_both()
    {
        OnnxGraph graph = FaultyModels.Open("ladder");
        FaultyRuntime runtime = new("l5", "r31") { OnlyTogether = true };
        ModelReduction found = Reduce(graph, runtime);
        Assert.Equal(["l5", "r31"], found.Node);
        Assert.True(found.CheckCount < 60, $"{found.CheckCount} checks");
    }

    [Theory]
    [InlineData(ReductionModes.Linear)]
    [InlineData(ReductionModes.Bisect)]
    [InlineData(ReductionModes.Bisect | ReductionModes.Branch)]
    public void A_wrong_fusion_of_neighbours_is_found_in_every_mode(ReductionModes mode)
    {
        FaultyRuntime runtime = new("c9", "r9") { OnlyTogether = true };
        ModelReduction found = Reduce(FaultyModels.Open("residual"), runtime, new ReductionOptions { Mode = mode });
        Assert.Equal(["c9", "r9"], found.Node);
        Assert.Equal("c9 = Conv(v8, w9, b){pads=[1, 1, 1, 1]}; r9 = Relu(c9)", TestGraphs.Nodes(found.Graph));
    }

    [Fact]
    public void What_is_no_input_in_truth_becomes_a_constant()
    {
        ModelReduction found = Reduce(FaultyModels.Open("shapes"), new FaultyRuntime("r7"));
        Assert.Equal(["r7"], found.Node);
        Assert.Equal(["v6"], found.Graph.Inputs.Select(i => i.Name));
        Assert.Equal([2L, -1L], found.Graph.Body.Find("c7")!.Data!.ToInt64());
        found = Reduce(FaultyModels.Open("quantized"), new FaultyRuntime("m12"));
        Assert.Equal(["e12"], found.Graph.Inputs.Select(i => i.Name));
        Assert.NotNull(found.Graph.Body.Find("d12")!.Data);
    }

    [Fact]
    public void The_fault_in_a_branch_is_found_there_and_the_branch_that_is_not_taken_is_left_alone()
    {
        ModelReduction found = Reduce(FaultyModels.Open("branch"), new FaultyRuntime("b17"), new ReductionOptions { InputData = Inputs(new() { ["x"] = TensorData.Vector<float>(1, -2, 3), ["c"] = TensorData.Scalar(true) }) });
        Assert.Equal(["b17"], found.Node);
        Assert.Throws<TrtToolsException>(() => Reduce(FaultyModels.Open("branch"), new FaultyRuntime("b17"), new ReductionOptions { InputData = Inputs(new() { ["x"] = TensorData.Vector<float>(1, -2, 3), ["c"] = TensorData.Scalar(false) }) }));
    }

    private static Data.InputSource Inputs(Dictionary<string, TensorData> values) => new Data.IndexedInputSource(1, "test", _ => values.ToDictionary(v => v.Key, v => new Tensor(v.Key, v.Value)));

    [Fact]
    public void A_model_that_ONNX_Runtime_does_not_run_is_reduced_without_data()
    {
        RecordingReport report = new();
        OnnxGraph graph = TestGraphs.Parse("x: Float32[4] -> y { k = Float32[4] random(1); k2 = Neg(k); a = Add(x, k2); b = Neg(a); c = odd::Strange(b); d = Neg(c); y = Neg(d) }");
        ModelReduction found = ModelReducer.Reduce(graph, new ReductionOptions(), c =>
        {
            Assert.Null(c.InputData);
            return new CheckVerdict(c.Graph.Nodes.Any(n => n.OpType == "Strange") ? CheckOutcome.Bad : CheckOutcome.Good);
        }, report, Stop);
        Assert.Contains("c", found.Node);
        Assert.Contains(report.Warnings, w => w.Contains("does not run", StringComparison.Ordinal));
        // Nothing is known of the type of what the operator gives, so nothing is cut there.
        Assert.DoesNotContain("a", found.Node);
    }

    [Fact]
    public void The_good_model_next_to_the_bad_one_comes_on_request()
    {
        ModelReduction found = Reduce(FaultyModels.Open("chain"), new FaultyRuntime("v77"), new ReductionOptions { MinimumGood = true });
        Assert.NotNull(found.GoodGraph);
        Assert.DoesNotContain("v77", found.GoodGraph.Nodes.Select(n => n.Name));
        Assert.Null(Reduce(FaultyModels.Open("chain"), new FaultyRuntime("v77")).GoodGraph);
        found = Reduce(FaultyModels.Open("residual"), new FaultyRuntime("c9", "r9") { OnlyTogether = true }, new ReductionOptions { MinimumGood = true });
        Assert.Single(found.GoodGraph!.Nodes);
        Assert.Contains(found.GoodGraph.Nodes[0].Name, new[] { "c9", "r9" });
    }

    [Fact]
    public void Failures_for_another_reason_are_not_the_fault()
    {
        FaultyRuntime runtime = new("v77");
        ModelReduction found = ModelReducer.Reduce(FaultyModels.Open("chain"), new ReductionOptions { MinimumGood = true }, c => c.Graph.Nodes.Count % 3 == 0 && c.Graph.Nodes.All(n => n.Name != "v77") ? new CheckVerdict(CheckOutcome.Other, "no licence") : runtime.Check(c), Report.None, Stop);
        Assert.Equal(["v77"], found.Node);
        Assert.All(found.Check.Where(c => c.Outcome == CheckOutcome.Other), c => Assert.Equal("no licence", c.Reason));
    }

    [Fact]
    public void A_search_goes_on_where_it_was_stopped()
    {
        using TestFolder folder = new();
        string path = folder.File("replay.json");
        ReductionOptions options = new() { ReplayPath = path, CheckText = "one" };
        OnnxGraph graph = FaultyModels.Open("residual");
        FaultyRuntime whole = new("c9");
        ModelReduction expected = Reduce(graph, whole);
        int calls = 0;
        Assert.Throws<OperationCanceledException>(() => ModelReducer.Reduce(graph, options, c => ++calls > 4 ? throw new OperationCanceledException() : new FaultyRuntime("c9").Check(c), Report.None, Stop));
        FaultyRuntime rest = new("c9");
        ModelReduction found = Reduce(graph, rest, options);
        Assert.Equal(expected.Node, found.Node);
        Assert.Equal(whole.Calls - 4, rest.Calls);
        Assert.Equal([true, true, true, true, false], found.Check.Take(5).Select(c => c.Replayed));
        FaultyRuntime none = new("c9");
        Assert.Equal(expected.Node, Reduce(graph, none, options).Node);
        Assert.Equal(0, none.Calls);

        Assert.Contains("another check", Assert.Throws<TrtToolsException>(() => Reduce(graph, none, options with { CheckText = "two" })).Message, StringComparison.Ordinal);
        Assert.Contains("other content", Assert.Throws<TrtToolsException>(() => Reduce(FaultyModels.Open("chain"), none, options)).Message, StringComparison.Ordinal);
        File.WriteAllText(path, "[]");
        Assert.Equal(ErrorCode.DataInvalid, Assert.Throws<TrtToolsException>(() => Reduce(graph, none, options)).Code);
        Assert.Equal("[]", File.ReadAllText(path));
    }

    [Fact]
    public void A_limit_of_checks_gives_the_smallest_so_far()
    {
        RecordingReport report = new();
        FaultyRuntime runtime = new("v77");
        ModelReduction found = ModelReducer.Reduce(FaultyModels.Open("chain"), new ReductionOptions { MaximumCheck = 4 }, runtime.Check, report, Stop);
        Assert.Equal(4, runtime.Calls);
        Assert.False(found.Complete);
        Assert.InRange(found.NodeCount, 2, 150);
        Assert.Contains("v77", found.Node);
        Assert.Contains(report.Warnings, w => w.Contains("-MaximumCheck", StringComparison.Ordinal));
    }

    [Fact]
    public void A_model_without_a_fault_is_said_to_have_none()
    {
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Reduce(FaultyModels.Open("chain"), new FaultyRuntime()));
        Assert.Equal(ErrorCode.FaultNotFound, error.Code);
    }

    [Fact]
    public void The_given_graph_stays_as_it_is()
    {
        OnnxGraph graph = FaultyModels.Open("shapes");
        string before = TestGraphs.Print(graph);
        Reduce(graph, new FaultyRuntime("r7"));
        Assert.Equal(before, TestGraphs.Print(graph));
    }
}
