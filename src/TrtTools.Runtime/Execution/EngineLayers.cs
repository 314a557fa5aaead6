using TrtTools.Engines;
using TrtTools.Engines.Proto;

namespace TrtTools.Execution;

/// <summary>The layers of an engine as users see them.</summary>
internal static class EngineLayers
{
    public static IReadOnlyList<EngineLayer> From(Engine engine)
    {
        List<EngineLayer> layers = [];
        double total = engine.Content.Details.Layers.Sum(l => l.MedianMs);
        foreach (Layer layer in engine.Content.Details.Layers)
        {
            layers.Add(new EngineLayer
            {
                Name = layer.Name, Kind = layer.Kind, Tactic = layer.Tactic, Precision = layer.Precision, InputShape = layer.InputShape, OutputShape = layer.OutputShape,
                WeightBytes = layer.WeightBytes, SourceNode = [.. layer.SourceNodes], RuntimeName = layer.RuntimeName, Model = engine.Model, Path = engine.Path, Device = engine.Device,
                Candidates = [.. layer.Candidates.Select(Describe)],
                MedianMs = total > 0 ? layer.MedianMs : null, Percent = total > 0 ? 100 * layer.MedianMs / total : null,
            });
        }
        return layers;
    }

    private static string Describe(Candidate candidate) => candidate.Reason.Length > 0 ? $"{candidate.Name}: {candidate.Reason}"
        : candidate.MedianMs > 0 ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{candidate.Name}: {candidate.MedianMs:0.#####} ms") : $"{candidate.Name}: not timed";

    /// <summary>The engine's layers with new times; a layer that the profile does not name took none.</summary>
    public static IReadOnlyList<EngineLayer> WithTimes(IReadOnlyCollection<EngineLayer> layers, IReadOnlyDictionary<string, double> medianMs)
    {
        double total = layers.Sum(l => medianMs.GetValueOrDefault(l.RuntimeName));
        return [.. layers.Select(l => l with { MedianMs = medianMs.GetValueOrDefault(l.RuntimeName), Percent = total > 0 ? 100 * medianMs.GetValueOrDefault(l.RuntimeName) / total : 0 })];
    }
}
