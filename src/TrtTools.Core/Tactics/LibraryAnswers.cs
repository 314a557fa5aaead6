using System.Collections.Concurrent;
using TrtTools.Launch;

namespace TrtTools.Tactics;

/// <summary>What libraries offered for calls, so that equal questions are asked once, and not again by a build with the same timing cache: cuDNN compiles what it offers.</summary>
/// <param name="cache">Keeps the answers between builds; null: nothing does.</param>
/// <param name="environment">Device and driver.</param>
internal sealed class LibraryAnswers(TimingCache? cache, string environment)
{
    private readonly ConcurrentDictionary<string, IReadOnlyList<LibraryCandidate>> _known = new(StringComparer.Ordinal);

    public bool Has(ILibraryAdapter library, LibraryRequest request, int count) => Find(Question(library, request, count)) is not null;

    public IReadOnlyList<LibraryCandidate> Ask(ILibraryAdapter library, LibraryRequest request, int count)
    {
        string question = Question(library, request, count);
        if (Find(question) is { } known) return known;
        IReadOnlyList<LibraryCandidate> found = library.Candidates(request, count);
        _known[question] = found;
        cache?.AddAnswer(question, found);
        return found;
    }

    private IReadOnlyList<LibraryCandidate>? Find(string question)
    {
        if (_known.TryGetValue(question, out IReadOnlyList<LibraryCandidate>? known)) return known;
        if (cache?.FindAnswer(question) is not { } kept) return null;
        _known[question] = kept;
        return kept;
    }

    private string Question(ILibraryAdapter library, LibraryRequest request, int count) =>
        $"{environment} {library.GetType().Name} {library.Version} {request.Operation} {string.Join(' ', request.Extents)} {string.Join(' ', request.Settings.OrderBy(s => s.Key, StringComparer.Ordinal))} {request.WorkspaceBytes} {count}";
}
