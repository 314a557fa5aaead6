using System.Collections.Specialized;
using TrtTools.Engines;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Execution;

/// <summary>Runs one engine. <see cref="Run"/> is safe to call from several threads; memory bound on the device is for one thread at a time, with a context for each.</summary>
public sealed class ExecutionContext : IDisposable
{
    private readonly Lock _gate = new();
    private DeviceContext? _device;
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

    /// <summary>The CUDA stream (a CUstream) that <see cref="Enqueue"/> puts its work on.</summary>
    public nint Stream => Device.Stream.Handle;

    /// <summary>Binds an input or output to memory on the device, whole and row-major. It stays bound until it is bound to something else; the memory is the caller's.</summary>
    /// <param name="name">The input's or output's name.</param>
    /// <param name="address">A CUdeviceptr, aligned to 16 bytes.</param>
    /// <param name="byteCount">Room at that address.</param>
    /// <param name="shape">An input's extents; none for an output, whose shape follows.</param>
    public void Bind(string name, nint address, long byteCount, params ReadOnlySpan<long> shape)
    {
        if (address == 0 || address % 16 != 0) throw new TrtToolsException(ErrorCode.InputInvalid, $"The engine '{Engine.Name}'", $"'{name}' was bound to address {address:x}", "An address of the device, a multiple of 16", "Bind memory as the driver allocates it");
        int input = IndexOf(Engine.Inputs, name);
        if (input >= 0)
        {
            InputCheck.CheckShape(Engine, Engine.Inputs[input], shape);
            Device.BindInput(input, (ulong)address, byteCount, shape);
            return;
        }
        int output = IndexOf(Engine.Outputs, name);
        if (output < 0) throw new TrtToolsException(ErrorCode.InputNotFound, $"The engine '{Engine.Name}'", $"there is no input or output '{name}'", "", "Correct the name");
        Device.BindOutput(output, (ulong)address, byteCount);
    }

    /// <summary>Queues one inference on <see cref="Stream"/> and returns; every input is bound. Outputs that are not bound stay in memory of the context.
    /// With the shapes and the memory of the run before, nothing is allocated.</summary>
    public void Enqueue(CancellationToken stop = default)
    {
        DeviceContext device = Device;
        device.Upload();
        device.Execute(stop);
    }

    /// <summary>Waits for everything that was queued.</summary>
    public void Synchronize() => Device.Synchronize();

    /// <summary>Extents of an output in the run that was queued last.</summary>
    public long[] GetOutputShape(string name) => Device.OutputShape(RequireOutput(name));

    /// <summary>Where an output of the run that was queued last lies on the device.</summary>
    public nint GetOutputAddress(string name) => (nint)Device.OutputAddress(RequireOutput(name));

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _device?.Dispose();
            _device = null;
        }
    }

    private DeviceContext Device
    {
        get
        {
            lock (_gate)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                return _device ??= Engine.CreateDeviceContext(CancellationToken.None);
            }
        }
    }

    private int RequireOutput(string name)
    {
        int index = IndexOf(Engine.Outputs, name);
        return index >= 0 ? index : throw new TrtToolsException(ErrorCode.InputNotFound, $"The engine '{Engine.Name}'", $"there is no output '{name}'", "", "Correct the name");
    }

    private static int IndexOf(IReadOnlyList<EngineTensor> tensors, string name)
    {
        for (int i = 0; i < tensors.Count; i++) if (string.Equals(tensors[i].Name, name, StringComparison.Ordinal)) return i;
        return -1;
    }
}
