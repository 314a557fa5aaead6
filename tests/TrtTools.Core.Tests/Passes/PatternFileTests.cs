using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Passes.Fusion;

namespace TrtTools.Tests.Passes;

public sealed class PatternFileTests
{
    private const string Own = """
        parts:
          Gate: Sigmoid(Mul(g, k#))
        patterns:
          - name: GatedSum
            place: whole
            shapes: ["Add(Mul(x, $Gate), r)", "Mul(x, $Gate)"]
            guards: [constant r, rank-at-least x 2]
          - name: SquaredRelu
            shapes: ["Pow(Relu(x), 2)"]
        """;

    [Fact]
    public void A_users_pattern_fuses_alone_and_behind_a_layer()
    {
        using TestFolder folder = new();
        string path = folder.File("own.yaml");
        File.WriteAllText(path, Own);
        OnnxGraph gated = TestGraphs.Parse("x: Float32[2,3], g: Float32[2,3] -> y { k = Float32 1.5; r = Float32[3] random(1); m = Mul(k, g); s = Sigmoid(m); p = Mul(s, x); y = Add(r, p) }");
        OnnxGraph fused = Fuse(gated, path);
        Assert.Equal("y = trt.tools::GatedSum(g, x, r){c0=1.5}", TestGraphs.Nodes(fused));
        Rewriting.AssertSameResults(gated, fused);
        Assert.Equal("Invoke-LayerFusion -PatternPath own.yaml", fused.History[^1].ToString());
        OnnxGraph layer = TestGraphs.Parse("x: Float32[1,2,3] -> y { w = Float32[3,4] random(1); t = Float32 2.0; m = MatMul(x, w); r = Relu(m); y = Pow(r, t) }");
        Assert.Equal("y = trt.tools::MatMulSquaredRelu(x, w){c0=2.0}", TestGraphs.Nodes(Fuse(layer, path)));
        Assert.Equal("y = trt.tools::SquaredRelu(x){c0=2.0}", TestGraphs.Nodes(Fuse(TestGraphs.Parse("x: Float32[2,3] -> y { t = Float32 2.0; r = Relu(x); y = Pow(r, t) }"), path)));
    }

    [Fact]
    public void Its_guards_say_why_not()
    {
        using TestFolder folder = new();
        string path = folder.File("own.yaml");
        File.WriteAllText(path, Own.Replace(", \"Mul(x, $Gate)\"", "", StringComparison.Ordinal));
        OnnxGraph graph = TestGraphs.Parse("x: Float32[2,3], g: Float32[2,3], r: Float32[3] -> y { k = Float32 1.5; m = Mul(k, g); s = Sigmoid(m); p = Mul(s, x); y = Add(r, p) }");
        Assert.Contains(Fuse(graph, path).FusionReport, r => r is { Fused: false, Pattern: "GatedSum", Reason: "'r' is not constant" });
    }

    [Theory]
    [InlineData("patterns: [{name: A, shapes: ['Add(x, ']}]", "Pattern 'A': In 'Add(x, ', a name or a number was expected at the end.")]
    [InlineData("patterns: [{name: A, shapes: ['x']}]", "ends in a name")]
    [InlineData("patterns: [{name: A, shapes: []}]", "It has no shapes")]
    [InlineData("patterns: [{name: A}]", "It has no shapes")]
    [InlineData("patterns: [{name: a b, shapes: ['Relu(x)']}]", "The name 'a b'")]
    [InlineData("patterns: [{name: A, shapes: ['Relu(x)'], guards: [ripe x]}]", "There is no guard 'ripe'")]
    [InlineData("patterns: [{name: A, shapes: ['Relu(x)'], guards: [rank y 4]}]", "No shape names 'y'")]
    [InlineData("patterns: [{name: A, shapes: ['Relu(x)'], guards: [rank x four]}]", "'four' is no whole number")]
    [InlineData("patterns: [{name: A, shapes: ['Relu(x)'], guards: [rank x]}]", "takes 2 words")]
    [InlineData("patterns: [{name: A, shapes: ['Relu(y)']}]", "An activation calls what it works on 'x'")]
    [InlineData("patterns: [{name: A, shapes: ['Relu($B)']}]", "There is no part '$B'")]
    [InlineData("parts: {B: Neg($C), C: Neg($B)}\npatterns: [{name: A, shapes: ['Relu($B)']}]", "in a circle")]
    [InlineData("patterns: [{name: A, shapes: ['Relu(x)'], colour: red}]", "'colour' is unknown here")]
    [InlineData("patterns: [{name: A, shapes: ['Relu(x)']}, {name: A, shapes: ['Neg(x)']}]", "two patterns 'A'")]
    [InlineData("patterns: [{name: Gelu, shapes: ['Relu(x)']}]", "there is a pattern 'Gelu' already")]
    [InlineData("shapes", "It is no map")]
    [InlineData("patterns: {}", "'patterns' is missing, or no list")]
    [InlineData("", "It is no map")]
    [InlineData("a: [", "")]
    [InlineData("patterns: [{name: A, place: top, shapes: ['Relu(x)']}]", "'place' is 'whole' or 'activation'")]
    [InlineData("patterns: [{name: A, place: whole, shapes: ['Relu(x)'], visible: [z]}]", "No shape names 'z'")]
    public void A_file_with_a_fault_names_it(string text, string found)
    {
        using TestFolder folder = new();
        string path = folder.File("own.yaml");
        File.WriteAllText(path, text);
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Fuse(TestGraphs.Parse("x: Float32[2] -> y { y = Relu(x) }"), path));
        Assert.Equal(ErrorCode.DataInvalid, error.Code);
        Assert.Contains(found, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_and_large_files_are_refused()
    {
        Assert.Throws<TrtToolsException>(() => PatternFile.Parse("a: " + new string('[', 100_000), "x"));
        Assert.Throws<TrtToolsException>(() => PatternFile.Parse(string.Concat(Enumerable.Repeat("- ", 100_000)), "x"));
        Assert.Throws<TrtToolsException>(() => PatternFile.Parse($"patterns: [{{name: A, shapes: ['{string.Concat(Enumerable.Repeat("Relu(", 5000))}x{new string(')', 5000)}']}}]", "x"));
        string parts = string.Join(", ", Enumerable.Range(0, 30).Select(i => $"P{i}: Add($P{i + 1}, $P{i + 1})"));
        Assert.Throws<TrtToolsException>(() => PatternFile.Parse($"parts: {{{parts}, P30: x}}\npatterns: [{{name: A, shapes: ['$P0']}}]", "x"));
    }

    [Fact]
    public void A_missing_file_is_told()
    {
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => Fuse(TestGraphs.Parse("x: Float32[2] -> y { y = Relu(x) }"), "/nowhere/own.yaml"));
        Assert.Equal(ErrorCode.FileNotReadable, error.Code);
    }

    private static OnnxGraph Fuse(OnnxGraph graph, string path) => LayerFusion.Fuse(graph, new FusionOptions { PatternPath = [path] }, Report.None, CancellationToken.None);
}
