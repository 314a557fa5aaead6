using TrtTools.Audit;
using TrtTools.Cuda;
using TrtTools.Engines;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>One build: the graph as far as it has come, and what was found on the way.</summary>
internal sealed class BuildContext
{
    private static int s_warnedOfMissingCuda;

    public BuildContext(OnnxGraph source, BuildOptions options, Report report, CancellationToken stop)
    {
        Source = source;
        Graph = source;
        Options = options;
        Report = new CapturingReport(report, Warnings);
        Stop = stop;
    }

    /// <summary>The graph as it was given.</summary>
    public OnnxGraph Source { get; }

    /// <summary>The graph as the last stage left it.</summary>
    public OnnxGraph Graph { get; set; }

    public BuildOptions Options { get; }

    /// <summary>Keeps each warning for the engine.</summary>
    public Report Report { get; }

    public CancellationToken Stop { get; }

    public string Name => Options.Name ?? Source.Name;

    /// <summary>What is worse than was asked; the engine carries it.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>What runs: Fp32 or Int8 on the CPU.</summary>
    public EnginePrecision Precision { get; set; } = EnginePrecision.Fp32;

    public string CalibrationHash { get; set; } = "";

    /// <summary>What keeps layers in FP32 that FP16 cannot hold; null where nothing is known, or nothing is stored in FP16.</summary>
    public RangeGuard? Guard { get; set; }

    public IReadOnlyDictionary<string, TensorFormat> InputFormats { get; private set; } = new Dictionary<string, TensorFormat>();

    public IReadOnlyDictionary<string, TensorFormat> OutputFormats { get; private set; } = new Dictionary<string, TensorFormat>();

    /// <summary>The graph before it was quantized; null when the build did not quantize it.</summary>
    public OnnxGraph? FloatGraph { get; set; }

    /// <summary>The graph in the form that runs.</summary>
    public CanonicalForm? Form { get; set; }

    /// <summary>SHA-256 of the graph as it was given.</summary>
    public string SourceHash { get; set; } = "";

    public string SourceFileHash { get; set; } = "";

    public IReadOnlyList<EngineProfile> Profiles { get; set; } = [];

    /// <summary>Session settings of the host step.</summary>
    public Dictionary<string, string> Settings { get; } = new(StringComparer.Ordinal)
    {
        [Ort.OnnxRuntimeHost.OptimizationSetting] = "full", [Ort.OnnxRuntimeHost.ThreadsSetting] = "0", [Ort.OnnxRuntimeHost.SpinningSetting] = "0",
    };

    public void Warn(string message) => Report.Warning($"{Name}: {message}");

    /// <summary>The GPU that the engine is for; null: the CPU.</summary>
    public CudaTarget? Target { get; private set; }

    /// <summary>Decides where the engine runs.</summary>
    public void ChooseDevice()
    {
        if (Options.Target is { } given && Options.Device != DeviceKind.Cpu)
        {
            Target = given;
            return;
        }
        string? problem = CudaDriver.Current.Problem;
        switch (Options.Device)
        {
            case DeviceKind.Cuda when problem is not null:
                throw new TrtToolsException(ErrorCode.CudaMissing, "Device Cuda", problem, "An NVIDIA GPU with its driver", "Run Get-EngineDevice to see what was found, or build with -Device Cpu");
            case DeviceKind.Cuda:
            case DeviceKind.Auto when problem is null:
                Target = CudaTarget.Of(Options.DeviceId);
                break;
            case DeviceKind.Auto:
                WarnOnce($"No CUDA device: {problem}. Engines are built for the CPU. -Device Cpu asks for that and gives no warning.");
                break;
        }
    }

    public void CheckOptions()
    {
        ShapeOptions.CheckInputShape(Source, Options);
        InputFormats = TensorFormat.ReadAll(Source, Options.InputFormat, isInput: true);
        OutputFormats = TensorFormat.ReadAll(Source, Options.OutputFormat, isInput: false);
        Profiles = [.. ShapeOptions.Profiles(Source, Options).Select(p => InputFormats.TryGetValue(p.Input, out TensorFormat? format)
            ? p with { Min = format.ToEngine(p.Min), Opt = format.ToEngine(p.Opt), Max = format.ToEngine(p.Max) } : p)];
        if (Options.OptimizationLevel is < 0 or > 5)
            throw new TrtToolsException(ErrorCode.OptionInvalid, "OptimizationLevel", $"it is {Options.OptimizationLevel}", "0 to 5", "Give a number in this range");
        foreach (GraphTensor output in Source.Outputs)
        {
            if (output.DataType == DataType.Undefined && Source.Body.Find(output.Name)?.Producer is null)
                throw new TrtToolsException(ErrorCode.ModelMalformed, Name, $"nothing computes its output '{output.Name}'", "", "Run Test-OnnxGraph to see every fault of the model");
        }
        if (Target is not null) return;
        if (Options.NoLibrary) Report.Verbose("NoLibrary does not apply to the CPU, which runs ONNX Runtime's kernels.");
        if (Options.TimingCachePath is not null) Report.Verbose("TimingCachePath does not apply to the CPU: no tactics are timed.");
        if (Options.TacticLockPath is not null) Report.Verbose("TacticLockPath does not apply to the CPU: no tactics are chosen.");
        if (Options.WorkspaceLimit > 0) Report.Verbose("WorkspaceLimit does not apply to the CPU.");
        if (Options.DeviceId != 0) Report.Verbose("DeviceId does not apply to the CPU.");
    }

    /// <summary>Names every operator that the CPU does not run, in one error.</summary>
    public void CheckOperators()
    {
        Source.RequireWeights();
        List<OperatorSupport> missing = [.. OperatorAudit.Check(Source, SupportTarget.Cpu, detailed: false).Where(o => !o.Supported)];
        if (missing.Count == 0) return;
        string Name(OperatorSupport o) => o.Domain == "ai.onnx" ? o.Operator : $"{o.Domain}::{o.Operator}";
        throw new TrtToolsException(ErrorCode.UnsupportedOperator, this.Name,
            $"the CPU does not run {string.Join(", ", missing.Select(Name).Distinct(StringComparer.Ordinal))}: " + string.Join("; ", missing.Select(o => $"{Name(o)} (node '{o.NodeName}'{(o.Count > 1 ? $" and {o.Count - 1} more" : "")}): {o.Reason.TrimEnd('.')}")), "",
            string.Join(". ", missing.Where(o => o.Suggestion.Length > 0).Select(o => $"{Name(o)}: {o.Suggestion.TrimEnd('.')}").Distinct(StringComparer.Ordinal).Append("Test-OperatorSupport -Target Cpu lists them")));
    }

    private string CalibrationText => Options.CalibrationCache is { } cache ? $"scales from {cache}" : Options.CalibrationData is { } data ? $"calibrated on {data.Description}" : "calibrated on synthetic data";

    /// <summary>What would be built, for -WhatIf.</summary>
    public IReadOnlyList<string> Describe() => Target is { } target
        ? [$"engine '{Name}' for {target.Name} ({target.Architecture}), {(Quantization.Quantizer.HasQuantization(Source) ? "INT8 as the model says, the rest " : Options.Int8 || Options.Best && (Options.CalibrationCache is not null || Options.CalibrationData is not null) ? $"INT8, {CalibrationText}, the rest " : "")}{CudaPrecision.Of(Options).ToString().ToUpperInvariant()}",
            Options.NoLibrary ? "no libraries: an engine that needs the driver alone" : "kernels of its own, cuBLASLt and cuDNN where they are faster", Options.OptimizationLevel == 0 ? "nothing is timed" : "tactics are timed on the device", .. Profiles.Select(p => $"profile {p}")]
        : [$"engine '{Name}' for the CPU, {(Quantization.Quantizer.HasQuantization(Source) ? "INT8 as the model says" : Options.Int8 || Options.Best ? $"INT8, {CalibrationText}" : "FP32")}", .. Profiles.Select(p => $"profile {p}")];

    /// <summary>The name of the stage that runs now, for progress.</summary>
    public void Begin(string stage, double fraction)
    {
        Stop.ThrowIfCancellationRequested();
        Report.Progress("Building", $"{Name}: {stage}", fraction);
        Report.Verbose($"{Name}: {stage}.");
    }

    /// <summary>A machine does not change between two builds, so one warning is enough for a process; each engine carries the fact.</summary>
    private void WarnOnce(string message)
    {
        if (Interlocked.Exchange(ref s_warnedOfMissingCuda, 1) == 0) Report.Warning(message); else Warnings.Add(message);
    }
}
