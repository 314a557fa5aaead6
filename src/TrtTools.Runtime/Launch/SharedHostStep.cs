using TrtTools.Tensors;

namespace TrtTools.Launch;

/// <summary>A host step that is made on first use and let go when its owner and the last run on it are done.</summary>
internal sealed class SharedHostStep(Func<CancellationToken, IHostStep> create, Action<string> throwGone)
{
    private readonly Lock _gate = new();
    private IHostStep? _step;
    private int _users;
    private bool _closed;

    public IHostRun Bind(IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop)
    {
        IHostStep step = Enter(stop);
        try
        {
            return new Run(this, step.Bind(inputs));
        }
        catch
        {
            Leave();
            throw;
        }
    }

    /// <summary>Makes the step now, so that its errors come now.</summary>
    public void Prepare(CancellationToken stop)
    {
        Enter(stop);
        Leave();
    }

    /// <summary>What <paramref name="make"/> makes of the step; from then on it holds what it needs of the step by itself.</summary>
    public T Use<T>(Func<IHostStep, T> make, CancellationToken stop)
    {
        IHostStep step = Enter(stop);
        try
        {
            return make(step);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Lets go of a step that nobody uses; the next use makes it again.</summary>
    public void Release()
    {
        IHostStep? idle = null;
        lock (_gate)
        {
            if (_users == 0) (idle, _step) = (_step, null);
        }
        idle?.Dispose();
    }

    public void Close()
    {
        IHostStep? last = null;
        lock (_gate)
        {
            _closed = true;
            if (_users == 0) (last, _step) = (_step, null);
        }
        last?.Dispose();
    }

    private IHostStep Enter(CancellationToken stop)
    {
        lock (_gate)
        {
            if (_closed) throwGone("it was disposed");
            _step ??= create(stop);
            _users++;
            return _step;
        }
    }

    private void Leave()
    {
        IHostStep? last = null;
        lock (_gate)
        {
            if (--_users == 0 && _closed) (last, _step) = (_step, null);
        }
        last?.Dispose();
    }

    private sealed class Run(SharedHostStep owner, IHostRun inner) : IHostRun
    {
        private bool _left;

        public void Execute(CancellationToken stop) => inner.Execute(stop);

        public IReadOnlyList<TensorData> CopyResults() => inner.CopyResults();

        public DeviceTimes? Times => inner.Times;

        public string Problem => inner.Problem;

        public void Dispose()
        {
            if (_left) return;
            _left = true;
            inner.Dispose();
            owner.Leave();
        }
    }
}
