using System.Runtime.CompilerServices;

namespace TrtTools.Cuda;

/// <summary>Libraries that compute on the CPU. Each says its name, version and place, or what to install when it cannot be loaded.</summary>
internal static class HostLibraries
{
    private static readonly List<Func<string>> Known = [];

    public static void Add(Func<string> describe)
    {
        lock (Known) Known.Add(describe);
    }

    /// <summary>Loads the compiler's assembly where there is one: it brings ONNX Runtime. A light host that leaves it out runs no CPU engines.</summary>
    public static void Load()
    {
        if (Type.GetType("TrtTools.Ort.OnnxRuntimeHost, TrtTools.Core") is { } host) RuntimeHelpers.RunModuleConstructor(host.Module.ModuleHandle);
    }

    public static string[] Describe()
    {
        Load();
        lock (Known) return [.. Known.Select(k => k())];
    }
}
