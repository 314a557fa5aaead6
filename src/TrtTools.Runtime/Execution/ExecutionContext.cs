using System.Collections.Specialized;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>Runs one engine. Safe to call from several threads.</summary>
public sealed class ExecutionContext : IDisposable
{
    private bool _disposed;

    internal ExecutionContext(Engine engine) => Engine = engine;

    public Engine Engine { get; }

    /// <summary>One inference. The result is ordered as the engine's outputs: name → <see cref="Tensor"/>.</summary>
    public OrderedDictionary Run(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken stop = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        InputCheck.Check(Engine, inputs);
        IReadOnlyList<TensorData> results;
        using (IHostRun run = Engine.Bind(inputs.ToDictionary(p => p.Key, p => p.Value.Content, StringComparer.Ordinal), stop))
        {
            run.Execute(stop);
            results = run.CopyResults();
        }
        OrderedDictionary named = new(StringComparer.Ordinal);
        for (int i = 0; i < results.Count; i++) named.Add(Engine.Outputs[i].Name, new Tensor(Engine.Outputs[i].Name, results[i]));
        return named;
    }

    public void Dispose() => _disposed = true;
}
