using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace TrtTools.Cmdlets;

/// <summary>Holds TrtTools.Core, TrtTools.Runtime and every package they use, apart from whatever other modules of the session load.</summary>
internal sealed class ModuleLoadContext : AssemblyLoadContext
{
    private static readonly string[] Entrances = ["TrtTools.Core", "TrtTools.Runtime"];
    private static readonly Lock Gate = new();
    private static ModuleLoadContext? _instance;
    private readonly string _folder;

    private ModuleLoadContext(string folder) : base("TrtTools") => _folder = folder;

    /// <summary>Answers the default context when it looks for one of the two assemblies that cmdlets are compiled against.</summary>
    public static void Install()
    {
        lock (Gate)
        {
            if (_instance is not null) return;
            _instance = new ModuleLoadContext(Path.Combine(Path.GetDirectoryName(typeof(ModuleLoadContext).Assembly.Location)!, "core"));
            Default.Resolving += static (_, name) => Entrances.Contains(name.Name, StringComparer.Ordinal) ? _instance.LoadFromAssemblyName(name) : null;
        }
    }

    public static IEnumerable<Assembly> LoadEntrances() => Entrances.Select(name => _instance!.LoadFromAssemblyName(new AssemblyName(name)));

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        string path = Path.Combine(_folder, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }

    // By absolute path, never by name: Windows ships an old onnxruntime.dll in System32.
    protected override nint LoadUnmanagedDll(string unmanagedDllName)
    {
        (string rid, string prefix, string extension) = OperatingSystem.IsWindows() ? ("win", "", ".dll") : ("linux", "lib", ".so");
        string folder = Path.Combine(_folder, "runtimes", $"{rid}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}", "native");
        string name = Path.GetFileNameWithoutExtension(unmanagedDllName);
        foreach (string candidate in new[] { prefix + name + extension, name + extension })
        {
            string path = Path.Combine(folder, candidate);
            if (File.Exists(path)) return LoadUnmanagedDllFromPath(path);
        }
        return 0;
    }
}
