using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using TrtTools.Files;
using TrtTools.Launch;

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
    private readonly SortedDictionary<string, KeptCandidate[]> _answers = new(StringComparer.Ordinal);
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
            foreach ((string key, KeptCandidate[] candidates) in file.Answers ?? []) cache._answers[key] = candidates;
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

    /// <summary>What a library offered when it was asked the same; null when it was not. Called on several threads.</summary>
    public IReadOnlyList<LibraryCandidate>? FindAnswer(string question)
    {
        lock (_answers) return _answers.TryGetValue(KeyOf(question), out KeptCandidate[]? kept) ? [.. kept.Select(k => new LibraryCandidate(k.Algorithm, k.WorkspaceBytes) { Name = k.Name })] : null;
    }

    public void AddAnswer(string question, IReadOnlyList<LibraryCandidate> candidates)
    {
        lock (_answers) _answers[KeyOf(question)] = [.. candidates.Select(c => new KeptCandidate(c.Name, c.WorkspaceBytes, c.Algorithm))];
        _changed = true;
    }

    private static string KeyOf(string question) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(question)));

    public void Save()
    {
        if (_path is null || !_changed) return;
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(new TimingCacheFile(Version, _times) { Answers = _answers }, TimingCacheJson.Default.TimingCacheFile);
        AtomicFile.Write(_path, overwrite: true, stream => stream.Write(json));
        _changed = false;
    }
}

internal sealed record TimingCacheFile(int Version, SortedDictionary<string, TacticTime> Times)
{
    public SortedDictionary<string, KeptCandidate[]>? Answers { get; init; }
}

/// <summary>A library's candidate as the file keeps it.</summary>
internal sealed record KeptCandidate(string Name, long WorkspaceBytes, byte[] Algorithm);

[JsonSourceGenerationOptions(WriteIndented = true)]
[JsonSerializable(typeof(TimingCacheFile))]
internal sealed partial class TimingCacheJson : JsonSerializerContext;
