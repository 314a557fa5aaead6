using Google.Protobuf;
using TrtTools.Engines;
using TrtTools.Engines.Proto;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools;

/// <summary>Engines made by hand, whose one step doubles its input.</summary>
internal static class TestEngines
{
    public const string Kind = "test-double";

    static TestEngines() => HostSteps.Register(Kind, new Factory());

    /// <summary>Steps that are open now.</summary>
    public static int Open => Volatile.Read(ref s_open);

    private static int s_open;

    public static (EngineHeader Header, EngineContent Content) Content(int[] blobSizes, long[]? shape = null, EngineProfile[]? profiles = null)
    {
        shape ??= [2, 3];
        BlobStore blobs = new();
        HostStep step = new() { Kind = Kind, Model = (uint)blobs.Add("model"u8.ToArray()) };
        for (int i = 0; i < blobSizes.Length; i++)
        {
            byte[] bytes = new byte[blobSizes[i]];
            new Random(i).NextBytes(bytes);
            step.Weights.Add(new Weight { Name = $"w{i}", Blob = (uint)blobs.Add(bytes) });
        }
        step.Outputs.Add("y");
        Plan plan = new() { Revision = EngineReader.PlanRevision, Device = "Cpu", Precision = "Fp32", Body = new Block { Steps = { new Step { Host = step } } } };
        plan.Blobs.Add(blobs.Table);
        EngineContent content = new() { Plan = plan, PlanBytes = plan.ToByteArray(), Details = new Details { Layers = { new Layer { Name = "double", Kind = "Mul", MedianMs = 1 } } }, Blobs = blobs.Content };
        EngineHeader header = new()
        {
            Name = "double", Id = content.Id, Device = "Cpu", Precision = "Fp32", Inputs = [Describe("x", shape)], Outputs = [Describe("y", shape)], Profiles = profiles ?? [],
            BuildSeconds = 1.5, Warnings = ["slower than asked"], Provenance = new EngineProvenance { User = "ü\"ser", Model = "double", BuiltAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(2)), Options = ["Int8"] },
        };
        return (header, content);
    }

    public static Engine Create(long[]? shape = null, EngineProfile[]? profiles = null)
    {
        (EngineHeader header, EngineContent content) = Content([300], shape, profiles);
        return new Engine(header, content, null, EngineWriter.FileLength(header, content));
    }

    public static byte[] File(params int[] blobSizes)
    {
        (EngineHeader header, EngineContent content) = Content(blobSizes);
        using MemoryStream stream = new();
        EngineWriter.Write(header, content, stream);
        return stream.ToArray();
    }

    public static Tensor Input(params long[] shape) => new("x", TensorData.From<float>([.. Enumerable.Range(0, (int)TensorData.CountElements(shape)).Select(i => (float)i)], shape));

    private static EngineTensor Describe(string name, long[] shape) => new()
    {
        Name = name, DataType = DataType.Float32, Shape = shape, SymbolicShape = [.. shape.Select(d => d < 0 ? "n" : d.ToString(System.Globalization.CultureInfo.InvariantCulture))],
    };

    private sealed class Factory : IHostStepFactory
    {
        public IHostStep Create(HostStepRequest request, CancellationToken stop) => new Step();

        private sealed class Step : IHostStep
        {
            private bool _disposed;

            public Step() => Interlocked.Increment(ref s_open);

            public IHostRun Bind(IReadOnlyDictionary<string, TensorData> inputs) => new Run(this, inputs["x"]);

            public IReadOnlyList<LayerTime> EndProfiling() => [];

            public void Dispose()
            {
                Assert.False(_disposed);
                _disposed = true;
                Interlocked.Decrement(ref s_open);
            }

            private sealed class Run(Step step, TensorData input) : IHostRun
            {
                private TensorData? _result;

                public void Execute(CancellationToken stop)
                {
                    stop.ThrowIfCancellationRequested();
                    Assert.False(step._disposed);
                    _result = TensorData.From<float>([.. input.AsSpan<float>().ToArray().Select(v => 2 * v)], input.Shape);
                }

                public IReadOnlyList<TensorData> CopyResults() => [_result!];

                public void Dispose() { }
            }
        }
    }
}

internal sealed class TestFolder : IDisposable
{
    public string FullPath { get; } = Directory.CreateTempSubdirectory("trttools-test-").FullName;

    public string File(string name) => Path.Combine(FullPath, name);

    public string Write(string name, byte[] bytes)
    {
        System.IO.File.WriteAllBytes(File(name), bytes);
        return File(name);
    }

    public void Dispose()
    {
        try { Directory.Delete(FullPath, recursive: true); } catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }
}
