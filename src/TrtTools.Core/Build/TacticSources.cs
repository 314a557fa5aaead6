using TrtTools.Cuda;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tactics;

namespace TrtTools.Build;

/// <summary>The sources of tactics of one build, in the order of preference, and what they ask.</summary>
internal sealed class TacticSources : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly Dictionary<string, ILibraryAdapter> _adapters = new(StringComparer.Ordinal);

    private TacticSources() { }

    public List<ITacticSource> All { get; } = [];

    /// <summary>What libraries answered; null where none can be asked.</summary>
    public LibraryAnswers? Answers { get; private set; }

    public static TacticSources Of(CudaTarget target, BuildOptions options, TimingCache times, PhaseClock clock)
    {
        TacticSources sources = new();
        try
        {
            if (!options.NoLibrary) sources.AddLibraries(target, times, clock);
            List<ITacticSource> libraries = [.. sources.All];
            sources.All.Add(new HandMadeTactics());
            sources.All.AddRange(libraries.Select(s => new SplitTactics(s, Generate)));
            sources.All.AddRange(sources.All.ToList().Select(s => new ConvertingTactics(s, Generate)));
            sources.All.Add(new GeneratedTactics(Generate));
            return sources;
        }
        catch
        {
            sources.Dispose();
            throw;
        }
    }

    private static IReadOnlyList<KernelLaunch> Generate(Region region, TacticContext context) =>
        NestGenerator.Generate(region, new GeneratorOptions { Typical = context.Symbols, Maximum = context.Maximum, Multiprocessors = context.Multiprocessors, Programmatic = context.Capability >= WgmmaKernel.Capability });

    private void AddLibraries(CudaTarget target, TimingCache times, PhaseClock clock)
    {
        if (target.OtherLibraries is { } other)
        {
            Answers = new LibraryAnswers(times, target.Environment, clock);
            _owned.Add(Answers);
            All.AddRange([new CudnnTactics(Adapter(CudnnAdapter.Library, other), () => other(CudnnAdapter.Library), Answers), new CublasLtTactics(Adapter(CublasLtAdapter.Library, other), Answers)]);
            return;
        }
        if (target.DeviceId is not { } device)
        {
            if (target.AssumesLibraries) All.AddRange([new CudnnTactics(null), new CublasLtTactics(null)]);
            return;
        }
        CudaContext context = CudaContext.Open(device);
        _owned.Add(context);
        LibraryAnswers answers = Answers = new(times, $"{target.Name} {target.Multiprocessors} {CudaDriver.Current.Version}", clock);
        _owned.Add(answers);
        if (CudaLibraries.Find(CudaLibraries.Cudnn) is not null) All.Add(new CudnnTactics(Adapter(CudnnAdapter.Library, "the build"), () =>
        {
            context.MakeCurrent();
            return LibraryAdapters.Create(CudnnAdapter.Library, "the build");
        }, answers));
        if (CudaLibraries.Find(CudaLibraries.CublasLt) is not null) All.Add(new CublasLtTactics(Adapter(CublasLtAdapter.Library, "the build"), answers));
    }

    /// <summary>The build's own adapter of a library, made when first asked for.</summary>
    public ILibraryAdapter Adapter(string library, string engine) => Adapter(library, name => name switch
    {
        CudnnAdapter.Library => new LazyLibrary(Cudnn.Version, () => LibraryAdapters.Create(name, engine)),
        CublasLtAdapter.Library => new LazyLibrary(CublasLt.Version, () => LibraryAdapters.Create(name, engine)),
        _ => LibraryAdapters.Create(name, engine),
    });

    private ILibraryAdapter Adapter(string library, Func<string, ILibraryAdapter> create)
    {
        if (_adapters.TryGetValue(library, out ILibraryAdapter? known)) return known;
        ILibraryAdapter made = create(library);
        _owned.Add(made);
        _adapters.Add(library, made);
        return made;
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--) _owned[i].Dispose();
        _owned.Clear();
    }
}
