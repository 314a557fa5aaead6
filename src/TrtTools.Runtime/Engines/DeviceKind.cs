namespace TrtTools.Engines;

/// <summary>Where an engine is to run.</summary>
public enum DeviceKind
{
    /// <summary>A CUDA device where there is one that this version builds for, else the CPU, with a warning.</summary>
    Auto,
    Cuda,
    Cpu,
}

/// <summary>Number formats that a build may be asked for, and that layers run in.</summary>
public enum EnginePrecision { Fp32, Tf32, Bf16, Fp16, Int8 }
