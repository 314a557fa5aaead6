using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Passes;

public sealed class OptimizerTests
{
    [Fact]
    public void Pass_names_are_distinct_verb_phrases()
    {
        Assert.Equal(GraphOptimizer.PassNames.Count, GraphOptimizer.PassNames.Distinct().Count());
        Assert.All(GraphOptimizer.PassNames, n => Assert.Matches("^[a-z]+(-[a-z]+)+$", n));
    }

    [Fact]
    public void Each_pass_is_in_the_list_once()
    {
        IEnumerable<string> written = typeof(Pass).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Pass)) && !t.IsAbstract).Select(t => t.FullName!);
        Assert.Equal(written.Order(StringComparer.Ordinal), PassList.All().Select(p => p.GetType().FullName!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Stop_after_and_exclude_choose_passes_and_a_wrong_name_is_told_the_nearest()
    {
        const string Text = "x: Float32[2] -> z { y = Identity(x); c = Cast(y){to=1}; z = Relu(c) }";
        Assert.Equal("c = Cast(x){to=1}; z = Relu(c)", Nodes(Text, new OptimizeOptions { StopAfter = "remove-identity" }));
        Assert.Equal("c = Cast(x){to=1}; z = Relu(c)", Nodes(Text, new OptimizeOptions { ExcludePass = ["Remove-No-Op-Cast"] }));
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Nodes(Text, new OptimizeOptions { Pass = ["remove-identiy"] }));
        Assert.Equal(ErrorCode.PassUnknown, error.Code);
        Assert.Contains("'remove-identity'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_input_with_a_value_becomes_a_constant()
    {
        const string Text = "x: Float32[2], n: Int64[] -> z { k = Int64 3; e = Equal(n, k); z = If(e){then_branch=() -> t { t = Neg(x) }, else_branch=() -> f { f = Relu(x) }} }";
        OptimizeOptions options = new() { InputValue = new Dictionary<string, Tensor> { ["n"] = new("n", TensorData.Vector<long>(3)) } };
        OnnxGraph optimized = GraphOptimizer.Optimize(TestGraphs.Parse(Text), options, Report.None, CancellationToken.None);
        optimized.ShouldBe("z = Neg(x)");
        Assert.Equal(["x"], optimized.Inputs.Select(i => i.Name));
        Assert.Equal("Optimize-OnnxGraph -InputValue n=3", optimized.History[^1].ToString());
        OptimizeOptions wrong = new() { InputValue = new Dictionary<string, Tensor> { ["m"] = new("m", TensorData.Vector<long>(3)) } };
        Assert.Equal(ErrorCode.InputNotFound, Assert.Throws<TrtToolsException>(() => Nodes(Text, wrong)).Code);
    }

    [Fact]
    public void Verification_takes_back_a_pass_that_changes_results()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[2] -> z { y = Identity(x); r = Relu(y); z = Exp(r) }");
        RecordingReport report = new();
        PassContext result = new PassPipeline([new BreakRelu(), new TrtTools.Passes.Simplify.RemoveIdentity()], new PassVerifier()).Run(new PassContext(graph.Copy(), report, CancellationToken.None));
        Assert.Equal("r = Relu(x); z = Exp(r)", TestGraphs.Nodes(result.Model));
        Assert.Contains("break-relu", Assert.Single(report.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Overridable_initializers_become_constants_with_a_warning()
    {
        Graph body = new("g");
        Value x = body.AddInput("x", new TensorType(DataType.Float32, SymbolicShape.Of([2])));
        Value w = body.AddInput("w", new TensorType(DataType.Float32, SymbolicShape.Of([2])));
        body.AddInitializer("w", TensorData.Vector<float>(1, 2));
        body.AddOutput(body.AddNode("Add", [x, w], ["z"]).Output()!);
        OnnxGraph old = new(body, "old", null, 3, [new KeyValuePair<string, long>("", 7)]);
        RecordingReport report = new();
        OnnxGraph optimized = GraphOptimizer.Optimize(old, new OptimizeOptions(), report, CancellationToken.None);
        Assert.True(optimized.Body.Find("w")!.IsConstant);
        Assert.True(old.Body.Find("w")!.IsGraphInput);
        Assert.Contains("'w'", Assert.Single(report.Warnings), StringComparison.Ordinal);
        optimized.ShouldBe("z = Add(x, w)");
    }

    [Fact]
    public void A_branch_that_cannot_run_is_not_kept()
    {
        // Squeezed to two dimensions, or left with three: Gemm takes two.
        const string Text = "x: Float32[2,3,N] -> z { w = Float32[3,4] random(1); i = Int64[1] [2]; o = Int64[1] [1]; s = Shape(x); n = Gather(s, i); c = Equal(n, o); "
            + "y = If(c){then_branch=() -> t { t = Squeeze(x, i) }, else_branch=() -> e { e = Identity(x) }}; z = Gemm(y, w) }";
        Assert.Equal("t = Squeeze(x, i); z = Gemm(t, w)", Nodes(Text, new OptimizeOptions()));
    }

    [Fact]
    public void Functions_are_opened_and_unused_ones_go()
    {
        const string Text = """
            <ir 8, opset 17, my 1>
            x: Float32[2] -> y { y = my::Scaled(x){by=2.0} }
            function my::Scaled<by>(a) -> b { k = Constant{value_float=$by:Float}(); b = Mul(a, k) }
            function my::Unused(a) -> b { b = Neg(a) }
            """;
        OnnxGraph graph = TestGraphs.Parse(Text);
        OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None);
        Assert.Equal(["Mul"], optimized.Nodes.Select(n => n.OpType));
        Assert.Empty(optimized.Functions);
        Rewriting.AssertSameResults(graph, optimized);
    }

    [Fact]
    public void Values_in_a_graph_are_evaluated_where_they_stand()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[2] -> z { a = Float32[2] [1,2]; b = Neg(a); y = Add(x, b); z = Exp(y) }");
        Value b = graph.Body.Find("b")!, y = graph.Body.Find("y")!;
        IReadOnlyDictionary<Value, TensorData> results = SubgraphEvaluator.Evaluate(graph, [b, y], new Dictionary<string, TensorData> { ["x"] = TensorData.Vector<float>(10, 20) }, CancellationToken.None);
        Assert.Equal([-1f, -2f], results[b].AsSpan<float>().ToArray());
        Assert.Equal([9f, 18f], results[y].AsSpan<float>().ToArray());
        Assert.Equal(ErrorCode.InputNotFound, Assert.Throws<TrtToolsException>(() => SubgraphEvaluator.Evaluate(graph, [y], null, CancellationToken.None)).Code);
    }

    private static string Nodes(string text, OptimizeOptions options) => TestGraphs.Nodes(GraphOptimizer.Optimize(TestGraphs.Parse(text), options, Report.None, CancellationToken.None));

    private sealed class BreakRelu : NodePass
    {
        public override string Name => "break-relu";

        public override IReadOnlyCollection<string> OpTypes { get; } = ["Relu"];

        public override bool Apply(Node node, PassContext context)
        {
            node.OpType = "Neg";
            return true;
        }
    }
}
