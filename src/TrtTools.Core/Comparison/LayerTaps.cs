using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>One value that can be had from an engine and from the original model.</summary>
/// <param name="Tensor">Its name in the original model.</param>
/// <param name="EngineValue">Its name in the engine; empty where the engine knows it by the original's.</param>
internal sealed record LayerTap(int Index, EngineLayer Layer, string Tensor, string EngineValue);

/// <summary>Finds the values at the ends of an engine's layers, under their names in the engine and in the original model. Values inside a layer are left alone:
/// asking for one would take the layer apart.</summary>
internal static class LayerTaps
{
    public static (IReadOnlyList<LayerTap> Taps, OnnxGraph Engine) Find(Engine engine, OnnxGraph original, Report report, CancellationToken stop)
    {
        OnnxGraph running = OnnxFile.Parse(OrtModelPacker.Unpack(engine.StepRequest.Model, engine.StepRequest.Weights, engine.Name, out string? folder), engine.Name);
        if (folder is not null)
        {
            Directory.Delete(folder, recursive: true);
            throw new TrtToolsException(ErrorCode.OptionInvalid, $"The engine '{engine.Name}'", "its weights are over 2 GB", "This needs a smaller engine", "Compare its outputs, or a part of the model");
        }
        OnnxGraph reference = original.Copy();
        FunctionInliner.Inline(reference, static f => string.Equals(f.Domain, OnnxGraph.FusionDomain, StringComparison.Ordinal));
        reference = GraphOptimizer.Optimize(reference, new OptimizeOptions(), Report.None, stop);
        OnnxGraph plain = running.Copy();
        DropQuantization(plain.Body);
        NodeMatching matching = new(reference.Body, plain.Body, new Dictionary<Value, Value>());
        Dictionary<string, string> engineValues = Names(original, matching);
        Dictionary<string, Node> nodes = new(StringComparer.Ordinal);
        Dictionary<Node, int> order = [];
        foreach (Node node in original.Body.Nodes)
        {
            nodes.TryAdd(node.DisplayName, node);
            order[node] = order.Count;
        }
        List<LayerTap> taps = [];
        HashSet<string> taken = new(StringComparer.Ordinal);
        for (int i = 0; i < engine.Layers.Count; i++)
        {
            EngineLayer layer = engine.Layers[i];
            List<Node> sources = [.. layer.SourceNode.Select(s => nodes.GetValueOrDefault(s)).OfType<Node>()];
            if (sources.Count == 0) continue;
            Node last = sources.MaxBy(n => order[n])!;
            foreach (Value output in last.Outputs.OfType<Value>())
            {
                if (engineValues.TryGetValue(output.Name, out string? value) && taken.Add(output.Name)) taps.Add(new LayerTap(i, layer, output.Name, value));
            }
        }
        int found = taps.Select(t => t.Index).Distinct().Count(), all = engine.Layers.Count(l => l.SourceNode.Length > 0);
        if (found < all) report.Verbose($"{engine.Name}: {found} of {all} layers end in a tensor of the original model; the others were not compared.");
        if (found == 0) throw new TrtToolsException(ErrorCode.ModelMalformed, $"The engine '{engine.Name}'", "none of its layers could be found in the original model", "It needs the model that it was built from, without -InputFormat", "Give that model with -ModelPath");
        foreach (LayerTap tap in taps)
        {
            Value value = running.Body.Find(tap.EngineValue)!;
            if (!value.IsGraphOutput) running.Body.AddOutput(value);
        }
        return (taps, running);
    }

    /// <summary>Original tensors and the engine's names of the values that equal them.</summary>
    private static Dictionary<string, string> Names(OnnxGraph original, NodeMatching matching)
    {
        Dictionary<string, string> names = new(StringComparer.Ordinal);
        foreach ((Value mine, Value theirs) in matching.Values)
        {
            if (mine.Producer is null || theirs.Producer is null) continue;
            foreach (string name in mine.Origin.TensorNames.Count > 0 ? mine.Origin.TensorNames : [mine.Name])
            {
                if (original.Body.Find(name) is { Producer: not null }) names.TryAdd(name, theirs.Name);
            }
        }
        return names;
    }

    /// <summary>Takes QuantizeLinear and DequantizeLinear out, so that the graph is the one that was quantized.</summary>
    private static void DropQuantization(Graph body)
    {
        foreach (Node node in body.Nodes)
        {
            if (!node.Is("DequantizeLinear") || node.Output() is not { IsGraphOutput: false } real || node.Input(0)?.Producer is not { } producer || !producer.Is("QuantizeLinear") || producer.Input(0) is not { } source) continue;
            body.ReplaceUses(real, source);
        }
    }
}
