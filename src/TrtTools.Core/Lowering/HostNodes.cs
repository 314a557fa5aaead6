using TrtTools.Ir;

namespace TrtTools.Lowering;

/// <summary>Nodes that no kernel computes.</summary>
internal static class HostNodes
{
    public static void Add(LoweringScope scope, Node node) =>
        throw new TrtToolsException(ErrorCode.UnsupportedOperator, $"Node '{node.DisplayName}' ({node.OpType})", "No kernel computes it", "", "Build for the CPU");
}
