using System.Text.Json;
using System.Text.Json.Serialization;

namespace TrtTools.Engines;

/// <summary>The JSON at the start of an engine file: all that Get-EngineInfo shows, and where the sections lie.</summary>
internal sealed record EngineHeader
{
    public string Name { get; init; } = "";
    public string Id { get; init; } = "";
    public string Device { get; init; } = "";
    public string ComputeCapability { get; init; } = "";
    public string Precision { get; init; } = "";
    public EngineTensor[] Inputs { get; init; } = [];
    public EngineTensor[] Outputs { get; init; } = [];
    public EngineProfile[] Profiles { get; init; } = [];
    public double BuildSeconds { get; init; }
    public string[] Warnings { get; init; } = [];
    public EngineProvenance Provenance { get; init; } = new();
    public EngineSections Sections { get; init; } = new();

    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, EngineJson.Default.EngineHeader);

    public static EngineHeader? FromJson(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize(json, EngineJson.Default.EngineHeader);

    public EngineInfo ToInfo(string? path, long sizeBytes) => new()
    {
        Name = Name, Id = Id, Device = Device, ComputeCapability = ComputeCapability, Precision = Precision, Inputs = Inputs, Outputs = Outputs,
        Profiles = Profiles, SizeBytes = sizeBytes, BuildSeconds = BuildSeconds, Warnings = Warnings, Provenance = Provenance, Path = path,
        FormatVersion = EngineFormat.Version,
    };
}

/// <summary>Where the sections lie, in bytes from the end of the digest table; all multiples of 256 from the start of the file.</summary>
internal sealed record EngineSections
{
    public long PlanLength { get; init; }
    public long DetailsLength { get; init; }
    public long BlobsLength { get; init; }
}

[JsonSourceGenerationOptions(WriteIndented = true, UseStringEnumConverter = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip)]
[JsonSerializable(typeof(EngineHeader))]
internal sealed partial class EngineJson : JsonSerializerContext;
