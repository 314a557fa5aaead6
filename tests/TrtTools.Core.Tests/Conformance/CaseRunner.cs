using System.Buffers;
using Microsoft.ML.OnnxRuntime;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Tests.Conformance;

/// <summary>Runs models in ONNX Runtime, its optimizations off, with sequences as inputs and outputs too.</summary>
internal static class CaseRunner
{
    /// <summary>Each output as its tensors: one, or those of a sequence.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyList<TensorData>> Run(byte[] model, IReadOnlyDictionary<string, IReadOnlyList<TensorData>> inputs, IReadOnlySet<string> sequences)
    {
        OrtEnvironment.Start();
        using SessionOptions options = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL, IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        using InferenceSession session = new(model, options);
        using RunOptions run = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        List<MemoryHandle> handles = [];
        List<OrtValue> values = [];
        try
        {
            string[] names = [.. session.InputNames.Where(inputs.ContainsKey)];
            foreach (string name in names)
            {
                List<OrtValue> parts = [];
                foreach (TensorData tensor in inputs[name])
                {
                    parts.Add(OrtTensors.Borrow(tensor, out MemoryHandle handle));
                    handles.Add(handle);
                }
                values.Add(sequences.Contains(name) ? OrtValue.CreateSequence(parts) : parts[0]);
            }
            using IDisposableReadOnlyCollection<OrtValue> results = session.Run(run, names, values, session.OutputNames);
            Dictionary<string, IReadOnlyList<TensorData>> outputs = new(StringComparer.Ordinal);
            for (int i = 0; i < results.Count; i++) outputs.Add(session.OutputNames[i], Read(results[i], session.OutputNames[i]));
            return outputs;
        }
        finally
        {
            foreach (OrtValue value in values) value.Dispose();
            foreach (MemoryHandle handle in handles) handle.Dispose();
        }
    }

    private static List<TensorData> Read(OrtValue value, string name)
    {
        if (value.OnnxType != OnnxValueType.ONNX_TYPE_SEQUENCE) return [OrtTensors.Copy(value, name, "the case")];
        List<TensorData> tensors = [];
        value.ProcessSequence((element, i) => tensors.Add(OrtTensors.Copy(element, $"{name}[{i}]", "the case")), OrtAllocator.DefaultInstance);
        return tensors;
    }
}
