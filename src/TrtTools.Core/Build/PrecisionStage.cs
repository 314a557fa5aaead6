using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Ir;
using TrtTools.Ort;
using TrtTools.Quantization;

namespace TrtTools.Build;

/// <summary>Decides what runs in which precision. The CPU runs FP32 and INT8; on a GPU the floats' precision is lowering's (<see cref="CudaPrecision"/>).</summary>
internal static class PrecisionStage
{
    /// <summary>Samples of made-up data; more would not make made-up scales better.</summary>
    private const int SyntheticSamples = 8;

    /// <summary>A processor without VNNI adds 8-bit products in 16 bits, which overflow; with this, ONNX Runtime uses kernels that do not. It changes nothing elsewhere.</summary>
    private const string ExactProducts = OnnxRuntimeHost.ConfigurationPrefix + "session.x64quantprecision";

    /// <summary>ONNX Runtime would quantize the constant weights of a layer that stays in floating point between quantized neighbours.</summary>
    private const string LeftOut = OnnxRuntimeHost.ConfigurationPrefix + "optimization.disable_specified_optimizers";

    private static void SetInt8(BuildContext context)
    {
        context.Precision = EnginePrecision.Int8;
        context.Settings[ExactProducts] = "1";
        context.Settings[LeftOut] = "WeightBiasQuantization";
    }

    /// <summary>What can be refused before anything runs.</summary>
    public static LayerPatterns Check(BuildContext context)
    {
        LayerPatterns patterns = new(context.Options.LayerPrecision);
        patterns.CheckAll(context.Source);
        if (context.Target is null) RefuseFloats(context);
        return patterns;
    }

    public static void Apply(BuildContext context)
    {
        BuildOptions options = context.Options;
        LayerPatterns patterns = Check(context);
        if (context.Target is not null) context.Precision = CudaPrecision.Of(options);
        if (Quantizer.HasQuantization(context.Graph))
        {
            UseOwn(context);
            return;
        }
        if (!options.Int8 && !options.Best) return;
        if (!options.Int8 && options.CalibrationCache is null && options.CalibrationData is null)
        {
            context.Warn("INT8 was left out: -Best needs -CalibrationCache or -CalibrationData for it.");
            return;
        }
        Quantize(context, patterns);
    }

    private static void RefuseFloats(BuildContext context)
    {
        BuildOptions options = context.Options;
        List<string> asked = [.. new[] { (options.Fp16, "FP16"), (options.Bf16, "BF16"), (options.Tf32, "TF32") }.Where(p => p.Item1).Select(p => p.Item2)];
        if (asked.Count == 0) return;
        string names = string.Join(" and ", asked);
        if (options.Strict)
        {
            throw new TrtToolsException(ErrorCode.DeviceUnsupported, context.Name, $"the CPU does not run {names}", "FP32 or INT8", "Leave -Strict out to get FP32 instead, or build for another device");
        }
        context.Warn($"{names} was asked for, but the CPU runs FP32 instead: ONNX Runtime's CPU kernels have no faster format of that kind.");
    }

    private static void UseOwn(BuildContext context)
    {
        SetInt8(context);
        if (context.Options.CalibrationCache is not null || context.Options.CalibrationData is not null)
        {
            context.Warn("the model holds QuantizeLinear and DequantizeLinear already, so the calibration given was not used.");
        }
        if (context.Options.LayerPrecision is { Count: > 0 }) context.Warn("the model says itself what is quantized, so LayerPrecision was not used.");
    }

    private static void Quantize(BuildContext context, LayerPatterns patterns)
    {
        CalibrationCache cache = context.Options.CalibrationCache ?? Calibrate(context);
        context.CalibrationHash = Hash(cache);
        if (context.Options.CalibrationCache is { IsSynthetic: true }) context.Warn("the calibration cache was made from synthetic data: accuracy is not to be trusted.");
        context.Begin("quantizing", 0.5);
        int before = context.Warnings.Count;
        QuantizeOptions quantize = Form(context) with { FloatLayer = name => patterns.Find(name) is { } precision && precision != EnginePrecision.Int8 };
        OnnxGraph quantized = Quantizer.Quantize(context.Graph, cache, quantize, context.Report, context.Stop);
        if (context.Options.Strict && context.Warnings.Count > before)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, $"{context.Name}, -Strict", context.Warnings[before], "Every layer in INT8", "Leave -Strict out, or calibrate with more data");
        }
        if (!Quantizer.HasQuantization(quantized))
        {
            context.Warn(context.Warnings.Count > before
                ? $"no layer of it runs in INT8: those that could would lose too much. It runs in {context.Precision.ToString().ToUpperInvariant()}. Calibrate on more samples, or with -Algorithm MinMax or Percentile."
                : $"no layer of it runs in INT8: only Conv, Gemm and MatMul with constant weights do. It runs in {context.Precision.ToString().ToUpperInvariant()}.");
            return;
        }
        context.FloatGraph = context.Graph;
        context.Graph = quantized;
        SetInt8(context);
    }

    /// <summary>Which tensors are quantized where the engine is to run.</summary>
    private static QuantizeOptions Form(BuildContext context) => context.Target is null ? new QuantizeOptions { CpuEncoding = true }
        : new QuantizeOptions { ForDevice = true, FloatResults = CudaPrecision.FloatStorage(context.Options) != Tensors.DataType.Float32 };

    internal static CalibrationCache Calibrate(BuildContext context)
    {
        context.Begin("calibrating", 0.2);
        CalibrationOptions options = new() { Algorithm = context.Options.CalibrationAlgorithm, Form = Form(context) with { CpuEncoding = false } };
        if (context.Options.CalibrationData is { } data) return Calibrator.Calibrate(context.Source, data, options, context.Report, context.Stop);
        TrtToolsException? last = null;
        foreach (IReadOnlyList<InputInfo> inputs in SampleShapes.Candidates(context))
        {
            try
            {
                return Calibrator.Calibrate(context.Source, InputSources.Synthetic(inputs, SyntheticSamples), options, context.Report, context.Stop);
            }
            catch (TrtToolsException e) when (e.Code is ErrorCode.EvaluationFailed or ErrorCode.ShapeMismatch)
            {
                last = e;
            }
        }
        throw new TrtToolsException(ErrorCode.CalibrationDataInvalid, context.Name, $"made-up inputs do not run ({last?.Message.TrimEnd('.')})", "Data to calibrate with", "Give -CalibrationData, -CalibrationCache, or the inputs' shapes with -InputShape", last);
    }

    private static string Hash(CalibrationCache cache)
    {
        StringBuilder text = new();
        foreach (TensorCalibration tensor in cache.Tensors.OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            text.Append(tensor.Name).Append(": ").Append(BitConverter.SingleToUInt32Bits(tensor.Scale).ToString("x8", CultureInfo.InvariantCulture)).Append('\n');
        }
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}
