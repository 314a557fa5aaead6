using TrtTools.Cuda;
using TrtTools.Launch;
using TrtTools.Tactics;

namespace TrtTools.Build;

/// <summary>The sources of tactics of one build, in the order of preference, and what they ask.</summary>
internal sealed class TacticSources : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    private TacticSources() { }

    public List<ITacticSource> All { get; } = [];

    public static TacticSources Of(CudaTarget target, BuildOptions options)
    {
        TacticSources sources = new();
        try
        {
            if (!options.NoLibrary) sources.AddLibraries(target);
            sources.All.Add(new GeneratedTactics((region, context) => throw new NotImplementedException()));
            return sources;
        }
        catch
        {
            sources.Dispose();
            throw;
        }
    }

    private void AddLibraries(CudaTarget target)
    {
        if (target.DeviceId is not { } device)
        {
            if (target.AssumesLibraries) All.AddRange([new CudnnTactics(null), new CublasLtTactics(null)]);
            return;
        }
        CudaContext context = CudaContext.Open(device);
        _owned.Add(context);
        if (CudaLibraries.Find(CudaLibraries.Cudnn) is not null) All.Add(new CudnnTactics(Own(LibraryAdapters.Create(CudnnAdapter.Library, "the build"))));
        if (CudaLibraries.Find(CudaLibraries.CublasLt) is not null) All.Add(new CublasLtTactics(Own(LibraryAdapters.Create(CublasLtAdapter.Library, "the build"))));
    }

    private ILibraryAdapter Own(ILibraryAdapter adapter)
    {
        _owned.Add(adapter);
        return adapter;
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--) _owned[i].Dispose();
        _owned.Clear();
    }
}
