using System.Globalization;
using TrtTools.Launch;

namespace TrtTools.Tactics;

/// <summary>Libraries for trials: calls that were made ready serve again, since a trial runs one call many times, and making it ready costs more than running it.</summary>
/// <param name="open">The build's own adapter of a library.</param>
/// <param name="answers">Knows what libraries compiled when they were asked; null: nothing does.</param>
internal sealed class TrialLibraries(Func<string, string, ILibraryAdapter> open, LibraryAnswers? answers) : IDisposable
{
    /// <summary>More than one tactic ever calls.</summary>
    private const int MostKept = 8;

    private readonly List<(string Key, IPreparedCall Call)> _kept = [];

    public ILibraryAdapter Open(string library, string engine) => new Adapter(this, open(library, engine));

    private IPreparedCall Prepare(ILibraryAdapter adapter, LibraryRequest request)
    {
        string key = string.Create(CultureInfo.InvariantCulture,
            $"{request.Operation} {string.Join(' ', request.Extents)} {string.Join(' ', request.Settings.OrderBy(s => s.Key, StringComparer.Ordinal))} {Convert.ToHexString(request.Algorithm.Span)} {request.WorkspaceBytes}");
        int known = _kept.FindIndex(k => string.Equals(k.Key, key, StringComparison.Ordinal));
        if (known >= 0) return new Borrowed(_kept[known].Call);
        IPreparedCall call = adapter.Prepare(answers is null ? request : answers.WithCompiled(adapter, request));
        if (_kept.Count == MostKept)
        {
            _kept[0].Call.Dispose();
            _kept.RemoveAt(0);
        }
        _kept.Add((key, call));
        return new Borrowed(call);
    }

    public void Dispose()
    {
        foreach ((_, IPreparedCall call) in _kept) call.Dispose();
        _kept.Clear();
    }

    private sealed class Borrowed(IPreparedCall inner) : IPreparedCall
    {
        public void Enqueue(ReadOnlySpan<ulong> operands, nint stream) => inner.Enqueue(operands, stream);

        public void Dispose() { }
    }

    private sealed class Adapter(TrialLibraries owner, ILibraryAdapter inner) : ILibraryAdapter
    {
        public string Version => inner.Version;

        public IPreparedCall Prepare(LibraryRequest request) => owner.Prepare(inner, request);

        public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count) => inner.Candidates(request, count);

        public byte[] Compiled(LibraryRequest request) => inner.Compiled(request);

        public void Dispose() { }
    }
}
