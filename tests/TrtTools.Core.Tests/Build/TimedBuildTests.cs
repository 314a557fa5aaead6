using System.Text;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Launch;
using TrtTools.Tests;

namespace TrtTools.Build;

/// <summary>Whole builds that time on the Null device, whose times are never the same twice.</summary>
public sealed class TimedBuildTests
{
    private const string Block = "x: Float32[4,64,14,14] -> y { w1 = Float32[64,64,1,1] random(1); b1 = Float32[64] random(2); w2 = Float32[64,64,3,3] random(3); w3 = Float32[64,64,1,1] random(4); c1 = Conv(x, w1, b1); r1 = Relu(c1); c2 = Conv(r1, w2){pads=[1,1,1,1]}; s = Add(c2, x); r2 = Relu(s); c3 = Conv(r2, w3); y = Relu(c3) }";

    private readonly Random _noise = new(1);
    private int _launches, _questions;

    /// <summary>Its plans are other bytes each time, as cuDNN's are.</summary>
    private sealed class FakeLibrary(TimedBuildTests test, bool hasAnswers) : ILibraryAdapter
    {
        public string Version => "1.2.3";

        public IPreparedCall Prepare(LibraryRequest request) => new Call();

        public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count)
        {
            Interlocked.Increment(ref test._questions);
            return !hasAnswers ? [] : [.. Enumerable.Range(0, 3).Select(i => new LibraryCandidate(Encoding.ASCII.GetBytes($"{i} 24={i}\n\n"), 64 * i) { Name = $"e{i}", Compiled = Compile($"{i}") })];
        }

        public byte[] Compiled(LibraryRequest request) => Compile(Encoding.ASCII.GetString(request.Algorithm.Span));

        private static byte[] Compile(string name) => Encoding.ASCII.GetBytes($"{name}\n{Guid.NewGuid()}");

        public void Dispose() { }

        private sealed class Call : IPreparedCall
        {
            public void Enqueue(ReadOnlySpan<ulong> operands, nint stream) { }

            public void Dispose() { }
        }
    }

    private NullDevice Device() => new()
    {
        TimeOf = launch =>
        {
            Interlocked.Increment(ref _launches);
            lock (_noise) return 0.001 + (0.01 * _noise.NextDouble());
        },
    };

    private BuildOptions Options(TestFolder folder, bool libraries) => new()
    {
        Device = DeviceKind.Cuda, Fp16 = true, OptimizationLevel = 4, TimingCachePath = folder.File("times.txt"),
        Target = new CudaTarget { Name = "a GPU", Capability = 90, Compiles = false, OtherDevice = Device, OtherLibraries = _ => new FakeLibrary(this, libraries) },
    };

    private static Engine Build(BuildOptions options, Report? report = null) => EngineBuilder.Build(TestGraphs.Parse(Block), options, report ?? Report.None, CancellationToken.None);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Two_builds_with_one_timing_cache_are_the_same_bytes(bool libraries)
    {
        using TestFolder folder = new();
        using Engine first = Build(Options(folder, libraries));
        byte[] cache = File.ReadAllBytes(folder.File("times.txt"));
        (int launches, int questions) = (_launches, _questions);
        Assert.True(launches > 100);
        using Engine second = Build(Options(folder, libraries));
        Assert.Equal(first.Id, second.Id);
        Assert.Equal(first.Content.PlanBytes, second.Content.PlanBytes);
        Assert.Equal(first.Content.Blobs.Count, second.Content.Blobs.Count);
        for (int i = 0; i < first.Content.Blobs.Count; i++) Assert.True(first.Content.Blobs[i].ContentEquals(second.Content.Blobs[i]));
        // What is measured is in the details too: it is not measured again.
        Assert.Equal(first.Content.Details, second.Content.Details);
        Assert.Equal(libraries, first.Content.Plan.Body.Steps.SelectMany(s => s.Device.Launches).Any(l => l.Library is not null));
        Assert.Equal(cache, File.ReadAllBytes(folder.File("times.txt")));
        // Neither the device nor a library was asked about tactics: only the acceptance test ran.
        Assert.Equal(questions, _questions);
        Assert.True(_launches - launches < launches / 10);
    }

    [Fact]
    public void Without_the_cache_noise_decides()
    {
        using TestFolder a = new(), b = new();
        using Engine first = Build(Options(a, libraries: true)), second = Build(Options(b, libraries: true));
        Assert.NotEqual(first.Id, second.Id);
    }

    [Fact]
    public void Verbose_output_says_where_the_time_went()
    {
        using TestFolder folder = new();
        RecordingReport report = new();
        using Engine engine = Build(Options(folder, libraries: true), report);
        string line = Assert.Single(report.Messages, v => v.Contains("lowering ", StringComparison.Ordinal) && v.Contains("writing", StringComparison.Ordinal));
        foreach (string phase in new[] { "choosing tactics", "timing", "of it checking", "library answers", "compiling, all threads", "final profile" }) Assert.Contains(phase, line, StringComparison.Ordinal);
    }
}
