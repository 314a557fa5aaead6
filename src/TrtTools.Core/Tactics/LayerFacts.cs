using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>What users see of a step.</summary>
internal static class LayerFacts
{
    public static Layer Of(Region region, ChosenStep chosen)
    {
        IReadOnlyList<TensorView> reads = RegionViews.Reads(region), writes = RegionViews.Writes(region);
        List<TensorView> inputs = [.. reads.Where(r => r.Storage.Kind != StorageKind.Weight)];
        // A region's last nest gives its result; what stands before it serves the region.
        TensorView output = writes[^1];
        Layer layer = new()
        {
            Name = region.Name, Kind = region.Operators, Tactic = chosen.Tactic.Name, Precision = Precision(region, chosen.Tactic), MedianMs = chosen.Choice?.MedianMs ?? 0, RuntimeName = region.Name,
            InputShape = string.Join(", ", inputs.DistinctBy(i => i.Storage).Select(Describe)), OutputShape = Describe(output),
            WeightBytes = reads.Where(r => r.Storage.Kind == StorageKind.Weight).DistinctBy(r => r.Storage).Sum(r => r.Storage.Data?.ByteCount ?? 0),
        };
        layer.SourceNodes.Add(region.SourceNodes);
        layer.Candidates.Add(chosen.Choice?.Candidates.Select(c => new Engines.Proto.Candidate { Name = c.Name, MedianMs = c.Time?.MedianMs ?? 0, Reason = c.Reason }) ?? []);
        return layer;
    }

    public static Layer Of(HostGraphStep step)
    {
        Layer layer = new()
        {
            Name = step.Name, Kind = string.Join(" + ", step.Graph.Nodes.Select(n => n.OpType).Distinct(StringComparer.Ordinal)), Tactic = "ONNX Runtime on the CPU", RuntimeName = step.Name,
            Precision = step.Outputs.Count > 0 ? NameOf(step.Outputs[0].Type) : "", InputShape = string.Join(", ", step.Inputs.Select(Describe)), OutputShape = string.Join(", ", step.Outputs.Select(Describe)),
        };
        layer.SourceNodes.Add(step.SourceNodes);
        return layer;
    }

    private static string Precision(Region region, Tactic tactic)
    {
        if (tactic.Precision.Length > 0) return tactic.Precision;
        DataType type = region.Facts switch
        {
            ConvolutionFacts facts => facts.Input.Type,
            MatMulFacts facts => facts.A.Type,
            RowFacts facts => facts.Input.Type,
            AttentionFacts facts => facts.Query.Type,
            _ => RegionViews.Writes(region)[^1].Type,
        };
        return NameOf(type);
    }

    private static string NameOf(DataType type) => type switch
    {
        DataType.Float32 => nameof(EnginePrecision.Fp32), DataType.Float16 => nameof(EnginePrecision.Fp16), DataType.BFloat16 => nameof(EnginePrecision.Bf16),
        DataType.Int8 or DataType.UInt8 => nameof(EnginePrecision.Int8), DataType.Float64 => "Fp64", _ => type.ToString(),
    };

    private static string Describe(TensorView view) => $"{view.Type}[{string.Join(',', view.Shape)}]";
}
