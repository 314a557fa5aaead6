using System.Security.Cryptography;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Build;

/// <summary>The stages that bring a graph into the form that runs.</summary>
internal static class BuildStages
{
    /// <summary>Records what the build started from.</summary>
    public static void Identify(BuildContext context)
    {
        context.SourceHash = HashGraph(context.Source);
        if (context.Source.Path is { } path && File.Exists(path))
        {
            try
            {
                using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 20);
                context.SourceFileHash = Convert.ToHexStringLower(SHA256.HashData(stream));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                context.Report.Verbose($"{path} could not be read to record its hash: {e.Message}");
            }
        }
    }

    internal static string HashGraph(OnnxGraph graph)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] model = Ort.OrtModelPacker.Pack(graph, out IReadOnlyList<KeyValuePair<string, Tensors.TensorData>> weights);
        hash.AppendData(model);
        foreach ((_, Tensors.TensorData data) in weights) hash.AppendData(Engines.BlobStore.Hash(data));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>
    /// Opens fused functions and simplifies. ONNX Runtime fuses by its own rules, which see operators, not functions: opened graphs run faster, and the raw,
    /// the optimized and the fused graph of one model meet in the same form.
    /// </summary>
    public static void Simplify(BuildContext context)
    {
        context.Begin("simplifying", 0.1);
        OnnxGraph graph = context.Source.Copy();
        ShapeOptions.Pin(graph, context.Options.InputShape);
        FunctionInliner.Inline(graph, static f => string.Equals(f.Domain, OnnxGraph.FusionDomain, StringComparison.Ordinal));
        context.Graph = GraphOptimizer.Optimize(graph, new OptimizeOptions(), context.Report, context.Stop);
    }

    /// <summary>The FP32 engine beside an INT8 one.</summary>
    public static Execution.Engine AssembleFloat(BuildContext context, System.Diagnostics.Stopwatch clock) => WithFloatGraph(context, () => EngineAssembler.Assemble(context, clock));

    /// <summary>Does something with the graph as it was before it was quantized.</summary>
    public static T WithFloatGraph<T>(BuildContext context, Func<T> work)
    {
        (OnnxGraph graph, CanonicalForm? form, Engines.EnginePrecision precision) = (context.Graph, context.Form, context.Precision);
        try
        {
            (context.Graph, context.Precision) = (context.FloatGraph!, context.Target is null ? Engines.EnginePrecision.Fp32 : CudaPrecision.Of(context.Options));
            Canonicalize(context);
            return work();
        }
        finally
        {
            (context.Graph, context.Form, context.Precision) = (graph, form, precision);
        }
    }

    public static void Canonicalize(BuildContext context)
    {
        context.Begin("laying out", 0.7);
        context.Form = CanonicalForm.Of(context.Graph, context.InputFormats, context.OutputFormats);
    }
}
