using System.Diagnostics;
using TrtTools.Tensors;

namespace TrtTools.Evaluation;

/// <summary>Runs graphs in a process of its own. ONNX Runtime ends its process on some graphs instead of refusing them: here that is an error, as is a graph
/// that takes too long or too much memory. The process starts with the first graph, stays for the next ones, and ends with this one or when it has been idle.</summary>
internal sealed class EvaluationProcess(string assembly) : IDisposable
{
    /// <summary>Key in an exception's data: the process ended, was too slow or too large.</summary>
    public const string Collapsed = "TrtTools.Collapsed";

    private const string FileName = "TrtTools.Evaluator.dll";
    private const long MemoryBase = 900L << 20;
    private static readonly TimeSpan s_base = TimeSpan.FromSeconds(5), s_idle = TimeSpan.FromSeconds(60);
    private static readonly Lazy<EvaluationProcess?> s_shared = new(Find);
    private static readonly Lazy<string?> s_host = new(FindHost);

    private static readonly AsyncLocal<EvaluationProcess?> s_inUse = new();

    private readonly Lock _lock = new();
    private Process? _process;
    private Timer? _idle;

    /// <summary>The one of this process; null where the module came without it, or .NET's host is not to be found (a self-contained PowerShell): graphs run in this process then.</summary>
    public static EvaluationProcess? Shared => s_inUse.Value ?? s_shared.Value;

    /// <summary>The process of graphs that are running; null when none is.</summary>
    internal Process? Running => _process;

    /// <summary>For this thread and those it starts, another one is the shared one until the result is disposed.</summary>
    internal static IDisposable Use(EvaluationProcess? process)
    {
        s_inUse.Value = process;
        return new Restorer();
    }

    /// <summary>How many processes were started.</summary>
    public int Starts { get; private set; }

    /// <summary>Runs a model of one file and gives all its outputs.</summary>
    public IReadOnlyDictionary<string, TensorData> Run(byte[] model, string subject, IReadOnlyDictionary<string, TensorData> inputs, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        lock (_lock)
        {
            _idle?.Change(Timeout.Infinite, Timeout.Infinite);
            Process process = _process is { HasExited: false } running ? running : Start();
            Task<IReadOnlyDictionary<string, TensorData>> work = Task.Run(() =>
            {
                EvaluationServer.WriteRequest(process.StandardInput.BaseStream, subject, model, inputs);
                return EvaluationServer.ReadAnswer(process.StandardOutput.BaseStream, subject);
            }, CancellationToken.None);
            string? fault = Wait(work, process, model.LongLength + inputs.Values.Sum(i => i.ByteCount), stop);
            if (fault is null && work.IsCompletedSuccessfully)
            {
                _idle ??= new Timer(_ => EndIfIdle());
                _idle.Change(s_idle, Timeout.InfiniteTimeSpan);
                return work.Result;
            }
            if (fault is null && work.Exception?.InnerException is TrtToolsException refused) throw refused;
            End();
            // The task ends now that its streams have; its error says no more than we know.
            _ = work.ContinueWith(static t => t.Exception, TaskScheduler.Default);
            stop.ThrowIfCancellationRequested();
            TrtToolsException error = new(ErrorCode.EvaluationFailed, subject, fault ?? $"ONNX Runtime ended its process on this graph ({ExitOf(process)})", "It gives a result or an error",
                "Run Test-OnnxGraph to see every fault of the model", work.Exception);
            error.Data[Collapsed] = true;
            throw error;
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _idle?.Dispose();
            _idle = null;
            End();
        }
    }

    /// <summary>Null when the work is done, however it ended; else why it may not go on.</summary>
    private static string? Wait(Task work, Process process, long size, CancellationToken stop)
    {
        long started = Stopwatch.GetTimestamp();
        // Large weights may take their time: 20 MB in a second.
        TimeSpan longest = s_base + TimeSpan.FromSeconds(size / 20e6);
        long most = MemoryBase + (4 * size);
        while (true)
        {
            try
            {
                if (work.Wait(50, stop)) return null;
            }
            catch (AggregateException)
            {
                return null;
            }
            catch (OperationCanceledException)
            {
                return "it was stopped";
            }
            if (Stopwatch.GetElapsedTime(started) > longest) return FormattableString.Invariant($"ONNX Runtime was not done after {longest.TotalSeconds:F0} s");
            process.Refresh();
            if (!process.HasExited && process.WorkingSet64 > most) return FormattableString.Invariant($"ONNX Runtime took more than {most >> 20} MB of memory");
        }
    }

    private Process Start()
    {
        End();
        ProcessStartInfo start = new(s_host.Value!)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, CreateNoWindow = true,
            ArgumentList = { "exec", "--runtimeconfig", Path.ChangeExtension(assembly, ".runtimeconfig.json"), assembly },
        };
        // A profiler or a debugger of this process is none of the other's.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        Process process = Process.Start(start) ?? throw new TrtToolsException(ErrorCode.NativeLibraryMissing, assembly, "it could not be started", "The module's own process for evaluating graphs", "Install the module anew");
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        _process = process;
        Starts++;
        return process;
    }

    private void EndIfIdle()
    {
        if (!_lock.TryEnter()) return;
        try
        {
            End();
        }
        finally
        {
            _lock.Exit();
        }
    }

    private void End()
    {
        if (_process is not { } process) return;
        _process = null;
        try
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.WaitForExit(1000);
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception or NotSupportedException)
        {
            // It has ended by itself.
        }
    }

    private static string ExitOf(Process process)
    {
        try
        {
            return process.WaitForExit(1000) ? process.ExitCode switch { 139 => "segmentation fault", 134 => "abort", 137 => "killed", int code => FormattableString.Invariant($"exit code {code}") } : "no answer";
        }
        catch (InvalidOperationException)
        {
            return "no answer";
        }
    }

    private sealed class Restorer : IDisposable
    {
        public void Dispose() => s_inUse.Value = null;
    }

    private static EvaluationProcess? Find()
    {
        string file = Path.Combine(Path.GetDirectoryName(typeof(EvaluationProcess).Assembly.Location) ?? "", FileName);
        return File.Exists(file) && File.Exists(Path.ChangeExtension(file, ".runtimeconfig.json")) && s_host.Value is not null ? new EvaluationProcess(file) : null;
    }

    /// <summary>.NET's host: this process, or the one that this process's framework belongs to.</summary>
    private static string? FindHost()
    {
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        if (Environment.ProcessPath is { } own && string.Equals(Path.GetFileName(own), name, StringComparison.OrdinalIgnoreCase)) return own;
        string? framework = Path.GetDirectoryName(typeof(object).Assembly.Location);
        // root/shared/Microsoft.NETCore.App/10.0.0
        string? root = Path.GetDirectoryName(Path.GetDirectoryName(Path.GetDirectoryName(framework)));
        return root is not null && File.Exists(Path.Combine(root, name)) ? Path.Combine(root, name) : null;
    }
}
