using System.Globalization;
using TrtTools.Engines;
using TrtTools.Execution;

namespace TrtTools.Inspection;

/// <summary>Lays an engine's layers and their times over a diagram.</summary>
internal static class EngineTimes
{
    /// <summary>Each box takes the layer that computes its nodes; the layers of several boxes become groups. An engine whose layers were never timed is timed now.</summary>
    public static void Apply(Diagram diagram, Engine engine, Report report, CancellationToken stop)
    {
        if (engine.Layers.Any(l => l.MedianMs is null))
        {
            report.Verbose($"{engine.Name}: its layers have no times yet; they are measured for half a second.");
            EngineMeasurement.Measure(engine, new MeasureOptions { WarmUp = 50, Duration = 0.5, Profile = true }, report, stop);
        }
        Dictionary<string, EngineLayer> bySource = new(StringComparer.Ordinal);
        // A node that stands in two layers counts for the slower.
        foreach (EngineLayer layer in engine.Layers.OrderByDescending(l => l.MedianMs ?? 0))
        {
            foreach (string source in layer.SourceNode) bySource.TryAdd(source, layer);
        }
        HashSet<EngineLayer> shown = [];
        foreach (DiagramBox box in diagram.Boxes)
        {
            EngineLayer? layer = box.Sources.Select(s => bySource.GetValueOrDefault(s)).Where(l => l is not null).MaxBy(l => l!.MedianMs ?? 0);
            if (layer is null) continue;
            shown.Add(layer);
            (box.Layer, box.LayerMs, box.LayerPercent) = ($"{layer.Name} ({layer.Kind}, {layer.Precision})", layer.MedianMs, layer.Percent);
            box.Lines.Add(string.Create(CultureInfo.InvariantCulture, $"{layer.MedianMs:0.####} ms, {layer.Percent:0.#} %"));
        }
        foreach (IGrouping<string, DiagramBox> boxes in diagram.Boxes.Where(b => b.Layer is not null).GroupBy(b => b.Layer!, StringComparer.Ordinal))
        {
            if (boxes.Count() < 2) continue;
            foreach (DiagramBox box in boxes) box.Group = boxes.Key;
        }
        diagram.Engine = engine.Name;
        diagram.EngineMs = engine.Layers.Sum(l => l.MedianMs ?? 0);
        diagram.Facts.Add(("Engine", string.Create(CultureInfo.InvariantCulture, $"{engine.Name} ({engine.Device}, {engine.Precision}), {engine.Layers.Count} layers, {diagram.EngineMs:0.###} ms")));
        double rest = engine.Layers.Where(l => !shown.Contains(l)).Sum(l => l.MedianMs ?? 0);
        if (rest > 0) diagram.Facts.Add(("Not shown", string.Create(CultureInfo.InvariantCulture, $"{rest:0.####} ms in layers that stand for no node here, such as reorders")));
        if (shown.Count == 0) report.Warning($"No layer of the engine '{engine.Name}' stands for a node of '{diagram.Title}': was it built from another model?");
    }
}
