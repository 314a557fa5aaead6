using System.Collections.Concurrent;

namespace TrtTools.Tactics;

/// <summary>Work that threads of its own do in the order it was added. Disposing it leaves out what has not begun and waits for the rest.</summary>
internal sealed class WorkQueue : IDisposable
{
    private readonly BlockingCollection<Action> _work = new(new ConcurrentQueue<Action>());
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread[] _threads;

    public WorkQueue(int threads, string name)
    {
        _threads = [.. Enumerable.Range(0, Math.Max(1, threads)).Select(i => new Thread(Run) { IsBackground = true, Name = $"{name} {i}" })];
        foreach (Thread thread in _threads) thread.Start();
    }

    /// <summary>Cancelled when the queue is disposed before its turn.</summary>
    public Task<T> Add<T>(Func<T> work)
    {
        TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            if (_stop.IsCancellationRequested)
            {
                result.TrySetCanceled();
                return;
            }
            try
            {
                result.TrySetResult(work());
            }
            catch (OperationCanceledException)
            {
                result.TrySetCanceled();
            }
            catch (Exception e)
            {
                // Whoever waits for it gets it.
                result.TrySetException(e);
            }
        });
        return result.Task;
    }

    private void Run()
    {
        foreach (Action work in _work.GetConsumingEnumerable()) work();
    }

    public void Dispose()
    {
        _stop.Cancel();
        _work.CompleteAdding();
        foreach (Thread thread in _threads) thread.Join();
        _work.Dispose();
        _stop.Dispose();
    }
}
