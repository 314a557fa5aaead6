using System.Collections.Concurrent;
using System.Management.Automation;
using System.Runtime.ExceptionServices;

namespace TrtTools.Cmdlets;

/// <summary>What all cmdlets share: work off the pipeline's thread that can be stopped, and errors that a user can act on.</summary>
public abstract class TrtCmdlet : PSCmdlet, IDisposable
{
    // How long a stopped pipeline waits for its worker: a native call can't be interrupted, and a prompt must be back within a second.
    private const int StopPatienceMs = 700;

    private readonly CancellationTokenSource _stop = new();

    /// <summary>The object that the current item's errors are about.</summary>
    private protected object? Subject { get; set; }

    /// <summary>One item of the pipeline.</summary>
    private protected abstract void ProcessItem();

    /// <summary>What can only be done when all items have come.</summary>
    private protected virtual void ProcessEnd() { }

    protected override void BeginProcessing() => Data.TensorConversion.Unwrap = static value => value is PSObject wrapped ? wrapped.BaseObject : value;

    protected sealed override void ProcessRecord() => Guard(ProcessItem);

    protected sealed override void EndProcessing() => Guard(ProcessEnd);

    protected override void StopProcessing() => _stop.Cancel();

    public void Dispose()
    {
        DisposeOwned();
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends what this cmdlet created; called on success, error and Ctrl+C alike.</summary>
    private protected virtual void DisposeOwned() { }

    /// <summary>Does one piece of the work and turns its errors into error records; a bad item doesn't stop the next.</summary>
    private protected void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (TrtToolsException e)
        {
            ErrorRecord record = ErrorIds.Record(e, Subject);
            if (ErrorIds.IsEnvironment(e.Code)) ThrowTerminatingError(record);
            WriteError(record);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (ObjectDisposedException e) when (e.ObjectName.StartsWith("TrtTools.", StringComparison.Ordinal))
        {
            string type = e.ObjectName.Split('.')[^1];
            WriteError(ErrorIds.Record(new TrtToolsException(ErrorCode.ObjectNotLive, type, "the object was disposed", "", "Import it again, and dispose it after its last use", e), Subject));
        }
        catch (Exception e) when (!IsPowerShells(e))
        {
            WriteVerbose(e.ToString());
            WriteError(ErrorIds.Internal(e, MyInvocation.MyCommand.Name, Subject));
        }
    }

    // Stops, breaks, exits and errors of downstream commands come through WriteObject as exceptions and must go on.
    private static bool IsPowerShells(Exception e) => e is RuntimeException || e.GetType().Assembly == typeof(PSObject).Assembly;

    internal Execution.Engine Load(string path) => Run((Report report, CancellationToken stop) => Execution.EngineFile.Load(path, report, stop));

    /// <summary>Runs <paramref name="work"/> on a thread of its own, and meanwhile writes here what it reports.</summary>
    private protected T Run<T>(Func<Report, CancellationToken, T> work) => Run((PipelineReport report, CancellationToken stop) => work(report, stop));

    private protected T Run<T>(Func<PipelineReport, CancellationToken, T> work)
    {
        if (_stop.IsCancellationRequested) throw new PipelineStoppedException();
        BlockingCollection<Action<TrtCmdlet>> queue = [];
        PipelineReport report = new(queue);
        CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        Thread worker = new(() =>
        {
            try { result = work(report, stop.Token); }
            catch (Exception e) { failure = ExceptionDispatchInfo.Capture(e); }
            finally { queue.CompleteAdding(); }
        }, maxStackSize: 16 << 20) { IsBackground = true, Name = MyInvocation.MyCommand.Name };
        worker.Start();
        try
        {
            foreach (Action<TrtCmdlet> action in queue.GetConsumingEnumerable(_stop.Token)) action(this);
            if (report.Shown is { } activity) WriteProgress(new ProgressRecord(PipelineReport.ProgressId, activity, " ") { RecordType = ProgressRecordType.Completed });
        }
        catch (OperationCanceledException)
        {
            throw new PipelineStoppedException();
        }
        finally
        {
            // Reached early when the pipeline was stopped, or when writing a warning ended it: the worker must not outlive the command.
            stop.Cancel();
            queue.CompleteAdding();
            if (worker.Join(StopPatienceMs)) { stop.Dispose(); queue.Dispose(); }
        }
        failure?.Throw();
        return result!;
    }
}
