using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>What the nodes were called before they became the body of a function, in the body's order. Functions of one content are shared,
/// so the names stand at the call; inlining gives them back.</summary>
internal sealed record OutlinedBody(IReadOnlyList<OutlinedNode> Nodes);

internal sealed record OutlinedNode(string Name, IReadOnlyList<string> SourceNodes, object? Remainder, IReadOnlyList<OutlinedValue?> Outputs);

/// <param name="IsInitializer">The value was an initializer; in the body it is the output of a Constant node.</param>
/// <param name="Level">How many bodies outwards an initializer stood.</param>
internal sealed record OutlinedValue(string Name, TensorType? Type, Origin Origin, object? Remainder, bool IsInitializer, int Level = 0);
