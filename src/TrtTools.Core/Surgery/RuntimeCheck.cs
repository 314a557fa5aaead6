using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ops;
using TrtTools.Ort;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Asks ONNX Runtime whether it takes the nodes that a change reaches: it knows conditions on attributes that no table here holds.</summary>
internal static class RuntimeCheck
{
    // Of a change that reaches all of a large model the nodes nearest to it are asked about.
    private const int MostNodes = 2000;
    private const long LargestContent = 1 << 16;

    /// <summary>Why it refuses; null when it does not, or when it cannot be asked. The values hold inferred types.</summary>
    public static string? WhyNot(OnnxGraph model, IReadOnlySet<Value> changed)
    {
        List<Node> nodes = [.. Region(model, changed).Take(MostNodes)];
        return nodes.Count == 0 || Build(model, nodes) is not { } part ? null : Load(part);
    }

    /// <summary>Whether it takes the whole model.</summary>
    public static bool Takes(OnnxGraph model) => Load(model) is null;

    private static IEnumerable<Node> Region(OnnxGraph model, IReadOnlySet<Value> changed)
    {
        HashSet<Node> reached = [];
        foreach (Value value in changed)
        {
            if (value.Producer is { } producer && Captures.AncestorIn(model.Body, producer) is { } main) reached.Add(main);
        }
        return model.Body.Nodes.Where(n => reached.Contains(n) && IsKnown(model, n));
    }

    /// <summary>False where ONNX Runtime may lack the operator and the model be none the worse.</summary>
    private static bool IsKnown(OnnxGraph model, Node node) =>
        node.Subgraphs.SelectMany(g => g.NodesWithSubgraphs).Prepend(node).All(n => model.FindFunction(n) is { } function ? function.Body.NodesWithSubgraphs.All(i => IsKnown(model, i))
            : OperatorCatalog.Find(n.Domain, n.OpType) is { } definition && !definition.Is(OperatorTraits.Removed));

    private static OnnxGraph? Build(OnnxGraph model, List<Node> nodes)
    {
        Graph body = new("part");
        OnnxGraph part = new(body, model.Name, model.Path, model.IrVersion, model.OpsetImports);
        Dictionary<Value, Value> map = [];
        foreach (Node node in nodes)
        {
            List<Value> outer = [.. Rewiring.ReadBy(node).Where(v => !map.ContainsKey(v)).Distinct()];
            // What is no tensor, or of unknown type, cannot be an input: the node is left out, and so are those behind it.
            if (outer.Exists(v => v.Type is null or { DataType: DataType.Undefined } && v.Data is null)) continue;
            foreach (Value value in outer)
            {
                TensorData? content = value.Data ?? PassContext.Constant(value);
                map[value] = content is { } data && data.ByteCount <= LargestContent ? body.AddInitializer(value.Name, data) : body.AddInput(value.Name, value.Type ?? TensorType.Of(value.Data!));
            }
            GraphCopier.CopyNode(node, body, map);
        }
        foreach (Value value in body.Values.ToList())
        {
            if (value.Producer is null) continue;
            // Only the runtime's own view of the types counts here.
            value.Type = null;
            value.Remainder = null;
            if (!value.HasUses) body.AddOutput(value);
        }
        if (body.Outputs.Count == 0) return null;
        SubgraphSelection.CopyFunctions(model, part);
        return part;
    }

    private static string? Load(OnnxGraph model)
    {
        try
        {
            using OrtSession session = OrtSession.Create(OnnxFile.Serialize(model), new OrtOptions { Optimization = OrtOptimization.None, Subject = model.Name, Threads = 1 });
            return null;
        }
        catch (TrtToolsException e) when (e.Code is ErrorCode.ModelMalformed or ErrorCode.EvaluationFailed)
        {
            const string Start = "ONNX Runtime could not load the model: ";
            int at = e.Message.IndexOf(Start, StringComparison.Ordinal);
            string text = at < 0 ? e.Message : e.Message[(at + Start.Length)..];
            int advice = text.IndexOf(" Check the model with ", StringComparison.Ordinal);
            if (advice < 0) advice = text.IndexOf(" Run Test-OnnxGraph ", StringComparison.Ordinal);
            return advice < 0 ? text : text[..advice];
        }
        catch (TrtToolsException)
        {
            // Too large for memory, a kernel that the CPU lacks, no runtime here: nothing is said against the graph.
            return null;
        }
    }
}
