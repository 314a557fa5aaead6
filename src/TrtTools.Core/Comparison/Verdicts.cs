using System.Globalization;

namespace TrtTools.Comparison;

/// <summary>What a comparator says of one output.</summary>
/// <param name="Reason">Why it does not pass; empty when it does.</param>
internal sealed record Verdict(string Reason, double Absolute, double Relative, double CosineTolerance, double Threshold);

internal static class Verdicts
{
    private const double ScaleTolerance = 1e-4, Int8Cosine = 0.99, Int8Equal = 0.99;

    /// <summary>Absolute and relative.</summary>
    public const double PolygraphyTolerance = 1e-5;

    public static Verdict Of(OutputStatistics found, CompareOptions options, bool exact)
    {
        (double? absolute, double? relative) = Tolerances(found.Name, options);
        Verdict verdict = options.Comparator == ComparatorKind.Scale ? ByScale(found, absolute, relative, exact) : ByComparator(found, options, absolute ?? PolygraphyTolerance, relative ?? PolygraphyTolerance);
        if (found.Mismatch is { } mismatch) return verdict with { Reason = mismatch };
        if (options.RequireFinite && (found.HasNaN || found.HasInfinity)) return verdict with { Reason = $"it holds {(found.HasNaN ? found.HasInfinity ? "NaN and infinities" : "NaN" : "infinities")}" };
        return verdict;
    }

    /// <summary>The tolerances of one output; its own before those of all.</summary>
    public static (double? Absolute, double? Relative) Tolerances(string output, CompareOptions options) =>
        options.OutputTolerances.TryGetValue(output, out (double? Absolute, double? Relative) own) ? own : (options.AbsoluteTolerance, options.RelativeTolerance);

    private static Verdict ByScale(OutputStatistics found, double? absoluteGiven, double? relative, bool exact)
    {
        bool given = absoluteGiven is not null || relative is not null;
        double absolute = absoluteGiven ?? (given ? 0 : ScaleTolerance * found.Scale);
        double cosine = given || exact || !found.IsFloating ? 0 : Int8Cosine;
        string reason = found.Misplaced > 0 ? Misplaced(found)
            : !given && !found.IsFloating ? Equality(found, exact ? 1 : Int8Equal)
            : cosine > 0 ? found.Cosine >= cosine ? "" : Say($"the cosine is {found.Cosine:0.######}, under {cosine}")
            : found.Excess > absolute ? Say($"the largest error is {found.Max:0.###e+0}, and {absolute:0.###e+0} is allowed{(relative > 0 ? " beyond the relative tolerance" : "")}") : "";
        return new Verdict(reason, absolute, relative ?? 0, cosine, 0);
    }

    private static Verdict ByComparator(OutputStatistics found, CompareOptions options, double absolute, double relative)
    {
        ComparatorKind kind = options.Comparator;
        if (kind == ComparatorKind.Index)
        {
            double places = options.Threshold ?? 0;
            return new Verdict(found.IndexErrors == 0 ? "" : Say($"{found.IndexErrors} of {found.Elements} indices stand more than {places} places away, or are missing"), 0, 0, 0, places);
        }
        if (kind is ComparatorKind.L2 or ComparatorKind.Cosine or ComparatorKind.Psnr or ComparatorKind.Snr)
        {
            (double value, double limit, bool atMost, string name, string unit) = kind switch
            {
                ComparatorKind.L2 => (found.L2, options.Threshold ?? 1e-5, true, "L2 distance", ""),
                ComparatorKind.Cosine => (found.Cosine, options.Threshold ?? 0.997, false, "cosine", ""),
                ComparatorKind.Psnr => (found.Psnr, options.Threshold ?? 30, false, "PSNR", " dB"),
                _ => (found.Sqnr, options.Threshold ?? 20, false, "SNR", " dB"),
            };
            bool good = atMost ? value <= limit : value >= limit;
            string reason = found.Misplaced > 0 ? Misplaced(found) : good ? "" : Say($"the {name} is {value:0.######e+0}{unit}, {(atMost ? "over" : "under")} {limit}{unit}");
            return new Verdict(reason, 0, 0, kind == ComparatorKind.Cosine ? limit : 0, limit);
        }
        if (kind == ComparatorKind.Elementwise)
        {
            return new Verdict(found.Exceeding == 0 ? "" : Say($"{found.Exceeding} of {found.Elements} elements exceed both tolerances, {absolute} and {relative} of the reference"), absolute, relative, 0, 0);
        }
        double[] errors = found.AbsoluteErrors(), shares = found.RelativeErrors();
        Array.Sort(errors);
        Array.Sort(shares);
        (double error, double share) = kind switch
        {
            ComparatorKind.Max => (found.Max, shares.LastOrDefault()),
            ComparatorKind.Mean => (found.Mean, shares.DefaultIfEmpty(0).Average()),
            ComparatorKind.Median => (Data.TensorStatistics.Quantile(errors, 0.5), Data.TensorStatistics.Quantile(shares, 0.5)),
            _ => (Data.TensorStatistics.Quantile(errors, options.Quantile), Data.TensorStatistics.Quantile(shares, options.Quantile)),
        };
        string why = found.Misplaced > 0 ? Misplaced(found) : error <= absolute || share <= relative ? ""
            : Say($"the {kind.ToString().ToLowerInvariant()} error is {error:0.###e+0}, {share:0.###e+0} of the reference; {absolute} or {relative} of it is allowed");
        return new Verdict(why, absolute, relative, 0, kind == ComparatorKind.Quantile ? options.Quantile : 0);
    }

    private static string Misplaced(OutputStatistics found) => Say($"{found.Misplaced} elements are NaN or infinite on one side only");

    private static string Equality(OutputStatistics found, double least)
    {
        double share = found.Elements == 0 ? 1 : 1 - (double)found.Unequal / found.Elements;
        return share >= least ? "" : Say($"{found.Unequal} of {found.Elements} elements differ");
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
