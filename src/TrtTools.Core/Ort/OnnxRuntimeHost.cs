using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.ML.OnnxRuntime;
using TrtTools.Cuda;
using TrtTools.Launch;
using TrtTools.Tensors;

namespace TrtTools.Ort;

/// <summary>Lets engines run their host steps through ONNX Runtime. Loading TrtTools.Core does this; <see cref="Use"/> makes sure that it is loaded.</summary>
public static class OnnxRuntimeHost
{
    internal const string ThreadsSetting = "threads", OptimizationSetting = "optimization", SpinningSetting = "spinning", ConfigurationPrefix = "config:";

    private static int s_used;

    public static void Use()
    {
        if (Interlocked.Exchange(ref s_used, 1) != 0) return;
        HostSteps.Register(HostSteps.OnnxRuntime, new Factory());
        HostLibraries.Add(Describe);
    }

#pragma warning disable CA2255 // The runtime assembly looks for its host by loading this module.
    [ModuleInitializer]
    internal static void Register() => Use();
#pragma warning restore CA2255

    internal static OrtOptions OptionsOf(IReadOnlyDictionary<string, string> settings, string subject, bool profile) => new()
    {
        Subject = subject,
        Profile = profile,
        Optimization = settings.TryGetValue(OptimizationSetting, out string? level) && string.Equals(level, "none", StringComparison.Ordinal) ? OrtOptimization.None : OrtOptimization.Full,
        Threads = settings.TryGetValue(ThreadsSetting, out string? threads) && int.TryParse(threads, NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : 0,
        Spinning = settings.TryGetValue(SpinningSetting, out string? spinning) && string.Equals(spinning, "1", StringComparison.Ordinal),
        Configuration = [.. settings.Where(s => s.Key.StartsWith(ConfigurationPrefix, StringComparison.Ordinal)).Select(s => new KeyValuePair<string, string>(s.Key[ConfigurationPrefix.Length..], s.Value))],
    };

    private static string Describe()
    {
        try
        {
            string version = OrtEnvironment.Version;
            string? path = System.Diagnostics.Process.GetCurrentProcess().Modules.Cast<System.Diagnostics.ProcessModule>()
                .FirstOrDefault(m => m.ModuleName.Contains("onnxruntime", StringComparison.Ordinal) && !m.ModuleName.StartsWith("Microsoft", StringComparison.Ordinal))?.FileName;
            return path is null ? $"ONNX Runtime {version}" : $"ONNX Runtime {version}: {path}";
        }
        catch (TrtToolsException e)
        {
            return $"missing: {e.Message}";
        }
    }

    private sealed class Factory : IHostStepFactory
    {
        public IHostStep Create(HostStepRequest request, CancellationToken stop)
        {
            byte[] model = OrtModelPacker.Unpack(request.Model, request.Weights, request.Name, out string? folder);
            try
            {
                OrtSession session = OrtSession.Create(model, OptionsOf(request.Settings, request.Name, request.Profile) with { ExternalDataFolder = folder }, stop);
                return new Step(session, request.Outputs, request.Name, folder);
            }
            catch
            {
                DeleteFolder(folder);
                throw;
            }
        }
    }

    private static void DeleteFolder(string? folder)
    {
        if (folder is null) return;
        try { Directory.Delete(folder, recursive: true); } catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    /// <summary>A step over a session that somebody else made, and disposes.</summary>
    internal static IHostStep StepOf(OrtSession session, IReadOnlyList<string> outputs, string subject) => new Step(session, outputs, subject, null, ownsSession: false);

    private sealed class Step(OrtSession session, IReadOnlyList<string> outputs, string subject, string? folder, bool ownsSession = true) : IHostStep
    {
        public IHostRun Bind(IReadOnlyDictionary<string, TensorData> inputs) => new Run(session.Bind(inputs), outputs, subject);

        public IReadOnlyList<LayerTime> EndProfiling() => OrtProfile.Read(session.EndProfiling());

        public void Dispose()
        {
            if (ownsSession) session.Dispose();
            DeleteFolder(folder);
        }
    }

    private sealed class Run(OrtBinding binding, IReadOnlyList<string> outputs, string subject) : IHostRun
    {
        private IDisposableReadOnlyCollection<OrtValue>? _results;

        public void Execute(CancellationToken stop)
        {
            _results?.Dispose();
            _results = null;
            _results = binding.Run(outputs, stop);
        }

        public IReadOnlyList<TensorData> CopyResults()
        {
            IDisposableReadOnlyCollection<OrtValue> results = _results ?? throw new InvalidOperationException("Nothing has run yet.");
            return [.. outputs.Select((name, i) => OrtTensors.Copy(results[i], name, subject))];
        }

        public void Dispose()
        {
            _results?.Dispose();
            binding.Dispose();
        }
    }
}
