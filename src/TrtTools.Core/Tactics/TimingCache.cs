using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using TrtTools.Files;
using TrtTools.Launch;

namespace TrtTools.Tactics;

/// <summary>A candidate's time, or why it was rejected on the device.</summary>
/// <param name="MedianMs">Milliseconds; 0 when it was rejected.</param>
/// <param name="LowMs">Lower end of the median's 95 % confidence interval.</param>
internal sealed record TacticTime(double MedianMs, double LowMs, double HighMs, string Problem = "")
{
    public bool IsUsable => Problem.Length == 0;
}

/// <summary>
/// The file of -TimingCachePath: text, one line for each entry, sorted. Times by a key that hashes whatever can change them, what libraries answered by what was asked, what they compiled for
/// tactics that were chosen, and times of whole engines. Entries of other devices, drivers and versions have other keys: they are kept and not used. A file that is none, or is damaged, counts as empty.
/// </summary>
internal sealed class TimingCache
{
    private const string Heading = "# TrtTools timing cache 2: time KEY MEDIAN LOW HIGH (ms), fault KEY REASON, answer KEY CANDIDATES, plan KEY COMPILED, engine KEY MS OF EACH LAYER";

    /// <summary>Bytes of a hash that keys keep.</summary>
    private const int KeyBytes = 16;

    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (TacticTime Time, string Comment)> _times = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, LibraryCandidate[]> _answers = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, byte[]> _plans = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, double[]> _engines = new(StringComparer.Ordinal);
    private readonly string? _path;
    private bool _changed;

    public TimingCache(string? path) => _path = path;

    /// <summary>Of times.</summary>
    public int Count => _times.Count;

    public int Hits { get; private set; }

    /// <summary>Reads the file; a null path is a cache for one build.</summary>
    public static TimingCache Read(string? path, Report report)
    {
        if (path is null || !File.Exists(path)) return new TimingCache(path);
        TimingCache cache = new(path);
        try
        {
            string[] lines = File.ReadAllLines(path);
            if (lines.Length == 0 || !string.Equals(lines[0], Heading, StringComparison.Ordinal))
            {
                report.Warning($"The timing cache {path} is of another version and is written anew.");
                return new TimingCache(path);
            }
            foreach (string line in lines.AsSpan(1)) cache.ReadLine(line);
            return cache;
        }
        catch (Exception e) when (e is FormatException or IndexOutOfRangeException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            report.Warning($"The timing cache {path} cannot be read and is written anew: {e.Message}");
            return new TimingCache(path);
        }
    }

    /// <param name="key">Whatever can change the time.</param>
    public TacticTime? Find(string key)
    {
        lock (_gate)
        {
            if (!_times.TryGetValue(KeyOf(key), out (TacticTime Time, string Comment) found)) return null;
            Hits++;
            return found.Time;
        }
    }

    public bool Contains(string key)
    {
        lock (_gate) return _times.ContainsKey(KeyOf(key));
    }

    /// <param name="comment">For whoever reads the file.</param>
    public void Add(string key, TacticTime time, string comment = "")
    {
        lock (_gate)
        {
            _times[KeyOf(key)] = (time, comment);
            _changed = true;
        }
    }

    /// <summary>What a library offered when it was asked the same; null when it was not. Without what it compiled.</summary>
    public IReadOnlyList<LibraryCandidate>? FindAnswer(string question)
    {
        lock (_gate) return _answers.TryGetValue(KeyOf(question), out LibraryCandidate[]? kept) ? kept : null;
    }

    public void AddAnswer(string question, IReadOnlyList<LibraryCandidate> candidates)
    {
        lock (_gate)
        {
            _answers[KeyOf(question)] = [.. candidates.Select(c => c with { Compiled = [] })];
            _changed = true;
        }
    }

    /// <summary>What a library compiled for a call that an engine uses; null when none does.</summary>
    public byte[]? FindPlan(string call)
    {
        lock (_gate) return _plans.GetValueOrDefault(KeyOf(call));
    }

    public void AddPlan(string call, byte[] compiled)
    {
        lock (_gate) _changed |= _plans.TryAdd(KeyOf(call), compiled);
    }

    /// <summary>Milliseconds of an engine's layers; null when it was not measured.</summary>
    public IReadOnlyList<double>? FindEngine(string key)
    {
        lock (_gate) return _engines.GetValueOrDefault(KeyOf(key));
    }

    public void AddEngine(string key, IEnumerable<double> milliseconds)
    {
        lock (_gate)
        {
            _engines[KeyOf(key)] = [.. milliseconds];
            _changed = true;
        }
    }

    public void Save()
    {
        lock (_gate)
        {
            if (_path is null || !_changed) return;
            StringBuilder text = new(Heading + "\n");
            foreach ((string key, LibraryCandidate[] candidates) in _answers) text.Append("answer ").Append(key).Append(string.Concat(candidates.Select(Text))).Append('\n');
            foreach ((string key, double[] times) in _engines) text.Append("engine ").Append(key).Append(string.Concat(times.Select(t => $" {Number(t)}"))).Append('\n');
            foreach ((string key, (TacticTime time, string comment)) in _times)
            {
                text.Append(time.IsUsable ? $"time {key} {Number(time.MedianMs)} {Number(time.LowMs)} {Number(time.HighMs)}" : $"fault {key} {Uri.EscapeDataString(time.Problem)}").Append(comment.Length > 0 ? $" # {comment.ReplaceLineEndings(" ")}" : "").Append('\n');
            }
            foreach ((string key, byte[] compiled) in _plans) text.Append("plan ").Append(key).Append(' ').Append(Pack(compiled)).Append('\n');
            AtomicFile.Write(_path, overwrite: true, stream => stream.Write(Encoding.UTF8.GetBytes(text.ToString())));
            _changed = false;
        }
    }

    private void ReadLine(string line)
    {
        int comment = line.IndexOf(" # ", StringComparison.Ordinal);
        string[] words = (comment < 0 ? line : line[..comment]).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0 || words[0] == "#") return;
        string note = comment < 0 ? "" : line[(comment + 3)..], key = words[1];
        if (key.Length != 2 * KeyBytes) throw new FormatException($"'{key}' is no key");
        switch (words[0])
        {
            case "time": _times[key] = (new TacticTime(Number(words[2]), Number(words[3]), Number(words[4])), note); break;
            case "fault": _times[key] = (new TacticTime(0, 0, 0, Uri.UnescapeDataString(words[2])), note); break;
            case "answer": _answers[key] = [.. words.Skip(2).Select(Candidate)]; break;
            case "plan": _plans[key] = Unpack(words[2]); break;
            case "engine": _engines[key] = [.. words.Skip(2).Select(Number)]; break;
            default: throw new FormatException($"'{words[0]}' is no kind of entry");
        }
    }

    /// <summary>Name, workspace and algorithm, which is a text where it can be one.</summary>
    private static string Text(LibraryCandidate candidate)
    {
        bool plain = candidate.Algorithm.All(b => b is (byte)'\n' or (>= 32 and < 127));
        string algorithm = plain ? "=" + Uri.EscapeDataString(Encoding.ASCII.GetString(candidate.Algorithm)) : Convert.ToBase64String(candidate.Algorithm).TrimEnd('=');
        return string.Create(CultureInfo.InvariantCulture, $" {Uri.EscapeDataString(candidate.Name)},{candidate.WorkspaceBytes},{algorithm}");
    }

    private static LibraryCandidate Candidate(string word)
    {
        string[] parts = word.Split(',');
        byte[] algorithm = parts[2].StartsWith('=') ? Encoding.ASCII.GetBytes(Uri.UnescapeDataString(parts[2][1..])) : Convert.FromBase64String(parts[2].PadRight((parts[2].Length + 3) / 4 * 4, '='));
        return new LibraryCandidate(algorithm, long.Parse(parts[1], CultureInfo.InvariantCulture)) { Name = Uri.UnescapeDataString(parts[0]) };
    }

    private static string Pack(byte[] content)
    {
        using MemoryStream packed = new();
        using (BrotliStream stream = new(packed, CompressionLevel.Optimal)) stream.Write(content);
        return Convert.ToBase64String(packed.ToArray());
    }

    private static byte[] Unpack(string word)
    {
        using BrotliStream stream = new(new MemoryStream(Convert.FromBase64String(word)), CompressionMode.Decompress);
        using MemoryStream content = new();
        stream.CopyTo(content);
        return content.ToArray();
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static double Number(string word) => double.Parse(word, CultureInfo.InvariantCulture);

    private static string KeyOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, KeyBytes));
}
