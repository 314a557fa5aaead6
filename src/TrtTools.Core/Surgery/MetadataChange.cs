using TrtTools.Ir;

namespace TrtTools.Surgery;

/// <summary>Changes what a model says of itself: what Set-GraphMetadata runs.</summary>
public static class MetadataChange
{
    public const string Command = "Set-GraphMetadata";

    // Keys by which this module keeps what it must find again.
    private const string OwnPrefix = "trttools.";

    /// <summary>A copy with these entries; an entry of null is taken out.</summary>
    public static OnnxGraph Set(OnnxGraph graph, IReadOnlyDictionary<string, string?> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        GraphEdit edit = new(graph);
        SortedDictionary<string, string> changed = new(edit.Model.Metadata.ToDictionary(p => p.Key, p => p.Value, StringComparer.Ordinal), StringComparer.Ordinal);
        foreach ((string key, string? value) in entries.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            if (key.Length == 0) throw new TrtToolsException(ErrorCode.OptionInvalid, "A key of the metadata", "it is empty", "A name", "Give the entry a name");
            if (key.StartsWith(OwnPrefix, StringComparison.Ordinal))
            {
                throw new TrtToolsException(ErrorCode.ChangeRefused, $"Metadata '{key}'", "TrtTools writes it itself and reads it again", $"A key that does not begin with '{OwnPrefix}'", "Give the entry another name");
            }
            if (value is not null) changed[key] = value;
            else if (!changed.Remove(key)) throw new TrtToolsException(ErrorCode.OptionInvalid, $"Metadata '{key}'", "there is no such entry to take out", changed.Count == 0 ? "A graph with metadata" : $"One of {string.Join(", ", changed.Keys)}", "Correct the key");
        }
        edit.Model.Metadata = changed;
        return edit.FinishUnchecked(Command, new HistoryText().Add("Metadata", entries.Keys.Order(StringComparer.Ordinal)).ToString());
    }
}
