using System.Collections.Concurrent;
using Microsoft.ML.OnnxRuntime;
using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Passes;
using TrtTools.Tensors;
using TrtTools.Tests.Onnx;
using TrtTools.Tests.Passes;

namespace TrtTools.Tests.Conformance;

/// <summary>ONNX's own cases, one for each use of each operator: what ONNX Runtime computes from the original it computes from the optimized and from the fused graph.</summary>
public sealed class NodeConformanceTests(ITestOutputHelper output)
{
    /// <summary>Roundings in another order, as where a Softmax becomes one operator.</summary>
    private const double Tolerance = 1e-5;

    [Theory]
    [InlineData("node", 900)]
    [InlineData("simple", 10)]
    [InlineData("pytorch-operator", 20)]
    [InlineData("pytorch-converted", 40)]
    public void Optimized_and_fused_cases_compute_the_same(string kind, int atLeast)
    {
        IReadOnlyList<NodeCase> cases = NodeCase.All(kind);
        ConcurrentDictionary<string, string> refused = new(StringComparer.Ordinal), faults = new(StringComparer.Ordinal);
        int same = 0, random = 0;
        Parallel.ForEach(cases, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, c =>
        {
            try
            {
                switch (Check(c, refused))
                {
                    case true: Interlocked.Increment(ref same); break;
                    case null: Interlocked.Increment(ref random); break;
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                faults[c.Name] = $"{e.GetType().Name}: {e.Message}";
            }
        });
        output.WriteLine($"{kind}: {cases.Count} cases; {same} compute the same optimized and fused, {random} are random and have the same types and shapes, {refused.Count} are not run by ONNX Runtime as they are, {faults.Count} differ");
        foreach ((string reason, int count) in refused.GroupBy(r => r.Value).Select(g => (g.Key, g.Count())).OrderByDescending(g => g.Item2).ThenBy(g => g.Key, StringComparer.Ordinal)) output.WriteLine($"not run, {count}: {reason}");
        foreach ((string name, string fault) in faults.OrderBy(f => f.Key, StringComparer.Ordinal)) output.WriteLine($"{name}: {fault}");
        Assert.Empty(faults);
        Assert.True(cases.Count >= atLeast, $"{cases.Count} cases: the folder is not whole");
        // Most must run, or the test says nothing.
        Assert.True(same >= cases.Count * 2 / 3, $"only {same} of {cases.Count} cases ran");
    }

    /// <summary>True: the same; null: random, and of the same types and shapes; false: ONNX Runtime does not run the original.</summary>
    private static bool? Check(NodeCase node, ConcurrentDictionary<string, string> refused)
    {
        byte[] original = File.ReadAllBytes(node.ModelPath);
        if (node.ReadInputs(ModelProto.Parser.ParseFrom(original), out IReadOnlySet<string> sequences) is not { } inputs)
        {
            refused[node.Name] = "an optional input of nothing, which cannot be given";
            return false;
        }
        IReadOnlyDictionary<string, IReadOnlyList<TensorData>> expected;
        try
        {
            expected = CaseRunner.Run(original, inputs, sequences);
        }
        catch (Exception e) when (e is OnnxRuntimeException or TrtToolsException)
        {
            refused[node.Name] = Reason(e);
            return false;
        }
        OnnxGraph graph = OnnxFile.Import(node.ModelPath, Report.None, CancellationToken.None);
        OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None);
        OnnxGraph fused = LayerFusion.Fuse(graph, new FusionOptions(), Report.None, CancellationToken.None);
        bool isRandom = false;
        foreach ((string what, OnnxGraph changed) in new[] { ("imported", graph), ("optimized", optimized), ("fused", fused) })
        {
            IReadOnlyDictionary<string, IReadOnlyList<TensorData>> actual = CaseRunner.Run(OnnxFile.Serialize(changed), inputs, sequences);
            Assert.Equal(expected.Keys, actual.Keys);
            try
            {
                AssertSame(expected, actual, what);
            }
            catch (Xunit.Sdk.XunitException) when (IsRandom(original, inputs, sequences, expected))
            {
                isRandom = true;
                foreach (string name in expected.Keys) Assert.Equal(expected[name].Select(t => t.ToString()), actual[name].Select(t => t.ToString()));
            }
        }
        return isRandom ? null : true;
    }

    private static void AssertSame(IReadOnlyDictionary<string, IReadOnlyList<TensorData>> expected, IReadOnlyDictionary<string, IReadOnlyList<TensorData>> actual, string what)
    {
        foreach ((string name, IReadOnlyList<TensorData> wanted) in expected)
        {
            Assert.True(wanted.Count == actual[name].Count, $"{what} {name}: {actual[name].Count} tensors instead of {wanted.Count}");
            for (int i = 0; i < wanted.Count; i++) Results.AssertClose(wanted[i], actual[name][i], Tolerance, $"{what} {name}");
        }
    }

    /// <summary>The original itself gives other numbers each time.</summary>
    private static bool IsRandom(byte[] model, IReadOnlyDictionary<string, IReadOnlyList<TensorData>> inputs, IReadOnlySet<string> sequences, IReadOnlyDictionary<string, IReadOnlyList<TensorData>> first)
    {
        for (int i = 0; i < 5; i++)
        {
            IReadOnlyDictionary<string, IReadOnlyList<TensorData>> again = CaseRunner.Run(model, inputs, sequences);
            if (first.Any(o => !o.Value.Zip(again[o.Key]).All(p => p.First.ContentEquals(p.Second)))) return true;
        }
        return false;
    }

    /// <summary>The error without what differs from case to case.</summary>
    private static string Reason(Exception e)
    {
        string text = e.Message.ReplaceLineEndings(" ");
        return text.Length > 140 ? text[..140] + "…" : text;
    }

    [Fact]
    public void Import_and_export_keep_every_message_equal()
    {
        using TestFolder folder = new();
        int count = 0;
        foreach (string kind in new[] { "node", "simple", "pytorch-operator", "pytorch-converted" })
        {
            foreach (NodeCase node in NodeCase.All(kind))
            {
                using OnnxGraph graph = OnnxFile.Import(node.ModelPath, Report.None, default);
                string target = folder.File($"{count++}.onnx");
                OnnxFile.Export(graph, target, new ExportOptions { KeepOverridableInput = true }, Report.None, default);
                MessageComparison.Equal(ModelProto.Parser.ParseFrom(File.ReadAllBytes(node.ModelPath)), ModelProto.Parser.ParseFrom(File.ReadAllBytes(target)), node.Name);
                File.Delete(target);
            }
        }
        output.WriteLine($"{count} models");
    }

    [Fact]
    public void The_audit_knows_every_operator_of_the_cases()
    {
        List<string> unknown = [], mute = [];
        int count = 0;
        foreach (NodeCase node in NodeCase.All("node"))
        {
            using OnnxGraph graph = OnnxFile.Import(node.ModelPath, Report.None, default);
            foreach (SupportTarget target in Enum.GetValues<SupportTarget>())
            {
                IReadOnlyList<OperatorSupport> records = OperatorAudit.Check(graph, target, detailed: true);
                if (graph.Nodes.Count > 0) Assert.NotEmpty(records);
                count += records.Count;
                foreach (OperatorSupport record in records.Where(r => !r.Supported))
                {
                    if (record.Reason.Length == 0 || record.Suggestion.Length == 0) mute.Add($"{node.Name}, {target}: {record.Operator}: '{record.Reason}'");
                    if (record.Reason.Contains("has no operator", StringComparison.Ordinal) || record.Reason.Contains("custom operator", StringComparison.Ordinal)) unknown.Add($"{node.Name}: {record.Reason}");
                }
            }
        }
        output.WriteLine($"{count} verdicts");
        foreach (string line in unknown.Distinct()) output.WriteLine(line);
        foreach (string line in mute) output.WriteLine(line);
        // What is refused says why, and what to do about it.
        Assert.Empty(mute);
        // Training operators of ai.onnx.preview.training are no part of inference, and are unknown to every target.
        Assert.All(unknown, u => Assert.Contains("training", u, StringComparison.Ordinal));
    }
}
