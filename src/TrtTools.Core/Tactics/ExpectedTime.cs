using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>
/// A rough model of what regions and tactics take: bytes over bandwidth, products over what the chip multiplies, tiles in waves, and what a launch costs. It orders what is not timed, shares the time
/// for timing out, and leaves out what is far from the best; it never decides between candidates that are timed.
/// </summary>
internal sealed class ExpectedTime
{
    /// <summary>Of one multiprocessor of sm_90, in products of 16 bits and of Float32 a millisecond; bytes a millisecond of the whole chip. Other chips differ, and the order hardly.</summary>
    private const double TensorPerMs = 2.65e9, FloatPerMs = 0.12e9, BytesPerMs = 2.6e9, CyclesPerMs = 1.75e6;

    /// <summary>Milliseconds: of a kernel of ours beside its work, of a library's, of a step along k in a library's and in a generated kernel.</summary>
    private const double LaunchMs = 0.002, LibraryMs = 0.0055, LibraryStepMs = 0.00013, GeneratedStepMs = 0.0001;

    private readonly double _flopsMs, _bytesMs, _exactMs;
    private readonly long _depth;
    private readonly bool _isContraction;

    private ExpectedTime(Region region, TacticContext context)
    {
        double products = 0, bytes = 0;
        int contraction = region.Facts switch { ConvolutionFacts f => f.Nest, MatMulFacts f => f.Nest, _ => -1 };
        for (int i = 0; i < region.Nests.Count; i++)
        {
            LoopNest nest = region.Nests[i];
            double points = Count(nest.Space.Select(a => a.Extent), context), reduced = Count(nest.Reduced.Select(a => a.Extent), context);
            if (nest.Combine == Combiner.Sum && nest.Reduced.Count > 0 && (i == contraction || region.Facts is AttentionFacts)) products += points * reduced;
            if (i == contraction) _depth = (long)Math.Min(long.MaxValue / 2, reduced);
        }
        foreach (TensorView view in RegionViews.Reads(region).Concat(RegionViews.Writes(region)).DistinctBy(v => v.Storage)) bytes += Math.Min(Count(view.Shape, context), Count([view.Storage.ElementCount], context)) * view.Type.BitSize() / 8.0;
        DataType type = region.Facts switch { ConvolutionFacts f => f.Input.Type, MatMulFacts f => f.A.Type, AttentionFacts f => f.Query.Type, _ => DataType.Float16 };
        double multiprocessors = context.Multiprocessors > 0 ? context.Multiprocessors : 132;
        double rate = type switch { DataType.Float32 => context.Tf32 ? TensorPerMs / 2 : FloatPerMs, DataType.Int8 or DataType.UInt8 => 2 * TensorPerMs, DataType.Float64 => FloatPerMs / 2, _ => TensorPerMs };
        _flopsMs = products / (rate * multiprocessors);
        _exactMs = products / (FloatPerMs / 3 * multiprocessors);
        _bytesMs = bytes / BytesPerMs;
        _isContraction = contraction >= 0 || region.Facts is AttentionFacts;
    }

    /// <summary>Of the region, run as well as it can be.</summary>
    public double Milliseconds => LaunchMs + Math.Max(_flopsMs, _bytesMs);

    public static ExpectedTime Of(Region region, TacticContext context) => new(region, context);

    /// <summary>Of a tactic that is number <paramref name="place"/> of its source's: sources offer likely fast ones first.</summary>
    public double Of(Tactic tactic, int place)
    {
        // What a second kernel takes that reads the sum and writes the result.
        double behind = tactic.Launches.Count > 1 ? (tactic.Launches.Count - 1) * (LaunchMs + (_bytesMs / 2)) : 0, work = Math.Max(_flopsMs, _bytesMs), order = 1 + (0.01 * place);
        if (tactic.ExpectedCycles > 0) return behind + LaunchMs + Math.Max(tactic.ExpectedCycles / CyclesPerMs, _bytesMs);
        if (tactic.Launches.OfType<LibraryTacticLaunch>().FirstOrDefault() is { } call)
        {
            double latency = LibraryMs + (LibraryStepMs * Math.Min(_depth / 64.0, 200)) + (string.Equals(call.Library, CublasLtAdapter.Library, StringComparison.Ordinal) ? 0.001 : 0);
            return behind + (Math.Max(latency, 0.001 + (work / 0.85)) * order);
        }
        if (!string.Equals(tactic.Name, GeneratedTactics.TacticName, StringComparison.Ordinal)) return behind + ((LaunchMs + (work / 0.7)) * order);
        if (!_isContraction) return LaunchMs + (_bytesMs / 0.8);
        // Where reading is all there is to do, one that reduces is as fast as any.
        bool reads = _bytesMs > 20 * _flopsMs;
        return LaunchMs + Math.Max(reads ? 1.5 * _bytesMs : _exactMs, reads ? 0 : GeneratedStepMs * Math.Min(_depth, 10_000));
    }

    private static double Count(IEnumerable<DimExpr> extents, TacticContext context) => extents.Aggregate(1.0, (count, e) => count * (context.Value(e) ?? 1));
}
