using System.Globalization;

namespace TrtTools.Fuzz;

/// <summary>What a run is asked for.</summary>
internal sealed record FuzzOptions
{
    /// <summary>Files to try, of all kinds together.</summary>
    public long Count { get; init; } = 1_000_000;

    /// <summary>One kind (model, engine, cache-text, cache-json, npy, npz, pb, json, patterns, preprocessing); null for all, models four times of five.</summary>
    public string? Kind { get; init; }

    /// <summary>Keeps what reached new code, what was found and the count, so that a later run goes on.</summary>
    public string State { get; init; } = Path.Combine(Path.GetTempPath(), "trttools-fuzz");

    /// <summary>Just this file, in this process; its extension says the kind (.onnx for a model).</summary>
    public string? File { get; init; }

    /// <summary>True in the process that tries the files; it may crash.</summary>
    public bool IsWorker { get; init; }

    public static FuzzOptions Parse(string[] arguments)
    {
        FuzzOptions options = new();
        for (int i = 0; i < arguments.Length; i++)
        {
            string Next() => ++i < arguments.Length ? arguments[i] : throw new ArgumentException($"{arguments[i - 1]} needs a value");
            options = arguments[i] switch
            {
                "--count" => options with { Count = long.Parse(Next(), NumberStyles.Integer, CultureInfo.InvariantCulture) },
                "--kind" => options with { Kind = Next() },
                "--state" => options with { State = Path.GetFullPath(Next()) },
                "--file" => options with { File = Next() },
                "--worker" => options with { IsWorker = true },
                _ => throw new ArgumentException($"{arguments[i]} is unknown; there are --count, --kind, --state and --file"),
            };
        }
        return options;
    }

    /// <summary>Folder of the files of a kind that reached new code.</summary>
    public string PoolOf(string kind) => Path.Combine(State, "pool", kind);

    /// <summary>Folder of the files that were a fault.</summary>
    public string Faults => Path.Combine(State, "faults");

    /// <summary>What is being tried, and how many were: survives the worker's death.</summary>
    public string Board => Path.Combine(State, "board.bin");
}
