using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Onnx;

namespace TrtTools.Tests.Audit;

public sealed class GraphLintTests
{
    [Fact]
    public void Shared_models_have_no_errors_but_style_candys_removed_operators()
    {
        foreach (string name in SharedModels.Names)
        {
            using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, default);
            string[] errors = [.. GraphLint.Check(graph).Where(f => f.Severity == FindingSeverity.Error).Select(f => $"{f.Code} {f.Message}")];
            if (name == "style-candy") Assert.All(errors, e => Assert.StartsWith("OperatorRemoved", e));
            else Assert.True(errors.Length == 0, $"{name}: {string.Join("\n", errors)}");
        }
    }

    [Theory]
    // What the model as a whole lacks.
    [InlineData("<ir 0> x: Float32[2] -> y: Float32[2] { y = Relu(x) }", "IrVersionMissing", "")]
    [InlineData("<ir 3> x: Float32[2] -> y: Float32[2] { w = Float32[2] [1, 2]; y = Add(x, w) }", "IrVersionTooOld", "")]
    [InlineData("<ir 8, opset 21> x: Float32[2] -> y: Int4[2] { s = Float32 1; y = QuantizeLinear(x, s){output_dtype=22} }", "IrVersionTooOld", "y")]
    [InlineData("<opset 99> x: Float32[2] -> y: Float32[2] { y = Relu(x) }", "OpsetUnknown", "")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = com.microsoft::Gelu(x) }", "OpsetImportMissing", "y")]
    [InlineData("x: Float32[2] -> { y = Relu(x) }", "OutputMissing", "")]
    // Operators.
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Reluu(x) }", "OperatorUnknown", "y")]
    [InlineData("<opset 13> x: Float32[2] -> y: Float32[2] { y = Mish(x) }", "OperatorTooNew", "y")]
    [InlineData("<opset 17> x: Float32[2] -> y: Float32[2] { y = Upsample(x){scales=[1.0]} }", "OperatorRemoved", "y")]
    [InlineData("x: Float32[1,1,4,4] -> y: Float32[1,1,4,4] { y = Affine(x) }", "OperatorRemoved", "y")]
    [InlineData("<opset 17, my.ops 1> x: Float32[2] -> y: Float32[2] { y = my.ops::F(x) }", "OperatorCustom", "y")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Add(x) }", "InputCountInvalid", "y")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Relu(x, x) }", "InputCountInvalid", "y")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Add(_, x) }", "InputMissing", "y")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y, z = Relu(x) }", "OutputCountInvalid", "y")]
    [InlineData("x: Float32[2] -> y { y = Cast(x) }", "AttributeMissing", "y")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Relu(x){alpha=1.0} }", "AttributeUnknown", "y")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = LeakyRelu(x){alpha=1} }", "AttributeKindInvalid", "y")]
    [InlineData("-> y: Float32[] { y = Constant() }", "ConstantInvalid", "y")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Relu(x){alpha=$a:Float} }", "ReferenceOutsideFunction", "y")]
    // Types and shapes.
    [InlineData("x -> y: Float32[2] { y = Relu(x) }", "InputTypeMissing", "")]
    [InlineData("x: Float32 -> y: Float32[2] { y = Relu(x) }", "InputShapeMissing", "")]
    [InlineData("x: Float32[2] -> y { y = Relu(x) }", "OutputTypeMissing", "y")]
    [InlineData("x: Float32[2], z: Int64[2] -> y: Float32[2] { y = Add(x, z) }", "TypeContradiction", "y")]
    [InlineData("x: Float32[2] -> y: Int64[2] { y = Relu(x) }", "TypeContradiction", "y")]
    [InlineData("x: Int64[2] -> y { y = Sigmoid(x) }", "TypeInvalid", "y")]
    [InlineData("x: Float32[2,3], z: Float32[4,2] -> y { y = MatMul(x, z) }", "ShapeContradiction", "y")]
    [InlineData("x: Float32[2] -> y: Float32[3] { y = Relu(x) }", "DeclarationContradiction", "y")]
    [InlineData("x: Float32[2], w: Float32[3] -> y: Float32[2] { w = Float32[2] [1, 2]; y = Add(x, w) }", "InitializerTypeContradiction", "")]
    [InlineData("x: Float32[2] -> y: Float32[2] { w = Float32[2] [1, nan]; y = Add(x, w) }", "WeightNotFinite", "y")]
    // What is there in vain.
    [InlineData("x: Float32[2], z: Float32[2] -> y: Float32[2] { y = Relu(x) }", "InputUnused", "")]
    [InlineData("x: Float32[2] -> y: Float32[2] { w = Float32[2] [1, 2]; y = Relu(x) }", "InitializerUnused", "")]
    [InlineData("x: Float32[2] -> y: Float32[2] { y = Relu(x); z = Neg(x) }", "NodeDead", "z")]
    [InlineData("x: Float32[2] -> y: Float32[2] { z = Neg(x) @n; y = Neg(z) @n }", "NodeNameDuplicate", "n")]
    [InlineData("x: Float32[2] -> y: Float32[2] { a = Neg(x); b = Neg(x); y = Add(a, b) }", "NodeDuplicate", "b")]
    [InlineData("x: Float32[2], w: Float32[2] -> y: Float32[2] { w = Float32[2] [1, 2]; y = Add(x, w) }", "InitializerOverridable", "")]
    [InlineData("x: Float32[2] -> y: Float32[2], y: Float32[2] { y = Relu(x) }", "OutputDuplicate", "y")]
    // Subgraphs.
    [InlineData("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch=() -> t { t = Reluu(x) }, else_branch=() -> e { e = Neg(x) }} }", "OperatorUnknown", "t")]
    [InlineData("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch=() -> x2 { x2 = Relu(x) }, else_branch=() -> e { x = Neg(c); e = Neg(x) }} }", "NameShadowed", "x")]
    [InlineData("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch=() -> t, t2 { t = Relu(x); t2 = Neg(x) }, else_branch=() -> e { e = Neg(x) }} }", "SubgraphSignatureInvalid", "y")]
    [InlineData("n: Int64[], c: Bool[], x: Float32[2] -> y { y = Loop(n, c, x){body=(i, d) -> d, s { s = Relu(x) }} }", "SubgraphSignatureInvalid", "y")]
    [InlineData("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch=() -> t { t = Relu(x); u = Exp(x) }, else_branch=() -> e { e = Neg(x) }} }", "NodeDead", "u")]
    public void Each_fault_has_its_code_and_its_node(string text, string code, string node)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        IReadOnlyList<GraphFinding> findings = GraphLint.Check(graph);
        GraphFinding? finding = findings.FirstOrDefault(f => f.Code == code);
        Assert.True(finding is not null, string.Join("\n", findings));
        Assert.Equal(node, finding.NodeName);
        Assert.NotEmpty(finding.Fix);
        Assert.Equal("test", finding.Model);
    }

    [Theory]
    [InlineData("y = trt.tools::Scall(x){by=2.0}", "FunctionUndefined", "y", "Did you mean Scale?")]
    [InlineData("y = trt.tools::Scale(x)", "AttributeMissing", "y", "")]
    [InlineData("y = trt.tools::Scale(x){by=2.0, of=1}", "AttributeUnknown", "y", "")]
    [InlineData("y = trt.tools::Scale(x, x){by=2.0}", "InputCountInvalid", "y", "")]
    [InlineData("y, z = trt.tools::Scale(x){by=2.0}", "OutputCountInvalid", "y", "")]
    [InlineData("y = Relu(x)", "FunctionUnused", "", "")]
    [InlineData("y = trt.tools::Scale(x){by=2.0}", "OperatorUnknown", "odd", "Did you mean Neg?")]
    [InlineData("y = trt.tools::Scale(x){by=2.0}", "ReferenceUnknown", "odd", "")]
    public void Functions_and_their_calls_are_checked(string node, string code, string name, string fix)
    {
        using OnnxGraph graph = TestGraphs.Parse($$"""
            <ir 8, opset 17, trt.tools 1>
            x: Float32[2] -> y: Float32[2] { {{node}} }
            function trt.tools::Scale<by>(v) -> r { k = Constant(){value_float=$by:Float}; odd = Negg(v){alpha=$nobody:Float}; r = Mul(odd, k) }
            """);
        GraphFinding finding = Assert.Single(GraphLint.Check(graph), f => f.Code == code);
        Assert.Equal(name, finding.NodeName);
        if (fix.Length > 0) Assert.Equal(fix, finding.Fix);
    }

    [Fact]
    public void Faults_do_not_hide_each_other()
    {
        using OnnxGraph graph = TestGraphs.Parse("""
            c: Bool[], x: Float32[2,3] -> y {
              a = Nope(x)
              b = MatMul(x, x)
              d = If(c){then_branch=() -> t { t = Nope2(a) }, else_branch=() -> e { e = Add(b) }}
              y = Nope3(d){z=1}
            }
            """);
        Assert.Equal(["a OperatorUnknown", "b ShapeContradiction", "e InputCountInvalid", "t OperatorUnknown", "y OperatorUnknown"],
            GraphLint.Check(graph).Where(f => f.Severity == FindingSeverity.Error).Select(f => $"{f.NodeName} {f.Code}").Order(StringComparer.Ordinal));
        Assert.Equal("Node 't' (Nope2) in a subgraph of node 'd' (If): ai.onnx has no operator 'Nope2'.", GraphLint.Check(graph).First(f => f.NodeName == "t").Message);
    }

    [Fact]
    public void A_sound_graph_has_no_findings_and_is_not_changed()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[N,3] -> y: Float32[N,4] { w = Float32[3,4] random(1); h = MatMul(x, w); y = Relu(h) }");
        string before = TestGraphs.Print(graph);
        Assert.Empty(GraphLint.Check(graph));
        Assert.Equal(before, TestGraphs.Print(graph));
    }

    [Fact]
    public void Random_and_mutated_graphs_are_judged_without_a_crash()
    {
        Random random = new(11);
        using OnnxGraph sound = TestGraphs.Parse("""
            c: Bool[], x: Float32[1,3,8,N] -> y {
              w = Float32[4,3,3,3] random(1); s = Int64[3] [1, 4, -1]
              h = Conv(x, w){pads=[1,1,1,1], strides=[1,1]}
              r = Reshape(h, s)
              p = Transpose(r){perm=[0,2,1]}
              y = If(c){then_branch=() -> t { t = Softmax(p){axis=-1} }, else_branch=() -> e { e = ReduceMean(p){axes=[1], keepdims=0} }}
            }
            """);
        byte[] whole = OnnxFile.Serialize(sound);
        for (int i = 0; i < 800; i++)
        {
            byte[] bytes = i % 4 == 0 ? Google.Protobuf.MessageExtensions.ToByteArray(new Onnx.RandomModel(i).Next()) : [.. whole];
            for (int edits = random.Next(0, 4); edits > 0; edits--) bytes[random.Next(bytes.Length)] = (byte)random.Next(i % 2 == 0 ? 256 : 16);
            OnnxGraph graph;
            try { graph = OnnxFile.Parse(bytes, "model"); }
            catch (TrtToolsException) { continue; }
            try { GraphLint.Check(graph); }
            catch (Exception e) { Assert.Fail($"Model {i}: {e}"); }
        }
    }
}
