using System.Globalization;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Benchmarks;

/// <summary>Of each model: its nodes, those that optimizing and fusing leave, and the kernels that an engine on a GPU would launch: "nodes [FOLDER]". Prints the table of bench/README.md.</summary>
internal static class NodeTable
{
    public static void Run(IReadOnlyList<string> arguments)
    {
        string folder = arguments.Count > 0 ? arguments[0] : Path.Combine("..", "shared", "models");
        Console.WriteLine("| model | nodes | optimized | fused | kernels, FP32 | kernels, FP16, channels last | steps on the CPU | file, optimized / original |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (string file in Directory.GetFiles(folder, "model.onnx", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(Path.GetDirectoryName(file))!;
            OnnxGraph graph = OnnxFile.Import(file, Report.None, CancellationToken.None);
            OnnxGraph optimized = GraphOptimizer.Optimize(graph, new OptimizeOptions(), Report.None, CancellationToken.None);
            OnnxGraph fused = LayerFusion.Fuse(optimized, new FusionOptions(), Report.None, CancellationToken.None);
            double size = (double)OnnxFile.Serialize(optimized).LongLength / new FileInfo(file).Length;
            (string plain, int host) = Kernels(fused, new LoweringOptions());
            (string half, _) = Kernels(fused, new LoweringOptions { FloatStorage = DataType.Float16, ChannelsLast = true });
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {name} | {Count(graph)} | {Count(optimized)} | {Count(fused)} | {plain} | {half} | {host} | {size:F3} |"));
        }
    }

    /// <summary>Subgraphs included; Constant nodes are no computation.</summary>
    private static int Count(OnnxGraph graph) => graph.Body.NodesWithSubgraphs.Count(n => !n.Is("Constant"));

    /// <summary>Regions, each of which is a launch or a call of a library; what is only a view costs none.</summary>
    private static (string Kernels, int Host) Kernels(OnnxGraph graph, LoweringOptions options)
    {
        try
        {
            LoweredProgram program = GraphLowering.Lower(graph, options, Report.None, CancellationToken.None);
            return (program.Steps.OfType<RegionStep>().Count().ToString(CultureInfo.InvariantCulture), program.Steps.OfType<HostGraphStep>().Count());
        }
        catch (TrtToolsException e) when (e.Code == ErrorCode.UnsupportedOperator)
        {
            return ("refused", 0);
        }
        catch (InvalidOperationException e)
        {
            Console.Error.WriteLine($"{graph.Name}: {e.Message}");
            return ("fault", 0);
        }
    }
}
