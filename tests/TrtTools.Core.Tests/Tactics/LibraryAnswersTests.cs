using TrtTools.Launch;

namespace TrtTools.Tactics;

public sealed class LibraryAnswersTests
{
    private int _opened, _asked;

    private sealed class Library(LibraryAnswersTests test) : ILibraryAdapter
    {
        public string Version => "9.1";

        public IPreparedCall Prepare(LibraryRequest request) => throw new NotSupportedException();

        public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count)
        {
            Interlocked.Increment(ref test._asked);
            return [new LibraryCandidate([(byte)request.Extents[0]], 0)];
        }

        public void Dispose() { }
    }

    private LazyLibrary Lazy() => new("9.1", () =>
    {
        _opened++;
        return new Library(this);
    });

    private static LibraryRequest Request(long extent) => new() { Operation = "matmul", Extents = [extent], Settings = new Dictionary<string, string>() };

    [Fact]
    public void A_library_whose_answers_are_known_is_not_opened()
    {
        TimingCache cache = new(null);
        using LazyLibrary first = Lazy(), second = Lazy();
        using LibraryAnswers answers = new(cache, "device"), again = new(cache, "device");
        Assert.Equal(0, _opened);
        Assert.Equal([7], Assert.Single(answers.Ask(first, Request(7), 4)).Algorithm);
        Assert.Equal(1, _opened);
        Assert.Equal([7], Assert.Single(again.Ask(second, Request(7), 4)).Algorithm);
        Assert.Equal((1, 1), (_opened, _asked));
        again.Ask(second, Request(8), 4);
        Assert.Equal(2, _opened);
    }

    [Fact]
    public void What_is_asked_ahead_is_asked_once_and_whoever_needs_it_waits()
    {
        using LazyLibrary library = Lazy();
        using LibraryAnswers answers = new(new TimingCache(null), "device");
        LibraryRequest[] requests = [.. Enumerable.Range(1, 40).Select(i => Request(i))];
        answers.Start(() => new Library(this), library, [.. requests, .. requests], 4, 3, CancellationToken.None);
        foreach (LibraryRequest request in requests) Assert.Equal([(byte)request.Extents[0]], Assert.Single(answers.Ask(library, request, 4)).Algorithm);
        answers.Start(() => new Library(this), library, requests, 4, 3, CancellationToken.None);
        Assert.Equal((0, 40), (_opened, _asked));
    }
}
