using System.Text.Json;
using TrtTools.Files;

namespace TrtTools.Debugging;

/// <summary>Keeps what the checks of a search found, so that a search that was stopped goes on where it was. Every search is deterministic: it asks for the same
/// candidates again, and those that the file knows are not checked.</summary>
public sealed class ReplayFile
{
    private const string Format = "trttools-replay";
    private readonly string? _path;
    private readonly string _command, _subject, _hash, _check;
    private readonly OrderedDictionary<string, (CheckVerdict Verdict, double Seconds)> _known = new(StringComparer.Ordinal);

    private ReplayFile(string? path, string command, string subject, string hash, string check)
    {
        (_path, _command, _subject, _hash, _check) = (path, command, subject, hash, check);
    }

    /// <summary>Opens a file that is there, or begins one with the first check. With no path nothing is kept.</summary>
    /// <param name="hash">Of what is searched: a file of something else is refused.</param>
    /// <param name="check">The check's text with all that decides its outcome: what another check found says nothing.</param>
    public static ReplayFile Open(string? path, string command, string subject, string hash, string check)
    {
        ReplayFile file = new(path, command, subject, hash, check.ReplaceLineEndings("\n").Trim());
        if (path is not null && File.Exists(path)) file.Read(path);
        return file;
    }

    public int Count => _known.Count;

    internal bool TryGet(string candidate, out CheckVerdict verdict, out double seconds)
    {
        bool found = _known.TryGetValue(candidate, out (CheckVerdict Verdict, double Seconds) known);
        (verdict, seconds) = found ? known : (null!, 0);
        return found;
    }

    /// <summary>Written at once: whatever ends the search, what was found is there.</summary>
    internal void Add(string candidate, CheckVerdict verdict, double seconds)
    {
        _known[candidate] = (verdict, seconds);
        if (_path is not null) AtomicFile.Write(_path, overwrite: true, stream => Write(stream));
    }

    private void Write(Stream stream)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteString("format", Format);
        json.WriteNumber("version", 1);
        json.WriteString("command", _command);
        json.WriteString("subject", _subject);
        json.WriteString("hash", _hash);
        json.WriteString("check", _check);
        json.WriteStartArray("checks");
        foreach ((string candidate, (CheckVerdict verdict, double seconds)) in _known)
        {
            json.WriteStartObject();
            json.WriteString("candidate", candidate);
            json.WriteString("outcome", verdict.Outcome.ToString());
            json.WriteString("reason", verdict.Reason);
            json.WriteNumber("seconds", Math.Round(seconds, 3));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Text(root, "format") != Format || !root.TryGetProperty("version", out JsonElement version) || version.GetInt32() != 1) throw Invalid(path, $"it has no \"format\": \"{Format}\", \"version\": 1", null);
            if (Text(root, "command") != _command) throw Other(path, $"it was written by {Text(root, "command")}");
            if (Text(root, "hash") != _hash) throw Other(path, $"it belongs to '{Text(root, "subject")}' as it was then; this is '{_subject}', with other content or options");
            if (Text(root, "check") != _check) throw Other(path, "it was written with another check");
            foreach (JsonElement check in root.GetProperty("checks").EnumerateArray())
            {
                if (!Enum.TryParse(Text(check, "outcome"), out CheckOutcome outcome) || !Enum.IsDefined(outcome)) throw Invalid(path, $"'{Text(check, "outcome")}' is no outcome", null);
                _known[Text(check, "candidate")] = (new CheckVerdict(outcome, Text(check, "reason")), check.GetProperty("seconds").GetDouble());
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw Invalid(path, $"it is no replay file ({e.Message.TrimEnd('.')})", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrtToolsException(ErrorCode.FileNotReadable, path, $"the file could not be read ({e.Message.TrimEnd('.')})", "", "Check its permissions", e);
        }
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString() ?? "";

    private static TrtToolsException Invalid(string path, string found, Exception? inner) => new(ErrorCode.DataInvalid, path, found, "", "Give the path of a replay file, or of a file that does not exist yet", inner);

    private static TrtToolsException Other(string path, string found) => new(ErrorCode.DataInvalid, path, found, "", "Give another path, or delete the file to begin anew");
}
