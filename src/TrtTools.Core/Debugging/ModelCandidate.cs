using System.Collections.Specialized;
using TrtTools.Ir;

namespace TrtTools.Debugging;

/// <summary>A part of a model to be checked, with what it reads and should give.</summary>
/// <param name="InputData">Input name → Tensor, as the whole model computes it in ONNX Runtime; null where ONNX Runtime does not run the model.</param>
/// <param name="Expected">Output name → Tensor, likewise.</param>
public sealed record ModelCandidate(OnnxGraph Graph, OrderedDictionary? InputData, OrderedDictionary? Expected);
