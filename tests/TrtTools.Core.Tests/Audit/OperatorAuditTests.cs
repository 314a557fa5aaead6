using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ops;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Tests.Audit;

public sealed class OperatorAuditTests
{
    [Fact]
    public void Style_candy_lacks_three_operators_on_the_cpu()
    {
        using OnnxGraph graph = OnnxFile.Import(SharedModels.Path("style-candy"), Report.None, CancellationToken.None);
        IReadOnlyList<OperatorSupport> gaps = [.. OperatorAudit.Check(graph, SupportTarget.Cpu, false).Where(r => !r.Supported)];
        Assert.Equal(["Affine", "Crop", "ImageScaler"], gaps.Select(g => g.Operator).Order(StringComparer.Ordinal));
        Assert.All(gaps, g => Assert.False(string.IsNullOrEmpty(g.Suggestion)));
        Assert.Equal(7, gaps.Single(g => g.Operator == "Crop").Count);
    }

    public static TheoryData<string> Models => [.. SharedModels.Exists ? SharedModels.Names.Where(n => n != "style-candy") : [""]];

    [Theory]
    [MemberData(nameof(Models))]
    public void Every_other_model_runs_on_the_cpu(string name)
    {
        using OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
        Assert.All(OperatorAudit.Check(graph, SupportTarget.Cpu, false), r => Assert.True(r.Supported, $"{r.Operator}: {r.Reason}"));
        foreach (SupportTarget target in new[] { SupportTarget.TensorRT10, SupportTarget.TensorRT11 })
        {
            IEnumerable<OperatorSupport> gaps = OperatorAudit.Check(graph, target, false).Where(r => !r.Supported);
            TestContext.Current.SendDiagnosticMessage($"{name} {target}: {string.Join("; ", gaps.Select(g => $"{g.Count}x {g.Reason} -> {g.Suggestion}"))}");
            Assert.All(gaps, g => Assert.True(g.Reason.Length > 0 && g.Suggestion.Length > 0));
        }
    }

    [Fact]
    public void Every_gap_is_told_in_one_run_with_subgraphs_and_functions()
    {
        using OnnxGraph graph = TestGraphs.Parse("""
            <trt.tools 1> x: Float32[2,3], c: Bool[] -> y, z, q {
              y = If{then_branch= -> t { t = Relux(x) }, else_branch= -> e { e = Relu(x) }}(c)
              z = trt.tools::F(x); q = my.ops::Thing(x)
            }
            function trt.tools::F (x) -> r { a = Unknown(x); r = Relu(a) }
            """);
        OperatorSupport[] gaps = [.. OperatorAudit.Check(graph, SupportTarget.Cpu, false).Where(r => !r.Supported)];
        Assert.Equal(["Relux", "Thing", "Unknown"], gaps.Select(g => g.Operator).Order(StringComparer.Ordinal));
        Assert.Equal("Did you mean Relu?", gaps.Single(g => g.Operator == "Relux").Suggestion);
        Assert.Equal("my.ops", gaps.Single(g => g.Operator == "Thing").Domain);
        Assert.DoesNotContain(OperatorAudit.Check(graph, SupportTarget.Cpu, false), r => r.Domain == "trt.tools");
        Assert.Equal(2, OperatorAudit.Check(graph, SupportTarget.Cpu, false).Single(r => r.Operator == "Relu").Count);
    }

    [Fact]
    public void Detailed_gives_a_record_for_each_node()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[2,3] -> y { a = Relu(x) @first; y = Relu(a) @second }");
        Assert.Equal(["first", "second"], OperatorAudit.Check(graph, SupportTarget.TensorRT11, true).Select(r => r.NodeName));
        OperatorSupport one = Assert.Single(OperatorAudit.Check(graph, SupportTarget.TensorRT11, false));
        Assert.Equal((2, "first", "ai.onnx", 17L), (one.Count, one.NodeName, one.Domain, one.Opset));
    }

    [Theory]
    [InlineData("<opset 10> x: Float32[1,1,2,2] -> y { s = Float32[4] [1.0,1.0,2.0,2.0]; y = Upsample(x, s) }", SupportTarget.Cpu, "removed in opset 10", "Resize")]
    [InlineData("<opset 8> x: Float32[4], c: Bool[4] -> y { y = Where(c, x, x) }", SupportTarget.Cpu, "came with opset 9", "opset 9")]
    [InlineData("<opset 6> x: Float32[4] -> y { y = Add(x, x) }", SupportTarget.Cpu, "version of opset 6", "opset 7")]
    [InlineData("<opset 27> x: Float32[4] -> y { y = Relu(x) }", SupportTarget.Cpu, "up to opset 26", "opset 26")]
    [InlineData("<opset 22> -> y { y = RandomNormal{shape=[2]}() }", SupportTarget.Cpu, "version of opset 22", "opset 21 or lower")]
    [InlineData("x: BFloat16[1,3,8,8] -> y { k = BFloat16[1,3,1,1] ones; y = Conv(x, k) }", SupportTarget.Cpu, "not for BFloat16", "Cast")]
    [InlineData("x: Float32[1,3,8] -> y { y = MaxPool{kernel_shape=[2]}(x) }", SupportTarget.TensorRT10, "rank 4, 5, not 3", "Reshape")]
    [InlineData("x: Float32[1,3,8,8] -> y { y = MaxPool{kernel_shape=[2,2], dilations=[2,2]}(x) }", SupportTarget.TensorRT10, "dilations = 1, not 2", "setting")]
    [InlineData("x: Float32[1,3,8,8] -> y, i { y, i = MaxPool{kernel_shape=[2,2]}(x) }", SupportTarget.TensorRT10, "no output 1", "other")]
    [InlineData("x: Float32[4,4], a: Int64[1] -> y { y = ReduceSum(x, a) }", SupportTarget.TensorRT11, "input 1 of ReduceSum as a constant", "Optimize-OnnxGraph")]
    [InlineData("x: Float32[4,4] -> a, b, c { a, b, c = DynamicQuantizeLinear(x) }", SupportTarget.TensorRT11, "no DynamicQuantizeLinear", "Calibrate")]
    [InlineData("<opset 24> x: Float32[4,4] -> y { y = Swish(x) }", SupportTarget.TensorRT10, "no Swish", "TensorRT 11")]
    [InlineData("x: UInt8[4,4] -> y { s = Float32 0.1; y = DequantizeLinear(x, s) }", SupportTarget.TensorRT11, "not for UInt8", "")]
    [InlineData("<com.microsoft 1> x: Float32[4,4] -> y { y = com.microsoft::BiasAdd(x, x) }", SupportTarget.Cpu, "no com.microsoft::BiasAdd", "GPU")]
    [InlineData("<com.microsoft 1> e: Float32[1,4,8], q: Float16[1,2,4,8] -> y, z { y, z = com.microsoft::GemmaRotaryEmbedding(e, q, q, q, q) }", SupportTarget.Cpu, "no com.microsoft::GemmaRotaryEmbedding", "GPU")]
    [InlineData("<com.microsoft 1> x: Float32[4,4] -> y { y = com.microsoft::FastGelu(x) }", SupportTarget.TensorRT11, "no com.microsoft::FastGelu", "plugin")]
    public void Gaps(string text, SupportTarget target, string reason, string suggestion)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        OperatorSupport gap = Assert.Single(OperatorAudit.Check(graph, target, false), r => !r.Supported);
        Assert.Contains(reason, gap.Reason, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(suggestion, gap.Suggestion, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("<opset 24> x: Float32[4,4] -> y { y = Swish(x) }", SupportTarget.TensorRT11)]
    [InlineData("<com.microsoft 1> x: Float32[4,4] -> y { y = com.microsoft::FastGelu(x) }", SupportTarget.Cpu)]
    [InlineData("x: Float32[1,3,8,8] -> y { y = ImageScaler{bias=[1.0,1.0,1.0], scale=1.0}(x) }", SupportTarget.TensorRT10)]
    [InlineData("<opset 9> x: Float32[1,1,2,2] -> y { s = Float32[4] [1.0,1.0,2.0,2.0]; y = Upsample(x, s) }", SupportTarget.Cpu)]
    [InlineData("x: Float16[1,3,8,8] -> y { k = Float16[1,3,1,1] ones; y = Conv(x, k) }", SupportTarget.Cpu)]
    public void No_gap(string text, SupportTarget target)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        Assert.All(OperatorAudit.Check(graph, target, false), r => Assert.True(r.Supported, r.Reason));
    }

    [Theory]
    [InlineData(SupportTarget.Cpu)]
    [InlineData(SupportTarget.Cuda)]
    [InlineData(SupportTarget.TensorRT10)]
    [InlineData(SupportTarget.TensorRT11)]
    public void Rules_name_operators_that_exist(SupportTarget target)
    {
        foreach ((string key, IReadOnlyList<OperatorRule> rules) in TargetRules.Of(target).Operators)
        {
            string[] parts = key.Split("::");
            OperatorDefinition? definition = OperatorCatalog.Find(parts.Length == 2 ? parts[0] : "", parts[^1]);
            Assert.True(definition is not null, key);
            Assert.NotEmpty(rules);
            foreach (string attribute in rules.SelectMany(r => r.Attributes.Keys)) Assert.Contains(definition.Attributes, a => a.Name == attribute);
        }
    }

    // Operators of one input that any Float32 tensor of rank 4 suits.
    public static TheoryData<string, int> UnaryVersions
    {
        get
        {
            TheoryData<string, int> cases = [];
            foreach (OperatorDefinition definition in OperatorCatalog.All.Where(d => d.Domain.Length == 0 && d.Form is ComputeForm.Pointwise or ComputeForm.Random or ComputeForm.Composite))
            {
                if (definition.Is(OperatorTraits.Removed) || definition.Elements is ElementClass.Integer or ElementClass.Bool || definition.OpType is "Cast" or "BitCast" or "CastLike" or "Multinomial" or "Det") continue;
                foreach (int version in definition.Versions.Where(v => definition.InputsAt(v).Min == 1 && v >= 7)) cases.Add(definition.OpType, version);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(UnaryVersions))]
    public void The_rules_for_the_cpu_are_those_of_the_runtime(string opType, int version)
    {
        Graph body = new("g");
        Value x = body.AddInput("x", new TensorType(DataType.Float32, new SymbolicShape(1, 3, 8, 8)));
        int outputs = OperatorCatalog.Find("", opType)!.OutputsAt(version).Min;
        Node node = body.AddNode(opType, [x], [.. Enumerable.Range(0, outputs).Select(i => $"y{i}")]);
        if (opType == "GroupNormalization") node.Attributes.Set(TrtTools.Ir.Attribute.Int("num_groups", 1));
        foreach (Value? output in node.Outputs) body.AddOutput(output!);
        using OnnxGraph graph = new(body, opType, null, 10, [new("", version)]);
        bool supported = Assert.Single(OperatorAudit.Check(graph, SupportTarget.Cpu, true)).Supported;
        bool loads = true;
        try
        {
            OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions()).Dispose();
        }
        catch (TrtToolsException)
        {
            loads = false;
        }
        Assert.Equal(loads, supported);
    }
}
