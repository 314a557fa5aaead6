using System.Text.Json;
using TrtTools.Launch;

namespace TrtTools.Ort;

/// <summary>Reads the JSON that ONNX Runtime's profiler writes.</summary>
internal static class OrtProfile
{
    private const string KernelSuffix = "_kernel_time";

    /// <summary>Times of every node that ran, nodes of subgraphs included, in the order of their first call.</summary>
    public static IReadOnlyList<LayerTime> Read(string json)
    {
        OrderedDictionary<string, (string Kind, List<double> Calls)> nodes = new(StringComparer.Ordinal);
        using JsonDocument document = JsonDocument.Parse(json);
        foreach (JsonElement entry in document.RootElement.EnumerateArray())
        {
            if (!entry.TryGetProperty("cat", out JsonElement category) || category.GetString() != "Node") continue;
            if (entry.GetProperty("name").GetString() is not { } name || !name.EndsWith(KernelSuffix, StringComparison.Ordinal)) continue;
            name = name[..^KernelSuffix.Length];
            string kind = entry.TryGetProperty("args", out JsonElement arguments) && arguments.TryGetProperty("op_name", out JsonElement op) ? op.GetString() ?? "" : "";
            if (!nodes.TryGetValue(name, out (string, List<double> Calls) known)) nodes[name] = known = (kind, []);
            known.Calls.Add(entry.GetProperty("dur").GetDouble() / 1000);
        }
        return [.. nodes.Select(n => new LayerTime(n.Key, n.Value.Kind, n.Value.Calls))];
    }
}
