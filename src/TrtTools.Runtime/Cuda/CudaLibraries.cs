using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

/// <summary>Looks for the libraries that builds for a GPU use, in the loader's path, CUDA_PATH, the usual folders and NVIDIA's Python wheels.</summary>
internal static unsafe class CudaLibraries
{
    public const string Nvrtc = "NVRTC", CublasLt = "cuBLASLt", Cudnn = "cuDNN";

    private sealed record Library(string Name, string[] LinuxFiles, string[] WindowsFiles, string Wheel, string Install, Func<nint, string> Version);

    // Newest first. The unversioned names come last: a distribution's own link may point at something older.
    private static readonly Library[] All =
    [
        new(Nvrtc, ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"], ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"], "cuda_nvrtc", "the CUDA Toolkit (https://developer.nvidia.com/cuda-downloads) or 'pip install nvidia-cuda-nvrtc'", NvrtcVersion),
        new(CublasLt, ["libcublasLt.so.13", "libcublasLt.so.12"], ["cublasLt64_13.dll", "cublasLt64_12.dll"], "cublas", "the CUDA Toolkit (https://developer.nvidia.com/cuda-downloads) or 'pip install nvidia-cublas'", CublasVersion),
        new(Cudnn, ["libcudnn.so.9"], ["cudnn64_9.dll"], "cudnn", "cuDNN 9 (https://developer.nvidia.com/cudnn-downloads) or 'pip install nvidia-cudnn-cu13'", CudnnVersion),
    ];

    private static readonly Dictionary<string, Lazy<LoadedLibrary?>> Loaded = All.ToDictionary(l => l.Name, l => new Lazy<LoadedLibrary?>(() => Search(l)), StringComparer.Ordinal);

    /// <summary>The library's handle, version and place; null where it is missing. It is looked for once and stays loaded.</summary>
    public static LoadedLibrary? Find(string name) => Loaded[name].Value;

    /// <summary>The library, or the error that says how to get it.</summary>
    public static LoadedLibrary Require(string name) => Find(name)
        ?? throw new TrtToolsException(ErrorCode.NativeLibraryMissing, name, "it was not found", "It in the loader's path, in CUDA_PATH, or among NVIDIA's Python packages", $"Install {InstallHint(name)}");

    public static string InstallHint(string name) => All.Single(l => string.Equals(l.Name, name, StringComparison.Ordinal)).Install;

    /// <summary>One line per library: "cuBLASLt 13.1: /path", or "missing: cuBLASLt; install …".</summary>
    public static string[] Describe() => [.. All.Select(l => Find(l.Name) is { } found ? $"{l.Name} {found.Version}: {found.Path}" : $"missing: {l.Name}; install {l.Install}")];

    private static LoadedLibrary? Search(Library library)
    {
        string[] files = OperatingSystem.IsWindows() ? library.WindowsFiles : library.LinuxFiles;
        // A library of a newer major version than the driver's makes code that the driver does not load: it comes last.
        int driver = CudaDriver.Current.MajorVersion;
        foreach (string file in files.OrderBy(f => driver > 0 && MajorVersion(f) > driver ? 1 : 0))
        {
            foreach (string candidate in Folders(library.Wheel).Select(d => Path.Combine(d, file)).Where(File.Exists).Append(file))
            {
                if (!NativeLibrary.TryLoad(candidate, out nint handle)) continue;
                return new LoadedLibrary(handle, Read(library, handle), Path.IsPathRooted(candidate) ? candidate : LoadedPath(candidate));
            }
        }
        return null;
    }

    /// <summary>13 of "libnvrtc.so.13", "nvrtc64_130_0.dll" and "cublasLt64_13.dll"; cuDNN counts by itself.</summary>
    private static int MajorVersion(string file) =>
        file.Contains("cudnn", StringComparison.Ordinal) ? 0 : file.Contains("13", StringComparison.Ordinal) ? 13 : file.Contains("12", StringComparison.Ordinal) ? 12 : 0;

    private static string Read(Library library, nint handle)
    {
        try
        {
            return library.Version(handle);
        }
        catch (EntryPointNotFoundException)
        {
            return "(of unknown version)";
        }
    }

    private static string NvrtcVersion(nint library)
    {
        int major = 0, minor = 0;
        ((delegate* unmanaged<int*, int*, int>)NativeLibrary.GetExport(library, "nvrtcVersion"))(&major, &minor);
        return $"{major}.{minor}";
    }

    private static string CublasVersion(nint library)
    {
        ulong version = ((delegate* unmanaged<nuint>)NativeLibrary.GetExport(library, "cublasLtGetVersion"))();
        return $"{version / 10000}.{version % 10000 / 100}.{version % 100}";
    }

    private static string CudnnVersion(nint library)
    {
        ulong version = ((delegate* unmanaged<nuint>)NativeLibrary.GetExport(library, "cudnnGetVersion"))();
        return $"{version / 10000}.{version % 10000 / 100}.{version % 100}";
    }

    private static IEnumerable<string> Folders(string wheel)
    {
        List<string> folders = [];
        string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
        foreach (string root in new[] { Variable("CUDA_PATH"), Variable("CUDA_HOME"), OperatingSystem.IsWindows() ? null : "/usr/local/cuda" }.OfType<string>())
        {
            folders.AddRange([Path.Combine(root, "lib64"), Path.Combine(root, "bin"), Path.Combine(root, "bin", "x64")]);
        }
        foreach (string site in PythonSites())
        {
            foreach (string part in new[] { wheel, "cu13", "cu12" }) folders.AddRange([Path.Combine(site, "nvidia", part, "lib"), Path.Combine(site, "nvidia", part, "bin")]);
        }
        if (Variable("CONDA_PREFIX") is { } conda) folders.Add(Path.Combine(conda, OperatingSystem.IsWindows() ? "Library/bin" : "lib"));
        return folders.Where(Directory.Exists);
    }

    private static IEnumerable<string> PythonSites()
    {
        string? environment = Environment.GetEnvironmentVariable("VIRTUAL_ENV") ?? Environment.GetEnvironmentVariable("CONDA_PREFIX");
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (OperatingSystem.IsWindows())
        {
            if (environment is not null) yield return Path.Combine(environment, "Lib", "site-packages");
            foreach (string python in Subfolders(Path.Combine(home, "AppData", "Local", "Programs", "Python"), "Python3*")) yield return Path.Combine(python, "Lib", "site-packages");
            yield break;
        }
        string[] roots = [.. environment is null ? [] : new[] { Path.Combine(environment, "lib") }, Path.Combine(home, ".local", "lib"), "/usr/local/lib", "/usr/lib"];
        foreach (string python in roots.SelectMany(r => Subfolders(r, "python3*")))
        {
            yield return Path.Combine(python, "site-packages");
            yield return Path.Combine(python, "dist-packages");
        }
    }

    private static IEnumerable<string> Subfolders(string folder, string pattern)
    {
        try
        {
            return Directory.Exists(folder) ? Directory.GetDirectories(folder, pattern).OrderDescending(StringComparer.Ordinal) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string LoadedPath(string name)
    {
        if (!OperatingSystem.IsLinux()) return "in the loader's path";
        try
        {
            string? line = File.ReadLines("/proc/self/maps").FirstOrDefault(l => l.Contains('/') && Path.GetFileName(l).StartsWith(name, StringComparison.Ordinal));
            return line is null ? "in the loader's path" : line[line.IndexOf('/')..];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "in the loader's path";
        }
    }
}
