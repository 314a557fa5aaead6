using System.Globalization;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Ir;
using TrtTools.Quantization;
using TrtTools.Tensors;

namespace TrtTools.Build;

/// <summary>
/// Keeps layers in FP32 whose values are too large for FP16: ranges are those of a calibration, of data, or of made-up inputs. Sums are in FP32 always, so what counts is what layers store, and what products read.
/// </summary>
internal sealed class RangeGuard
{
    private const double Largest = 65504;

    /// <summary>How many times larger than what was seen other inputs' values may be.</summary>
    private const double Margin = 2, SyntheticMargin = 4;

    /// <summary>From here on a number stands for infinity.</summary>
    private const double Unlimited = 1e30;

    private const int SyntheticSamples = 2, MostNamed = 3;

    private readonly ActivationRanges _ranges;
    private readonly double _limit;
    private readonly Dictionary<Value, bool> _scores = [];

    private RangeGuard(ActivationRanges ranges)
    {
        _ranges = ranges;
        _limit = Largest / (ranges.IsSynthetic ? SyntheticMargin : Margin);
    }

    /// <summary>Measures what a build in FP16 has to know, and says in a warning what stays in FP32. Null where nothing is stored in FP16, and where the model does not run on what was made up.</summary>
    public static RangeGuard? Create(BuildContext context)
    {
        if (context.Target is null || CudaPrecision.FloatStorage(context.Options) != DataType.Float16) return null;
        context.Begin("measuring ranges", 0.15);
        if (Ranges(context, out string problem) is not { } ranges)
        {
            context.Warn($"the ranges of its activations could not be measured on made-up inputs, so a layer that overflows in FP16 is not found. Give -CalibrationData or -CalibrationCache. ({problem})");
            return null;
        }
        RangeGuard guard = new(ranges);
        List<(Node Node, double Most)> kept = [.. context.Graph.Body.Nodes.Where(n => guard.Keeps(n)).Select(n => (n, guard.Reach(n)))];
        if (ranges.IsSynthetic) context.Warn("the ranges that decide what FP16 can hold were measured on made-up inputs. Give -CalibrationData or -CalibrationCache.");
        if (kept.Count == 0) return guard;
        string names = string.Join(", ", kept.Take(MostNamed).Select(k => $"'{k.Node.DisplayName}' ({k.Node.OpType})")) + (kept.Count > MostNamed ? $" and {kept.Count - MostNamed} more" : "");
        string message = string.Create(CultureInfo.InvariantCulture, $"{names} stay{(kept.Count == 1 ? "s" : "")} in FP32: values reach {kept.Max(k => k.Most):G3}, and FP16 holds {Largest:0} (up to {guard._limit:0} count as safe).");
        if (context.Options.Strict) throw new TrtToolsException(ErrorCode.OptionInvalid, $"{context.Name}, -Strict", message.TrimEnd('.'), "Every layer in FP16", "Leave -Strict out, or build with -Bf16, which has the range of FP32");
        context.Warn(message);
        return guard;
    }

    /// <summary>Whether a node of the simplified graph stores, or multiplies, what FP16 cannot hold.</summary>
    public bool Keeps(Node node) => node.Outputs.Any(IsTooLarge) || IsProduct(node) && node.Inputs.Any(IsTooLarge);

    private double Reach(Node node) => node.Outputs.Concat(IsProduct(node) ? node.Inputs : []).OfType<Value>().Where(IsTooLarge).Select(v => _ranges.Find(v)!.Value).Max(r => Math.Max(Math.Abs(r.Min), Math.Abs(r.Max)));

    private bool IsTooLarge(Value? value) => value is not null && _ranges.Find(value) is { } range && (range.Max > _limit || range.Min < -_limit) && !(IsScore(value) && (range.Max <= _limit || range.Max >= Unlimited));

    /// <summary>What only softmaxes read may be as small as it likes: e to the power of it is 0 all the same. Masks are such values; made-up ones may have the other sign.</summary>
    private bool IsScore(Value value)
    {
        if (_scores.TryGetValue(value, out bool known)) return known;
        // A value that is asked for while its readers are looked at stands in a circle only if the graph is none.
        _scores[value] = false;
        return _scores[value] = !value.IsGraphOutput && value.Uses.Count > 0 && value.Uses.All(u => u.Node.OpType is "Softmax" or "LogSoftmax" || PassesOn(u.Node) && u.Node.Outputs.OfType<Value>().All(IsScore));
    }

    private static bool PassesOn(Node node) => node.OpType is "Add" or "Where" or "Cast" or "Reshape" or "Unsqueeze" or "Squeeze" or "Expand" or "Transpose" or "Slice" or "Identity" or "Max";

    private static bool IsProduct(Node node) => node.OpType is "Conv" or "ConvTranspose" or "Gemm" or "MatMul" or "Einsum" or "LSTM" or "GRU" or "RNN";

    private static ActivationRanges? Ranges(BuildContext context, out string problem)
    {
        problem = "";
        if (context.Options.CalibrationCache is { } cache) return ActivationRanges.Of(cache);
        if (context.Options.CalibrationData is { } data) return ActivationRanges.Measure(context.Source, data, context.Report, context.Stop);
        foreach (IReadOnlyList<InputInfo> inputs in SampleShapes.Candidates(context).SelectMany(i => new[] { OneSample(context, i), i }))
        {
            try
            {
                return ActivationRanges.Measure(context.Source, InputSources.Synthetic(inputs, SyntheticSamples), context.Report, context.Stop);
            }
            catch (TrtToolsException e) when (e.Code != ErrorCode.Cancelled)
            {
                problem = e.Message;
                context.Report.Verbose($"{context.Name}: ranges were not measured with {string.Join(", ", inputs)}: {e.Message}");
            }
        }
        return null;
    }

    /// <summary>A batch of 1 where the model takes any: ranges do not depend on it.</summary>
    private static List<InputInfo> OneSample(BuildContext context, IReadOnlyList<InputInfo> inputs) =>
        [.. inputs.Select(i => context.Source.Inputs.FirstOrDefault(s => s.Name == i.Name) is { } own && own.Shape.Length > 1 && own.Shape[0] < 0 && i.Shape is { Length: > 1 } shape ? i with { Shape = [1, .. shape[1..]] } : i)];
}
