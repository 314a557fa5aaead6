using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes;

/// <summary>Runs the model on synthetic inputs before and after passes.</summary>
internal sealed class PassVerifier
{
    /// <summary>Folding weights changes the order of roundings; what a pass breaks shows far above this share of an output's scale.</summary>
    private const double Tolerance = 1e-3;

    private IReadOnlyDictionary<string, TensorData>? _inputs;
    private IReadOnlyDictionary<string, TensorData>? _expected;

    /// <summary>Takes the results that every pass must keep. A model that ONNX Runtime cannot run is not verified, with a warning.</summary>
    public void Start(PassContext context)
    {
        TrtToolsException? error = null;
        foreach (IReadOnlyDictionary<string, TensorData> inputs in SyntheticInputs.ToTry(context.Model))
        {
            _inputs = inputs;
            try
            {
                _expected = ModelRunner.RunIsolated(context.Model, _inputs, context.Stop);
                return;
            }
            catch (TrtToolsException e)
            {
                error = e;
            }
        }
        context.Report.Warning($"{context.Model.Name}: the passes are not verified, since ONNX Runtime does not run the model on synthetic inputs. {error!.Message}");
    }

    /// <summary>What differs, or null. The model may have lost inputs that it does not need.</summary>
    public string? FindDifference(PassContext context)
    {
        if (_expected is null) return null;
        IReadOnlyDictionary<string, TensorData> actual;
        try
        {
            actual = ModelRunner.RunIsolated(context.Model, _inputs!, context.Stop);
        }
        catch (TrtToolsException e)
        {
            return $"the model no longer runs: {e.Message}";
        }
        foreach (string name in _expected.Keys.Order(StringComparer.Ordinal))
        {
            if (Difference(_expected[name], actual[name]) is { } difference) return $"output '{name}' {difference}";
        }
        return null;
    }

    private static string? Difference(TensorData expected, TensorData actual)
    {
        if (expected.Type != actual.Type || !expected.Shape.SequenceEqual(actual.Shape)) return $"was {expected} and is {actual}";
        if (!expected.Type.IsFloatingPoint()) return expected.ContentEquals(actual) ? null : "has other content";
        double[] a = expected.ToDouble();
        double[] b = actual.ToDouble();
        double scale = 0;
        foreach (double x in a) scale = double.IsFinite(x) ? Math.Max(scale, Math.Abs(x)) : scale;
        for (int i = 0; i < a.Length; i++)
        {
            bool same = a[i].Equals(b[i]) || Math.Abs(a[i] - b[i]) <= (Tolerance * scale) + 1e-30;
            if (!same) return FormattableString.Invariant($"differs: {a[i]:G6} became {b[i]:G6} at element {i}");
        }
        return null;
    }
}
