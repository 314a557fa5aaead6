using System.Globalization;
using TrtTools.Ir;
using TrtTools.Surgery.Opsets;

namespace TrtTools.Quantization;

/// <summary>Rewrites a model of opset 7 to 12 as one of opset 13 that computes the same. DequantizeLinear has scales per channel only from 13 on.</summary>
internal static class OpsetUplift
{
    public const long Target = 13;

    /// <summary>In place; functions must be expanded. False when the model has opset 13 or more.</summary>
    public static bool Apply(OnnxGraph model)
    {
        long from = model.OnnxOpset;
        if (from >= Target) return false;
        if (from < 7)
        {
            throw new TrtToolsException(ErrorCode.UnsupportedOperator, model.Name, $"its opset is {from.ToString(CultureInfo.InvariantCulture)}", "INT8 needs opset 7 or later",
                "Export the model again with a newer opset, or convert it with onnx.version_converter");
        }
        new OpsetConverter(model, static v => v.Type, static _ => null, static _ => { }) { Lenient = true }.To(Target, CancellationToken.None);
        return true;
    }
}
