using System.Runtime.Loader;
using Microsoft.ML.OnnxRuntime;

namespace TrtTools.Ort;

/// <summary>ONNX Runtime's process-wide part: started once, silent, with a clear error where the native library is missing.</summary>
internal static class OrtEnvironment
{
    private static readonly Lock Gate = new();
    private static bool _ready;

    public static string Version
    {
        get
        {
            Start();
            return OrtEnv.Instance().GetVersionString();
        }
    }

    public static void Start()
    {
        lock (Gate)
        {
            if (_ready) return;
            try
            {
                // In a private load context LoadUnmanagedDll alone decides where the library comes from: Windows ships an old onnxruntime.dll.
                if (AssemblyLoadContext.GetLoadContext(typeof(OrtEnvironment).Assembly) != AssemblyLoadContext.Default) OrtEnv.DisableDllImportResolver = true;
                if (OrtEnv.IsCreated)
                {
                    OrtEnv.Instance().EnvLogLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;
                }
                else
                {
                    EnvironmentCreationOptions options = new() { logId = "TrtTools", logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
                    OrtEnv.CreateInstanceWithOptions(ref options);
                }
                OrtEnv.Instance().DisableTelemetryEvents();
                _ready = true;
            }
            catch (Exception e) when (OrtErrors.IsMissingLibrary(e))
            {
                throw OrtErrors.MissingLibrary(e);
            }
        }
    }
}
