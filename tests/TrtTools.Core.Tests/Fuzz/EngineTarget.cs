using Google.Protobuf;
using TrtTools.Build;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Ir;

namespace TrtTools.Tests.Fuzz;

/// <summary>Engine files: damaged bytes, and damaged plans under a right hash.</summary>
internal sealed class EngineTarget : FuzzTarget
{
    private readonly byte[] _whole;
    private readonly EngineHeader _header;
    private readonly EngineContent _content;
    private readonly string _source;

    public EngineTarget()
    {
        using OnnxGraph graph = GraphText.Parse("x: Float32[1,2,4,4] -> y { w = Float32[3,2,3,3] random(1); c = Conv(x, w); y = Relu(c) }");
        Engine engine = EngineBuilder.Build(graph, new BuildOptions { Device = DeviceKind.Cpu }, Report.None, CancellationToken.None);
        _source = Path.Combine(Path.GetTempPath(), $"trttools-fuzz-{Environment.ProcessId}-{Guid.NewGuid():N}-whole.engine");
        EngineFile.Save(engine, _source, force: true);
        _whole = File.ReadAllBytes(_source);
        (_header, _content, _) = EngineReader.Read(_source);
    }

    public override string Name => "engine";

    public override byte[] Make(int seed)
    {
        Mutator mutator = new(new Random(seed));
        return seed % 2 == 0 ? mutator.Bytes(_whole) : Rewritten(mutator);
    }

    public override byte[] Again(Mutator mutator, byte[] bytes) => mutator.Random.Next(2) == 0 ? mutator.Bytes(bytes) : Rewritten(mutator);

    public override void Use(byte[] bytes, bool thorough)
    {
        string file = Write(bytes, ".engine");
        try
        {
            Attempt(() => EngineFile.ReadInfo(file));
            Engine read = EngineFile.Load(file, Report.None);
            _ = read.Layers.Count;
        }
        finally
        {
            File.Delete(file);
        }
    }

    private byte[] Rewritten(Mutator mutator)
    {
        TrtTools.Engines.Proto.Plan plan = _content.Plan.Clone();
        TrtTools.Engines.Proto.Details details = _content.Details.Clone();
        mutator.Message(mutator.Random.Next(4) == 0 ? details : plan);
        byte[] planBytes = plan.ToByteArray();
        using MemoryStream stream = new();
        // The blobs lie where the whole plan says; the damaged one is what is read.
        EngineContent damaged = new() { Plan = _content.Plan, PlanBytes = planBytes, Details = details, Blobs = _content.Blobs };
        EngineWriter.Write(_header with { Id = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(planBytes)) }, damaged, stream);
        return stream.ToArray();
    }

    public override void Dispose() => File.Delete(_source);
}
