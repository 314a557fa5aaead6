using System.Globalization;
using TrtTools.Lowering;

namespace TrtTools.Kernels;

/// <summary>A reduction's running value as text: its type, its start, how a value and how another thread's part joins.</summary>
internal sealed class Accumulator
{
    // Longer chains of additions lose too much: they are cut into parts of this many.
    public const int LongestChain = 64;

    private readonly Combiner _combine;
    private readonly ScalarType _type;

    private readonly string _place;
    private readonly bool _isNarrow;

    public Accumulator(LoopNest nest, GeneratorOptions options)
    {
        _place = nest.Reduced.All(a => options.IsNarrow(a.Extent)) ? "int" : "trt::i64";
        _combine = nest.Combine;
        _type = nest.Body!.Type;
        // The largest of narrow integers is one of them; sums may be wider.
        _isNarrow = _type == ScalarType.Int64 && (_combine is Combiner.Maximum or Combiner.Minimum) && new IntegerRanges(options).IsNarrow(nest.Body);
        Scalar = ElementText.TypeName(_type, _isNarrow);
        TypeName = FindsPlace ? $"trt::Best<{Scalar}, {_place}>" : Scalar;
    }

    public bool FindsPlace => _combine is Combiner.FirstMaximum or Combiner.FirstMinimum or Combiner.LastMaximum or Combiner.LastMinimum;

    /// <summary>Sums of floats depend on how they are split.</summary>
    public bool IsFloatSum => _combine == Combiner.Sum && _type.IsFloat();

    public string Scalar { get; }

    public string TypeName { get; }

    /// <summary>The joining functions' class in reduce.cuh.</summary>
    public string Operation => FindsPlace ? $"trt::Extreme<{(_combine is Combiner.FirstMinimum or Combiner.LastMinimum ? "true" : "false")}, {(_combine is Combiner.LastMaximum or Combiner.LastMinimum ? "true" : "false")}>" : $"trt::{_combine}";

    public string Start => FindsPlace ? $"{TypeName}{{{ElementText.Number(0, 0, _type, false)}, -1}}" : _isNarrow ? _combine == Combiner.Maximum ? "(-2147483647 - 1)" : "2147483647" : ElementText.Identity(_combine, _type);

    /// <summary>A statement that takes a value in.</summary>
    /// <param name="place">The value's position along the reduced axis.</param>
    public string Take(string total, string value, string place) => FindsPlace ? $"{Operation}::take({total}, ({Scalar}){value}, ({_place})({place}));" : $"{total} = {ElementText.Combine(_combine, _type, total, $"({Scalar}){value}")};";

    public string Join(string a, string b) => $"{Operation}::join({a}, {b})";

    /// <summary>What the nest's result reads.</summary>
    public string Result(string total) => FindsPlace ? $"(trt::i64){total}.at" : total;

    public static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
