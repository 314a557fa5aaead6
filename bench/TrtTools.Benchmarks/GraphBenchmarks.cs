using BenchmarkDotNet.Attributes;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Benchmarks;

/// <summary>Import, optimize and fuse on chains of 1,003 and 10,003 nodes: times that grow by more than the nodes do are a fault.</summary>
[MemoryDiagnoser]
public class GraphBenchmarks
{
    private OnnxGraph _graph = null!;
    private OnnxGraph _optimized = null!;
    private string _file = "";

    [Params("Convolution", "Pointwise")]
    public string Chain { get; set; } = "Convolution";

    [Params(1_000, 10_000)]
    public int Nodes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _graph = Chain == "Convolution" ? SyntheticGraph.ConvolutionChain(Nodes / 3) : SyntheticGraph.PointwiseChain(Nodes / 6);
        _file = Path.Combine(Path.GetTempPath(), $"trttools-benchmark-{Environment.ProcessId}-{Chain}-{Nodes}.onnx");
        OnnxFile.Export(_graph, _file, new ExportOptions { Force = true }, Report.None, CancellationToken.None);
        _optimized = GraphOptimizer.Optimize(_graph, new OptimizeOptions(), Report.None, CancellationToken.None);
    }

    [GlobalCleanup]
    public void Cleanup() => File.Delete(_file);

    [Benchmark]
    public OnnxGraph Import() => OnnxFile.Import(_file, Report.None, CancellationToken.None);

    [Benchmark]
    public OnnxGraph Optimize() => GraphOptimizer.Optimize(_graph, new OptimizeOptions(), Report.None, CancellationToken.None);

    [Benchmark]
    public OnnxGraph Fuse() => LayerFusion.Fuse(_optimized, new FusionOptions(), Report.None, CancellationToken.None);
}
