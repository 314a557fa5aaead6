using TrtTools.Launch;

namespace TrtTools.Tactics;

/// <summary>A library that is opened when it is first asked: a build that knows all answers, and chooses other tactics, never does.</summary>
internal sealed class LazyLibrary(string version, Func<ILibraryAdapter> open) : ILibraryAdapter
{
    private ILibraryAdapter? _opened;

    public string Version => version;

    private ILibraryAdapter Opened => _opened ??= open();

    public IPreparedCall Prepare(LibraryRequest request) => Opened.Prepare(request);

    public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count) => Opened.Candidates(request, count);

    public byte[] Compiled(LibraryRequest request) => Opened.Compiled(request);

    public void Dispose()
    {
        _opened?.Dispose();
        _opened = null;
    }
}
