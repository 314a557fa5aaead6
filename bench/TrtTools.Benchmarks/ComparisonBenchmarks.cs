using BenchmarkDotNet.Attributes;
using TrtTools.Inspection;
using TrtTools.Ir;

namespace TrtTools.Benchmarks;

/// <summary>Compare-OnnxGraph on 100,000 nodes: with equal names, and with all inner names changed.</summary>
public class ComparisonBenchmarks
{
    private OnnxGraph _graph = null!, _same = null!, _renamed = null!;

    [GlobalSetup]
    public void Setup()
    {
        _graph = SyntheticGraph.ConvolutionChain(33_333);
        _same = SyntheticGraph.ConvolutionChain(33_333);
        _renamed = SyntheticGraph.ConvolutionChain(33_333);
        int number = 0;
        foreach (Value value in _renamed.Body.Nodes.SelectMany(n => n.Outputs).OfType<Value>().Where(v => !v.IsGraphOutput).ToList()) _renamed.Body.Rename(value, $"renamed_{number++}");
        foreach (Node node in _renamed.Body.Nodes) node.Name = "";
        // One attribute differs in the middle, so that everything behind it is another computation.
        _renamed.Body.Nodes.First(n => n.Outputs[0]!.Name == "renamed_50001" || n.OpType == "Conv" && n.Outputs[0]!.Name.EndsWith("50000", StringComparison.Ordinal)).Attributes.Set(Ir.Attribute.Ints("dilations", 1, 1));
    }

    [Benchmark]
    public int SameNames() => GraphComparison.Compare(_graph, _same, renames: false, CancellationToken.None).Count;

    [Benchmark]
    public int OtherNames() => GraphComparison.Compare(_graph, _renamed, renames: false, CancellationToken.None).Count;
}
