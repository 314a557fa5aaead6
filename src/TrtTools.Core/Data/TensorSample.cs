using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>The tensors of one call: inputs, or what a runner gave for them.</summary>
/// <param name="Runner">Who computed them; null for inputs.</param>
/// <param name="RuntimeSeconds">How long it took; null when that is not known.</param>
public sealed record TensorSample(IReadOnlyList<Tensor> Tensors, string? Runner = null, double? RuntimeSeconds = null);
