using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>Loops and what they are cut from, as text.</summary>
internal static class LoopText
{
    public static DimExpr Count(IEnumerable<LoopAxis> loops) => loops.Aggregate(DimExpr.One, (n, l) => n * l.Extent);

    public static string IndexType(KernelText text, DimExpr count) => text.Options.Range(count) is { High: < int.MaxValue - 1024 } ? "int" : "trt::i64";

    /// <summary>Declares a counter for each loop, from a number that counts through all of them. The innermost counts in steps of <paramref name="lanes"/>.</summary>
    /// <returns>The counters, in the order of the loops.</returns>
    public static string[] Decompose(KernelText text, IReadOnlyList<LoopAxis> loops, string number, string type, int lanes = 1, string prefix = "i")
    {
        string[] counters = new string[loops.Count];
        string rest = number;
        for (int i = loops.Count - 1; i >= 0; i--)
        {
            counters[i] = text.Name(prefix);
            bool innermost = i == loops.Count - 1;
            string step = innermost && lanes > 1 ? string.Create(CultureInfo.InvariantCulture, $" * {lanes}") : "";
            if (i == 0)
            {
                text.Line($"const {type} {counters[i]} = {rest}{step};");
                break;
            }
            string extent = text.Extent(innermost && lanes > 1 ? DimExpr.FloorDiv(loops[i].Extent, lanes) : loops[i].Extent);
            string next = text.Name("q");
            text.Line($"const {type} {next} = {rest} / {extent};");
            text.Line($"const {type} {counters[i]} = ({rest} - {next} * {extent}){step};");
            rest = next;
        }
        return counters;
    }

    public static void Bind(ScalarWriter writer, IReadOnlyList<LoopAxis> loops, IReadOnlyList<string> counters)
    {
        for (int i = 0; i < loops.Count; i++) writer.Bind(loops[i], counters[i]);
    }

    /// <summary>Blocks for a number of threads; at least one, since nothing can launch none.</summary>
    public static DimExpr Blocks(DimExpr threads, int perBlock) => DimExpr.Max(DimExpr.One, DimExpr.CeilDiv(threads, perBlock));

    /// <summary>Threads of a block that spread little work over many multiprocessors.</summary>
    public static int Threads(GeneratorOptions options, DimExpr total)
    {
        long guess = options.Guess(total);
        return guess <= options.Multiprocessors * 64L ? 64 : guess <= options.Multiprocessors * 128L ? 128 : 256;
    }
}
