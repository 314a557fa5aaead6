using System.Text;
using TrtTools.Files;

namespace TrtTools.Tactics;

/// <summary>
/// The file of -TacticLockPath: text, one line for each distinct region, "key tactic", a comment behind #. What it names is used and nothing else; a region that it does not know is
/// chosen as without it and added.
/// </summary>
internal sealed class TacticLock
{
    private const string Heading = "# Tactics by TrtTools: key of the region, tactic. Build-Engine -TacticLockPath uses exactly these.";

    private const int KeyLength = 16;

    private readonly SortedDictionary<string, (string Tactic, string Comment)> _lines = new(StringComparer.Ordinal);
    private readonly string _path;
    private bool _changed;

    private TacticLock(string path) => _path = path;

    /// <summary>Reads the file; without one the lock is empty.</summary>
    public static TacticLock Read(string path)
    {
        TacticLock read = new(path);
        if (!File.Exists(path)) return read;
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrtToolsException(ErrorCode.FileNotReadable, path, e.Message, "A tactic lock file, or none", "Mend its permissions, or give another -TacticLockPath", e);
        }
        for (int i = 0; i < lines.Length; i++)
        {
            string[] parts = lines[i].Split('#', 2);
            // A tactic's name may hold spaces, a key holds none.
            string[] words = parts[0].Trim().Split(' ', 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words.Length == 0) continue;
            if (words.Length != 2 || words[0].Length != KeyLength)
            {
                throw new TrtToolsException(ErrorCode.OptionInvalid, $"{path}, line {i + 1}", $"'{lines[i].Trim()}' is no line of a tactic lock", "The region's key and the tactic's name", "Delete the line: the build adds it again");
            }
            read._lines[words[0]] = (words[1], parts.Length > 1 ? parts[1].Trim() : "");
        }
        return read;
    }

    /// <summary>The tactic that is locked for a region; null when none is.</summary>
    public string? Find(string key) => _lines.TryGetValue(key, out (string Tactic, string Comment) line) ? line.Tactic : null;

    public void Add(string key, string tactic, string comment)
    {
        if (!_lines.TryAdd(key, (tactic, comment))) return;
        _changed = true;
    }

    /// <summary>Writes the file when a region was added.</summary>
    public void Save()
    {
        if (!_changed) return;
        StringBuilder text = new(Heading + "\n");
        foreach ((string key, (string tactic, string comment)) in _lines) text.Append(key).Append(' ').Append(tactic).Append(comment.Length > 0 ? $"  # {comment}" : "").Append('\n');
        AtomicFile.Write(_path, overwrite: true, stream => stream.Write(Encoding.UTF8.GetBytes(text.ToString())));
    }

    public TrtToolsException NotToBeHad(string key, string tactic, string region, IEnumerable<Offer> offers)
    {
        Offer? same = offers.FirstOrDefault(o => string.Equals(o.Name, tactic, StringComparison.Ordinal));
        string others = string.Join(", ", offers.Where(o => o.Tactic is not null).Select(o => o.Name).Take(8));
        return new TrtToolsException(ErrorCode.OptionInvalid, _path, $"the tactic '{tactic}' for the region '{region}' ({key}) is not to be had{(same is { Reason.Length: > 0 } ? $": {same.Reason}" : " on this machine")}",
            $"One of {others}", "Delete the line, or build with the libraries and the device that it was written with");
    }
}
