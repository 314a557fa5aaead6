using System.Globalization;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>
/// Scatters whose points join what stands at their place already. Sums and extremes of integers join by atomics, whose order is no matter. All others go one after the other, in the nest's order, as far as
/// they may meet: threads share the axes that name a place by themselves, along which no two points do.
/// </summary>
internal static class ScatterKernel
{
    private const int Block = 128;

    public static KernelLaunch Write(NestAnalysis analysis)
    {
        LoopNest nest = analysis.Nest;
        Combiner combine = nest.ScatterCombine!.Value;
        string? atomic = Atomic(combine, nest.Target.Type);
        Axis[] own = [.. nest.Space.Where(a => !GeneratorOptions.Is(a.Extent, 1) && (atomic is not null || IsOwn(nest, a)))];
        Axis[] serial = [.. nest.Space.Where(a => !GeneratorOptions.Is(a.Extent, 1) && !own.Contains(a))];
        KernelText text = new(analysis.Options, [nest.Target.Storage]);
        IReadOnlyList<LoopAxis> loops = [.. own.Select(a => new LoopAxis([a], a.Extent))];
        DimExpr points = LoopText.Count(loops);
        string type = LoopText.IndexType(text, points);
        text.Line(string.Create(CultureInfo.InvariantCulture, $"const {type} p = ({type})blockIdx.x * {Block} + threadIdx.x;"));
        text.Line($"if (p >= {text.Extent(points)}) return;");
        ScalarWriter writer = new(text, analysis);
        LoopText.Bind(writer, loops, LoopText.Decompose(text, loops, "p", type));
        foreach (Axis axis in serial)
        {
            string counter = text.Name("i"), kind = LoopText.IndexType(text, axis.Extent);
            text.Line("#pragma unroll 1");
            text.Open($"for ({kind} {counter} = 0; {counter} < {text.Extent(axis.Extent)}; {counter}++)");
            writer.Bind(new LoopAxis([axis], axis.Extent), counter);
        }
        writer.Scope(() => Join(text, analysis, writer, combine, atomic));
        for (int i = 0; i < serial.Length; i++) text.Close();
        return text.Finish(nest.Name, "trt_scatter", [LoopText.Blocks(points, Block)], Block);
    }

    private static void Join(KernelText text, NestAnalysis analysis, ScalarWriter writer, Combiner combine, string? atomic)
    {
        LinearAccess target = analysis.Target;
        DataType type = target.View.Type;
        bool packed = ElementText.IsPacked(type);
        string pointer = text.Pointer(target.View.Storage, packed ? DimExpr.Zero : target.View.Offset, Access.ReadWrite), place = writer.Place(target), value = writer.StoredText(analysis.Nest.Result, type);
        if (atomic is not null)
        {
            string wide = type is DataType.Int64 or DataType.UInt64 ? combine == Combiner.Sum ? "trt::u64" : "trt::i64" : "int";
            text.Line($"{atomic}(({wide} *)({pointer} + {place}), ({wide}){value});");
            return;
        }
        ScalarType scalar = type.ScalarType();
        string name = ElementText.TypeName(scalar, narrow: false), at = text.Name("o");
        text.Line($"const trt::i64 {at} = {place};");
        string old = packed ? $"trt::load_{(type == DataType.Int4 ? "int4" : "uint4")}({pointer}, {at})" : $"trt::load({pointer}[{at}])";
        string joined = ElementText.Combine(combine, scalar, $"({name}){old}", $"({name}){value}");
        text.Line(packed ? $"trt::store_4bit({pointer}, {at}, {joined});" : $"trt::store({pointer}[{at}], ({name})({joined}));");
    }

    /// <summary>No two points that differ along the axis can meet: one index of the place is the axis itself.</summary>
    private static bool IsOwn(LoopNest nest, Axis axis) => nest.Place is null || nest.Place.Any(p => p is AxisExpr own && ReferenceEquals(own.Axis, axis));

    private static string? Atomic(Combiner combine, DataType type) => (combine, type) switch
    {
        (Combiner.Sum, DataType.Int32 or DataType.UInt32 or DataType.Int64 or DataType.UInt64) => "atomicAdd",
        (Combiner.Maximum, DataType.Int32 or DataType.Int64) => "atomicMax",
        (Combiner.Minimum, DataType.Int32 or DataType.Int64) => "atomicMin",
        _ => null,
    };
}
