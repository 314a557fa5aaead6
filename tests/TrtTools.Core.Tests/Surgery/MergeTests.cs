using TrtTools.Ir;
using TrtTools.Surgery;
using static TrtTools.Tests.Surgery.Operating;

namespace TrtTools.Tests.Surgery;

public sealed class MergeTests
{
    private const string Front = "image: Float32[N,3] -> feature: Float32[N,3] { w = Float32[3] random(1); a = Mul(image, w); feature = Relu(a) }";
    private const string Back = "x: Float32[B,3] -> score: Float32[B,3] { w = Float32[3] random(2); a = Add(x, w); score = Exp(a) }";

    private static OnnxGraph Merge(string first, string second, MergeOptions options) => On(first, g => GraphMerge.Merge(g, TestGraphs.Parse(second), options));

    private static KeyValuePair<string, string>[] Map(params string[] pairs) => [.. pairs.Select(p => p.Split('=')).Select(p => KeyValuePair.Create(p[0], p[1]))];

    [Fact]
    public void The_second_reads_what_the_first_gives()
    {
        OnnxGraph joined = Merge(Front, Back, new MergeOptions { Map = Map("feature=x") });
        Assert.Equal("a = Mul(image, w); feature = Relu(a); a_2 = Add(feature, w_1); score = Exp(a_2)", TestGraphs.Nodes(joined));
        // The two batches are one.
        Assert.Equal(["image: Float32[N,3]", "score: Float32[N,3]"], joined.Inputs.Concat(joined.Outputs).Select(t => t.ToString()));
        Assert.Equal(TestGraphs.Print(joined), TestGraphs.Print(Merge(Front, Back, new MergeOptions())));
    }

    [Fact]
    public void Outputs_can_stay_and_names_can_have_a_prefix()
    {
        OnnxGraph joined = Merge(Front, Back, new MergeOptions { Map = Map("feature=x"), KeepOutput = true, Prefix = "head/" });
        Assert.Equal(["feature", "head/score"], joined.Outputs.Select(o => o.Name));
        Assert.Equal(["w", "head/w"], joined.Initializers.Select(i => i.Name));
        Assert.All(joined.Nodes.Skip(2), n => Assert.StartsWith("head/", n.Name, StringComparison.Ordinal));
    }

    [Fact]
    public void A_tensor_in_the_middle_and_an_input_can_feed_the_second()
    {
        OnnxGraph joined = Merge(Front, "x: Float32[B,3], z: Float32[B,3] -> sum: Float32[B,3] { sum = Add(x, z) }", new MergeOptions { Map = Map("a=x", "image=z") });
        Assert.Equal(["feature", "sum"], joined.Outputs.Select(o => o.Name));
        Assert.Contains("sum = Add(a, image)", TestGraphs.Nodes(joined), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_inputs_stay_inputs_and_symbols_of_one_name_stay_apart()
    {
        OnnxGraph joined = Merge(Front, "x: Float32[B,3], z: Float32[N] -> s: Float32[B,3], t: Float32[N] { s = Exp(x); t = Neg(z) }", new MergeOptions { Map = Map("feature=x") });
        Assert.Equal(["image: Float32[N,3]", "z: Float32[N_2]"], joined.Inputs.Select(i => i.ToString()));
        Assert.Equal("t: Float32[N_2]", joined.Outputs[1].ToString());
        Assert.Contains("-Prefix", Refused(Front, ErrorCode.ChangeRefused, g => GraphMerge.Merge(g, TestGraphs.Parse("x: Float32[B,3], image: Float32[2] -> s: Float32[B,3], t: Float32[2] { s = Exp(x); t = Neg(image) }"), new MergeOptions { Map = Map("feature=x") })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Subgraphs_keep_apart_from_the_names_around_them()
    {
        OnnxGraph joined = Merge(Front, "x: Float32[B,3], c: Bool -> s: Float32[B,3] { s = If(c){then_branch=() -> a: Float32[B,3] { a = Neg(x) }, else_branch=() -> e: Float32[B,3] { e = Abs(x) }} }", new MergeOptions { Map = Map("feature=x") });
        Assert.DoesNotContain(TrtTools.Audit.GraphLint.Check(joined), f => f.Code == "NameShadowed");
    }

    [Fact]
    public void What_the_second_only_passes_on_keeps_its_name()
    {
        OnnxGraph joined = Merge(Front, "x: Float32[B,3] -> x, y: Float32[B,3] { y = Exp(x) }", new MergeOptions { Map = Map("feature=x") });
        Assert.Equal(["x", "y"], joined.Outputs.Select(o => o.Name));
    }

    [Fact]
    public void Graphs_that_do_not_fit_are_refused()
    {
        Assert.Contains("Float32[B,4]", Refused(Front, ErrorCode.ChangeRefused, g => GraphMerge.Merge(g, TestGraphs.Parse("x: Float32[B,4] -> y: Float32[B,4] { y = Exp(x) }"), new MergeOptions())).Message, StringComparison.Ordinal);
        Assert.Contains("opset 17", Refused(Front, ErrorCode.ChangeRefused, g => GraphMerge.Merge(g, TestGraphs.Parse("<opset 18> x: Float32[B,3] -> y: Float32[B,3] { y = Exp(x) }"), new MergeOptions())).Message, StringComparison.Ordinal);
        Refused(Front, ErrorCode.InputNotFound, g => GraphMerge.Merge(g, TestGraphs.Parse(Back), new MergeOptions { Map = Map("feature=q") }));
        Refused(Front, ErrorCode.TensorNotFound, g => GraphMerge.Merge(g, TestGraphs.Parse(Back), new MergeOptions { Map = Map("q=x") }));
        Refused(Front, ErrorCode.OptionInvalid, g => GraphMerge.Merge(g, TestGraphs.Parse("p: Float32[3], q: Float32[3] -> y: Float32[3] { y = Add(p, q) }"), new MergeOptions()));
    }

    [Fact]
    public void Functions_come_along_and_must_agree()
    {
        string call(string op) => $"<f 1> x: Float32[B,3] -> y: Float32[B,3] {{ y = f::Act(x) }} function f::Act(p) -> q {{ q = {op}(p) }}";
        OnnxGraph joined = Merge(Front, call("Neg"), new MergeOptions());
        Assert.Equal(["f::Act"], joined.Functions);
        Assert.Equal(["f::Act"], GraphMerge.Merge(joined, TestGraphs.Parse(call("Neg")), new MergeOptions()).Functions);
        Assert.Throws<TrtToolsException>(() => GraphMerge.Merge(joined, TestGraphs.Parse(call("Abs")), new MergeOptions()));
    }
}
