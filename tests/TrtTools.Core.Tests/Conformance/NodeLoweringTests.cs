using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using TrtTools.Tests.Lowering;

namespace TrtTools.Tests.Conformance;

/// <summary>ONNX's node cases, lowered and run by the Reference device, in a plain and in a fused program.</summary>
public sealed class NodeLoweringTests(ITestOutputHelper output)
{
    [Fact]
    public void Lowered_cases_compute_what_ONNX_Runtime_computes()
    {
        IReadOnlyList<NodeCase> cases = NodeCase.All("node");
        SortedDictionary<string, string> faults = new(StringComparer.Ordinal), refused = new(StringComparer.Ordinal);
        SortedDictionary<string, int> left = new(StringComparer.Ordinal);
        int device = 0, host = 0;
        Lock gate = new();
        Parallel.ForEach(cases, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, c =>
        {
            byte[] original = File.ReadAllBytes(c.ModelPath);
            if (c.ReadInputs(ModelProto.Parser.ParseFrom(original), out IReadOnlySet<string> sequences) is not { } inputs || sequences.Count > 0) return;
            IReadOnlyDictionary<string, IReadOnlyList<TensorData>> expected;
            try
            {
                expected = CaseRunner.Run(original, inputs, sequences);
            }
            catch (Exception e) when (e is Microsoft.ML.OnnxRuntime.OnnxRuntimeException or TrtToolsException)
            {
                return;
            }
            if (expected.Values.Any(v => v.Count != 1)) return;
            OnnxGraph graph = OnnxFile.Import(c.ModelPath, Report.None, CancellationToken.None);
            foreach (bool fuse in new[] { false, true })
            {
                try
                {
                    LoweredProgram program = GraphLowering.Lower(graph, new LoweringOptions { Fuse = fuse }, Report.None, CancellationToken.None);
                    lock (gate)
                    {
                        if (fuse) _ = program.Warnings.Count > 0 ? host++ : device++;
                        if (fuse) foreach (string type in program.Steps.OfType<HostGraphStep>().SelectMany(s => s.Graph.Body.NodesWithSubgraphs).Select(n => n.OpType)) left[type] = left.GetValueOrDefault(type) + 1;
                    }
                    Dictionary<string, TensorData> wanted = expected.ToDictionary(e => e.Key, e => e.Value[0]);
                    LoweringCheck.Compare($"fuse {fuse}", program, inputs.ToDictionary(i => i.Key, i => i.Value[0]), wanted, Tolerance(expected), c.Name.StartsWith("test_dynamicquantizelinear", StringComparison.Ordinal) ? 1 : 0);
                }
                catch (TrtToolsException e)
                {
                    lock (gate) refused[c.Name] = e.Message;
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    lock (gate) faults[c.Name] = $"{e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}";
                }
            }
        });
        output.WriteLine($"{cases.Count} cases: {device} by regions alone, {host} with steps on the CPU, {refused.Count} refused, {faults.Count} wrong");
        output.WriteLine($"on the CPU: {string.Join(", ", left.Select(l => $"{l.Key} {l.Value}"))}");
        foreach ((string name, string reason) in refused) output.WriteLine($"refused {name}: {reason}");
        foreach ((string name, string fault) in faults) output.WriteLine($"wrong {name}: {fault}");
        Assert.Empty(faults);
        Assert.True(device > 500, $"only {device} cases were lowered whole");
    }

    private static double Tolerance(IReadOnlyDictionary<string, IReadOnlyList<TensorData>> expected) =>
        expected.Values.Any(v => v[0].Type is DataType.Float16 or DataType.BFloat16) ? LoweringCheck.Float16 : LoweringCheck.Float32;
}
