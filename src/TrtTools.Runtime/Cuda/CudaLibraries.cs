using System.Runtime.InteropServices;

namespace TrtTools.Cuda;

/// <summary>Looks for the libraries that builds for a GPU use, in the loader's path, CUDA_PATH, the usual folders and NVIDIA's Python wheels.</summary>
internal static unsafe class CudaLibraries
{
    private sealed record Library(string Name, string[] LinuxFiles, string[] WindowsFiles, string Wheel, string Install, Func<nint, string> Version);

    private static readonly Library[] All =
    [
        new("NVRTC", ["libnvrtc.so.13", "libnvrtc.so.12"], ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"], "cuda_nvrtc", "the CUDA Toolkit (https://developer.nvidia.com/cuda-downloads) or 'pip install nvidia-cuda-nvrtc'", NvrtcVersion),
        new("cuBLASLt", ["libcublasLt.so.13", "libcublasLt.so.12"], ["cublasLt64_13.dll", "cublasLt64_12.dll"], "cublas", "the CUDA Toolkit (https://developer.nvidia.com/cuda-downloads) or 'pip install nvidia-cublas'", CublasVersion),
        new("cuDNN", ["libcudnn.so.9"], ["cudnn64_9.dll"], "cudnn", "cuDNN 9 (https://developer.nvidia.com/cudnn-downloads) or 'pip install nvidia-cudnn-cu13'", CudnnVersion),
    ];

    /// <summary>One line per library: "cuBLASLt 13.1: /path", or "missing: cuBLASLt; install …".</summary>
    public static string[] Describe() => [.. All.Select(Describe)];

    private static string Describe(Library library)
    {
        string[] files = OperatingSystem.IsWindows() ? library.WindowsFiles : library.LinuxFiles;
        foreach (string candidate in files.SelectMany(f => Folders(library.Wheel).Select(d => Path.Combine(d, f))).Where(File.Exists).Concat(files))
        {
            if (!NativeLibrary.TryLoad(candidate, out nint handle)) continue;
            return $"{library.Name} {Read(library, handle)}: {(Path.IsPathRooted(candidate) ? candidate : LoadedPath(candidate))}";
        }
        return $"missing: {library.Name}; install {library.Install}";
    }

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
