using System.Reflection;
using System.Runtime.InteropServices;
using TrtTools.Evaluation;

namespace TrtTools.Evaluator;

/// <summary>Runs graphs for another process, so that one that brings ONNX Runtime down does not end the user's shell. Requests come in on the
/// standard input, answers go out on the standard output, until the input ends.</summary>
internal static class Program
{
    public static void Main()
    {
        string folder = Path.GetDirectoryName(typeof(EvaluationServer).Assembly.Location)!;
        NativeLibrary.SetDllImportResolver(Assembly.Load("Microsoft.ML.OnnxRuntime"), (name, assembly, path) => Resolve(folder, name, assembly, path));
        using Stream input = Console.OpenStandardInput(), output = Console.OpenStandardOutput();
        // What a library writes to the console must not come between the answers.
        Console.SetOut(TextWriter.Null);
        EvaluationServer.Serve(input, output);
    }

    /// <summary>The native library by its place beside the module; the system's own is another version.</summary>
    private static nint Resolve(string folder, string name, Assembly assembly, DllImportSearchPath? path)
    {
        if (!name.StartsWith("onnxruntime", StringComparison.OrdinalIgnoreCase) && !name.StartsWith("libonnxruntime", StringComparison.OrdinalIgnoreCase)) return 0;
        bool windows = OperatingSystem.IsWindows();
        string file = Path.Combine(folder, "runtimes", windows ? "win-x64" : "linux-x64", "native", windows ? "onnxruntime.dll" : "libonnxruntime.so");
        return File.Exists(file) ? NativeLibrary.Load(file) : NativeLibrary.TryLoad(name, assembly, path, out nint found) ? found : 0;
    }
}
