using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Tests;

namespace TrtTools.Build;

public sealed class SupportCheckTests
{
    private static IReadOnlyList<OperatorSupport> Check(string text, bool detailed = false)
    {
        using OnnxGraph graph = TestGraphs.Parse(text);
        return SupportCheck.Check(graph, SupportTarget.Cuda, detailed);
    }

    [Fact]
    public void What_a_kernel_computes_is_supported_without_a_word()
    {
        OperatorSupport record = Assert.Single(Check("x: Float32[4,4] -> y { a = Relu(x); y = Relu(a) }"));
        Assert.Equal((true, "", 2, SupportTarget.Cuda), (record.Supported, record.Reason, record.Count, record.Target));
        Assert.Equal(2, Check("x: Float32[4,4] -> y { a = Relu(x); y = Relu(a) }", detailed: true).Count);
    }

    [Fact]
    public void What_runs_on_the_host_says_so()
    {
        IReadOnlyList<OperatorSupport> records = Check("x: Float32[4] -> y { v = Unique(x); y = Relu(v) }");
        OperatorSupport unique = Assert.Single(records, r => r.Operator == "Unique");
        Assert.True(unique.Supported);
        Assert.Contains("runs on the CPU inside the engine", unique.Reason, StringComparison.Ordinal);
        Assert.Equal("", Assert.Single(records, r => r.Operator == "Relu").Reason);
    }

    [Fact]
    public void What_neither_runs_is_not_supported() =>
        Assert.Contains(Check("x: Float32[1,3,8,8] -> y { y = ImageScaler{bias=[1.0,1.0,1.0], scale=1.0}(x) }"), r => !r.Supported && r.Operator == "ImageScaler");

    [Fact]
    public void Other_targets_are_audited_by_their_rules()
    {
        using OnnxGraph graph = TestGraphs.Parse("x: Float32[4,4] -> y { y = Relu(x) }");
        Assert.Equal(SupportTarget.TensorRT11, Assert.Single(SupportCheck.Check(graph, SupportTarget.TensorRT11, false)).Target);
    }
}
