using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Tests.Passes;

/// <summary>What must not be left on its own in the fused shared models: what a producer could have held.</summary>
public sealed class FusionCompletenessTests(ITestOutputHelper output)
{
    private static readonly string[] s_producers = ["Conv", "ConvTranspose", "Gemm", "MatMul"];

    [Fact]
    public void Nothing_stands_alone_that_a_producer_could_hold()
    {
        List<string> left = [];
        int looked = 0;
        foreach (string name in SharedModels.Names)
        {
            OnnxGraph fused = LayerFusion.Fuse(OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None), new FusionOptions(), Report.None, CancellationToken.None);
            foreach (Node node in fused.Body.NodesWithSubgraphs)
            {
                looked++;
                if (WhyLeft(fused, node) is { } reason) left.Add($"{name}: {node.OpType} '{node.DisplayName}' {reason}");
            }
        }
        output.WriteLine($"{looked} nodes in {SharedModels.Names.Count} models");
        foreach (string line in left) output.WriteLine(line);
        Assert.Empty(left);
    }

    private static string? WhyLeft(OnnxGraph model, Node node)
    {
        if (node.Domain.Length > 0 || node.Output() is not { } output || node.Input(0) is not { } input) return null;
        // A producer cannot hold what changes a value that others read, or that leaves the graph.
        bool isOwn = input is { HasSingleUse: true, IsGraphOutput: false, Producer: { } p } && p.Graph == node.Graph;
        switch (node.OpType)
        {
            case "Relu" or "BatchNormalization":
                return isOwn && EndsInProduct(model, input.Producer!) ? $"follows {input.Producer!.OpType}" : null;
            case "Identity":
                // It carries an input, a constant or another output to an output of the graph; nothing else can.
                return output.IsGraphOutput && (input.Producer is null || input.IsGraphOutput || input.Graph != node.Graph) ? null : "carries nothing";
            case "Dropout":
                return "does nothing in inference";
            case "Cast":
                return input.IsConstant || input.Producer?.Is("Constant") == true ? "is of a constant" : null;
            default:
                return null;
        }
    }

    /// <summary>The node, or the last of a fused node's, is a product.</summary>
    private static bool EndsInProduct(OnnxGraph model, Node node) =>
        model.FindFunction(node) is { } function ? function.Body.Nodes.LastOrDefault() is { } last && s_producers.Contains(last.OpType) : node.Domain.Length == 0 && s_producers.Contains(node.OpType);
}
