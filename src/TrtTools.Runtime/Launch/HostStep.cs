using TrtTools.Cuda;
using TrtTools.Tensors;

namespace TrtTools.Launch;

/// <summary>A step of a plan that a library on the host runs, ready to run; runs may overlap on several threads.</summary>
internal interface IHostStep : IDisposable
{
    /// <summary>Makes inputs ready for any number of runs.</summary>
    IHostRun Bind(IReadOnlyDictionary<string, TensorData> inputs);

    /// <summary>Ends the profiling that the request asked for: times by the name of the library's own layers.</summary>
    IReadOnlyList<LayerTime> EndProfiling();
}

/// <summary>Inputs bound to a step.</summary>
internal interface IHostRun : IDisposable
{
    /// <summary>Computes; the results stay with the library until they are copied or the next run.</summary>
    void Execute(CancellationToken stop);

    /// <summary>The results of the last run, copied, in the order of the step's outputs.</summary>
    IReadOnlyList<TensorData> CopyResults();

    /// <summary>What the device's own clock says of the last run, whose results were copied; null where the step runs on the host.</summary>
    DeviceTimes? Times => null;

    /// <summary>Why runs are slower than they could be; empty where they are not.</summary>
    string Problem => "";
}

/// <summary>What a library needs to make a step ready.</summary>
internal sealed record HostStepRequest
{
    /// <summary>The engine's name, for messages.</summary>
    public required string Name { get; init; }

    public required TensorData Model { get; init; }

    /// <summary>Content of tensors that the model refers to by name.</summary>
    public required IReadOnlyDictionary<string, TensorData> Weights { get; init; }

    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    public required IReadOnlyList<string> Outputs { get; init; }

    public bool Profile { get; init; }
}

/// <param name="Calls">Milliseconds of each call, oldest first.</param>
internal sealed record LayerTime(string Name, string Kind, IReadOnlyList<double> Calls);

/// <summary>Makes steps of one kind ready.</summary>
internal interface IHostStepFactory
{
    IHostStep Create(HostStepRequest request, CancellationToken stop);
}

/// <summary>The kinds of host step this process can run.</summary>
internal static class HostSteps
{
    public const string OnnxRuntime = "onnxruntime";

    private static readonly Dictionary<string, IHostStepFactory> Factories = new(StringComparer.Ordinal);

    public static void Register(string kind, IHostStepFactory factory)
    {
        lock (Factories) Factories[kind] = factory;
    }

    public static IHostStepFactory Find(string kind, string engine)
    {
        lock (Factories)
        {
            if (Factories.TryGetValue(kind, out IHostStepFactory? known)) return known;
        }
        HostLibraries.Load();
        lock (Factories)
        {
            if (Factories.TryGetValue(kind, out IHostStepFactory? known)) return known;
        }
        throw new TrtToolsException(ErrorCode.EngineIncompatible, engine, $"it has a step of the kind '{kind}', which nothing in this process runs", "",
            string.Equals(kind, OnnxRuntime, StringComparison.Ordinal) ? "Reference TrtTools.Core, which brings ONNX Runtime" : "Use a version of TrtTools that knows this kind, or build the engine again");
    }
}
