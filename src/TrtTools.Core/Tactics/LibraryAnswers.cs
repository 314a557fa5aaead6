using System.Collections.Concurrent;
using System.Globalization;
using TrtTools.Launch;

namespace TrtTools.Tactics;

/// <summary>
/// What libraries offered for calls, so that equal questions are asked once, and not again by a build with the same timing cache: cuDNN compiles what it offers. Questions that are known to come
/// are asked ahead, on threads of their own; whoever needs an answer waits for it.
/// </summary>
/// <param name="cache">Keeps the answers between builds; null: nothing does.</param>
/// <param name="environment">Device and driver.</param>
internal sealed class LibraryAnswers(TimingCache? cache, string environment, PhaseClock? clock = null) : IDisposable
{
    private readonly ConcurrentDictionary<string, Task<IReadOnlyList<LibraryCandidate>>> _known = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, byte[]> _compiled = new(StringComparer.Ordinal);
    private readonly List<(WorkQueue Queue, ThreadLocal<ILibraryAdapter> Adapters)> _queues = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly PhaseClock _clock = clock ?? new PhaseClock();

    /// <summary>Asks ahead what is not known yet, in this order.</summary>
    /// <param name="open">An adapter for one thread, which it disposes.</param>
    public void Start(Func<ILibraryAdapter> open, ILibraryAdapter library, IReadOnlyList<LibraryRequest> requests, int count, int threads, CancellationToken stop)
    {
        LibraryRequest[] fresh = [.. requests.DistinctBy(r => Question(library, r, count)).Where(r => Find(Question(library, r, count)) is null)];
        if (fresh.Length == 0) return;
        // Each thread makes its adapter with its first question.
        ThreadLocal<ILibraryAdapter> own = new(open, trackAllValues: true);
        WorkQueue queue = new(Math.Min(threads, fresh.Length), "library answers");
        _queues.Add((queue, own));
        foreach (LibraryRequest request in fresh)
        {
            _known[Question(library, request, count)] = queue.Add(() =>
            {
                using CancellationTokenSource linked = CancellationTokenSource.CreateLinkedTokenSource(stop, _stop.Token);
                linked.Token.ThrowIfCancellationRequested();
                using (_clock.Time("library answers, all threads")) return Keep(own.Value!, request with { Stop = linked.Token }, count);
            });
        }
    }

    public IReadOnlyList<LibraryCandidate> Ask(ILibraryAdapter library, LibraryRequest request, int count)
    {
        string question = Question(library, request, count);
        if (Find(question) is { } known)
        {
            if (known.IsCompleted) return known.GetAwaiter().GetResult();
            using (_clock.Time("waiting for libraries")) return known.GetAwaiter().GetResult();
        }
        using (_clock.Time("library answers, this thread"))
        {
            IReadOnlyList<LibraryCandidate> found = Keep(library, request, count);
            _known[question] = Task.FromResult(found);
            return found;
        }
    }

    /// <summary>The request with all that the library had compiled for its algorithm, where it was asked in this build or an earlier one chose it.</summary>
    public LibraryRequest WithCompiled(ILibraryAdapter library, LibraryRequest request) => Compiled(library, request) is { } compiled ? request with { Algorithm = compiled } : request;

    /// <summary>The tactic as a plan keeps it: with what its libraries compiled for it, so that loading an engine compiles nothing. It is kept in the cache, since another compilation may give other bytes.</summary>
    public Tactic Settle(Tactic tactic, TacticContext context, Func<string, ILibraryAdapter> open)
    {
        if (!tactic.Launches.Any(l => l is LibraryTacticLaunch { Algorithm.Length: > 0 })) return tactic;
        return tactic with { Launches = [.. tactic.Launches.Select(l => l is LibraryTacticLaunch { Algorithm.Length: > 0 } call && LibraryWorkspace.Request(call, context, call.WorkspaceBytes) is { } request ? call with { Algorithm = Settle(open(call.Library), request with { Algorithm = call.Algorithm, Version = call.Version }) } : l)] };
    }

    private byte[] Settle(ILibraryAdapter library, LibraryRequest request)
    {
        byte[] compiled = Compiled(library, request) ?? library.Compiled(request);
        if (!compiled.AsSpan().SequenceEqual(request.Algorithm.Span)) cache?.AddPlan(PlanKey(library, request), compiled);
        return compiled;
    }

    private byte[]? Compiled(ILibraryAdapter library, LibraryRequest request)
    {
        string key = PlanKey(library, request);
        return cache?.FindPlan(key) ?? (_compiled.TryGetValue(key, out byte[]? known) ? known : null);
    }

    private Task<IReadOnlyList<LibraryCandidate>>? Find(string question)
    {
        if (_known.TryGetValue(question, out Task<IReadOnlyList<LibraryCandidate>>? known)) return known;
        if (cache?.FindAnswer(question) is not { } kept) return null;
        return _known[question] = Task.FromResult(kept);
    }

    private IReadOnlyList<LibraryCandidate> Keep(ILibraryAdapter library, LibraryRequest request, int count)
    {
        IReadOnlyList<LibraryCandidate> found = library.Candidates(request, count);
        foreach (LibraryCandidate candidate in found)
        {
            if (candidate.Compiled.Length > 0) _compiled[PlanKey(library, request with { Algorithm = candidate.Algorithm })] = candidate.Compiled;
        }
        cache?.AddAnswer(Question(library, request, count), found);
        return found;
    }

    private string Question(ILibraryAdapter library, LibraryRequest request, int count) => string.Create(CultureInfo.InvariantCulture, $"{Call(library, request)} {request.WorkspaceBytes} {count}");

    private string PlanKey(ILibraryAdapter library, LibraryRequest request) => $"{Call(library, request)} {Convert.ToHexString(request.Algorithm.Span)}";

    private string Call(ILibraryAdapter library, LibraryRequest request) =>
        $"{environment} {request.Operation} {library.Version} {string.Join(' ', request.Extents)} {string.Join(' ', request.Settings.OrderBy(s => s.Key, StringComparer.Ordinal))}";

    public void Dispose()
    {
        _stop.Cancel();
        foreach ((WorkQueue queue, ThreadLocal<ILibraryAdapter> adapters) in _queues)
        {
            queue.Dispose();
            foreach (ILibraryAdapter adapter in adapters.Values) adapter.Dispose();
            adapters.Dispose();
        }
        _queues.Clear();
        _stop.Dispose();
    }
}
