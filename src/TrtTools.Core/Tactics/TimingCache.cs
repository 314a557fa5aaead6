using System.Text.Json;
using System.Text.Json.Serialization;
using TrtTools.Files;

namespace TrtTools.Tactics;

/// <summary>A candidate's time, or why it was rejected on the device.</summary>
/// <param name="MedianMs">Milliseconds; 0 when it was rejected.</param>
/// <param name="LowMs">Lower end of the median's 95 % confidence interval.</param>
internal sealed record TacticTime(double MedianMs, double LowMs, double HighMs, string Problem = "")
{
    [JsonIgnore]
    public bool IsUsable => Problem.Length == 0;
}

/// <summary>
/// The file of -TimingCachePath: times by a key that hashes whatever can change them. Entries of other devices, drivers and versions have other keys: they are kept and not used.
/// A file that is none, or is damaged, counts as empty.
/// </summary>
internal sealed class TimingCache
{
    private const int Version = 1;

    private readonly SortedDictionary<string, TacticTime> _times = new(StringComparer.Ordinal);
    private readonly string? _path;
    private bool _changed;

    public TimingCache(string? path) => _path = path;

    public int Count => _times.Count;

    public int Hits { get; private set; }

    /// <summary>Reads the file; a null path is a cache for one build.</summary>
    public static TimingCache Read(string? path, Report report)
    {
        TimingCache cache = new(path);
        if (path is null || !File.Exists(path)) return cache;
        try
        {
            TimingCacheFile? file = JsonSerializer.Deserialize(File.ReadAllBytes(path), TimingCacheJson.Default.TimingCacheFile);
            if (file is not { Version: Version, Times: { } times })
            {
                report.Warning($"The timing cache {path} is of another version and is written anew.");
                return cache;
            }
            foreach ((string key, TacticTime time) in times) cache._times[key] = time;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            report.Warning($"The timing cache {path} cannot be read and is written anew: {e.Message}");
        }
        return cache;
    }

    public TacticTime? Find(string key)
    {
        if (!_times.TryGetValue(key, out TacticTime? time)) return null;
        Hits++;
        return time;
    }

    public bool Contains(string key) => _times.ContainsKey(key);

    public void Add(string key, TacticTime time)
    {
        _times[key] = time;
        _changed = true;
    }

    public void Save()
    {
        if (_path is null || !_changed) return;
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(new TimingCacheFile(Version, _times), TimingCacheJson.Default.TimingCacheFile);
        AtomicFile.Write(_path, overwrite: true, stream => stream.Write(json));
        _changed = false;
    }
}

internal sealed record TimingCacheFile(int Version, SortedDictionary<string, TacticTime> Times);

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(TimingCacheFile))]
internal sealed partial class TimingCacheJson : JsonSerializerContext;
