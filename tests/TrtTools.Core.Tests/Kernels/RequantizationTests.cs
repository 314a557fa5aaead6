using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tactics;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Epilogues from integers to integers: what the kernel's short form computes is what the nest says, and what has another form is left to the general one.</summary>
public sealed class RequantizationTests
{
    private const int Columns = 32;

    private readonly TensorView _target = Dense("y", StorageKind.Output, DataType.Int8, 5, Columns), _residual = Dense("r", StorageKind.Input, DataType.Int8, 5, Columns);
    private readonly Axis _row = new("i", 5), _column = new("j", Columns), _k = new("k", 8);
    private readonly float[] _scale = [.. Enumerable.Range(0, Columns).Select(c => 0.001f + (c * 0.0001f))], _bias = [.. Enumerable.Range(0, Columns).Select(c => (c % 7 * 0.3f) - 1)];

    private static TensorView Dense(string name, StorageKind kind, DataType type, params DimExpr[] shape) => TensorView.Dense(new Storage(name, kind, type, shape.Aggregate(DimExpr.One, (a, b) => a * b)), shape);

    private LoadExpr Vector(float[] values) => new(TensorView.Dense(new Storage("w", StorageKind.Weight, DataType.Float32, values.Length) { Data = TensorData.Vector<float>(values) }, [values.Length]), [Ex.Of(_column)]);

    private LoopNest Nest(Expr value, double step) => new()
    {
        Name = "n", Space = [_row, _column], Reduced = [_k], Combine = Combiner.Sum, Target = _target, Body = Ex.Constant(0, ScalarType.Int64),
        Result = new ConvertExpr(DataType.Int8, Ex.Call("round", Ex.Div(value, Ex.Number(step))), saturates: true),
    };

    private Expr Scaled => Ex.Call("mul", Ex.Convert(new ReducedExpr(ScalarType.Int64), ScalarType.Float32), Vector(_scale));

    private static Expr Relu(Expr x) => Ex.Select(Ex.Less(x, Ex.Number(0)), Ex.Number(0), x);

    private Expr Residual(double factor) => Ex.Call("mul", Ex.Convert(Ex.Load(_residual, Ex.Of([_row, _column])), ScalarType.Float32), Ex.Number(factor));

    /// <summary>As wgmma_gemm.cuh computes it.</summary>
    private static int Kernel(Requantization form, int sum, int residual, int column)
    {
        float x = float.FusedMultiplyAdd(sum, form.A[column], form.B[column]);
        x = float.FusedMultiplyAdd(residual, form.Factor, x);
        return BitConverter.SingleToInt32Bits(float.FusedMultiplyAdd(Math.Clamp(x, 0, 1), form.Spread, 12582912f + form.Low)) - 0x4b400000;
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void The_short_form_rounds_and_cuts_as_the_nest_says(bool rectifies, bool adds)
    {
        const double step = 0.037, factor = 0.021;
        Expr value = Ex.Call("add", Scaled, Vector(_bias));
        if (adds) value = Ex.Call("add", Residual(factor), value);
        if (rectifies) value = Relu(value);
        Requantization form = Requantization.Of(Nest(value, step), _column)!;
        Assert.Equal((rectifies ? 0 : -128, rectifies ? 127 : 255, adds), (form.Low, form.Spread, form.Residual is not null));
        CaseRandom random = new(7);
        int different = 0, count = 0, cut = 0;
        for (int i = 0; i < 20_000; i++)
        {
            int sum = random.Below(20_000) - 10_000, residual = adds ? random.Below(256) - 128 : 0, column = random.Below(Columns);
            double exact = (sum * (double)_scale[column]) + _bias[column] + (residual * factor);
            if (rectifies) exact = Math.Max(exact, 0);
            int expected = (int)Math.Clamp(Math.Round(exact / step, MidpointRounding.ToEven), -128, 127), actual = Kernel(form, sum, residual, column);
            Assert.InRange(actual, expected - 1, expected + 1);
            count++;
            if (expected is 127 or -128 or 0) cut++;
            if (actual != expected) different++;
        }
        // Only what falls next to the middle between two steps may go to the other side.
        Assert.True(different * 1000 < count, $"{different} of {count}");
        Assert.True(cut > 100);
    }

    [Fact]
    public void Other_forms_are_left_alone()
    {
        Expr plain = Ex.Call("add", Scaled, Vector(_bias));
        Assert.NotNull(Requantization.Of(Nest(plain, 0.1), _column));
        // A table that is not known now, an activation, two residuals, a residual with a scale of its own for each column, no sum at all, another type.
        TensorView unknown = Dense("u", StorageKind.Input, DataType.Float32, Columns);
        Assert.Null(Requantization.Of(Nest(Ex.Call("add", Scaled, Ex.Load(unknown, [Ex.Of(_column)])), 0.1), _column));
        Assert.Null(Requantization.Of(Nest(Ex.Call("tanh", plain), 0.1), _column));
        Assert.Null(Requantization.Of(Nest(Ex.Call("add", Ex.Call("add", plain, Residual(0.1)), Residual(0.2)), 0.1), _column));
        Assert.Null(Requantization.Of(Nest(Ex.Call("add", plain, Ex.Call("mul", Residual(1), Vector(_scale))), 0.1), _column));
        Assert.Null(Requantization.Of(Nest(Vector(_bias), 0.1), _column));
        Assert.Null(Requantization.Of(Nest(plain, 0.1) with { Target = Dense("f", StorageKind.Output, DataType.Float16, 5, Columns), Result = plain }, _column));
    }

    [Fact]
    public void Layers_that_differ_in_their_scales_alone_are_timed_once()
    {
        string Key(double step, double factor, bool rectifies)
        {
            Expr value = Ex.Call("add", Residual(factor), Ex.Call("add", Scaled, Vector(_bias)));
            return RegionKey.Of(new Region { Name = "r", Kind = RegionKind.MatMul, Operators = "MatMul", Nests = [Nest(rectifies ? Relu(value) : value, step)] });
        }
        Assert.Equal(Key(0.02, 0.1, true), Key(0.03, 0.2, true));
        Assert.NotEqual(Key(0.02, 0.1, true), Key(0.02, 0.1, false));
        // Of floats the numbers say what is computed.
        string Float(double factor) => RegionKey.Of(new Region { Name = "r", Kind = RegionKind.MatMul, Operators = "MatMul", Nests = [Nest(Scaled, 1) with { Target = Dense("f", StorageKind.Output, DataType.Float16, 5, Columns), Result = Ex.Call("mul", Scaled, Ex.Number(factor)) }] });
        Assert.NotEqual(Float(0.5), Float(0.25));
    }

    [Fact]
    public void Sums_count_as_narrow_only_where_no_input_can_make_them_wide()
    {
        sbyte[] weights = new sbyte[2 * 400];
        Array.Fill(weights, (sbyte)81);
        Assert.True(Requantization.IsNarrow(weights, 2));
        Array.Fill(weights, (sbyte)-82, 400, 400);
        Assert.False(Requantization.IsNarrow(weights, 2));
    }

    [Fact]
    public void A_thread_finds_four_neighbouring_columns_where_the_instruction_has_them()
    {
        HandMadeCases.Made made = HandMadeCases.All.Single(c => c.Region.Name == "integers, residual" && c.Region.Kind == RegionKind.Convolution);
        ProductView view = ProductView.Of(made.Region, out _)!;
        ProductView integers = new KernelWeights().Requantized(made.Region, view)!;
        ReadOnlySpan<byte> before = view.W.Storage.Data!.Bytes, after = integers.W.Storage.Data!.Bytes;
        int depth = (int)view.Depth.Value;
        for (int place = 0; place < view.Cols.Value; place++)
        {
            // Columns 8·j + 2·q + e of the instruction, j even and odd, are a thread's sums e of both.
            int q = (place >> 1) & 3, h = (place >> 3) & 1, e = place & 1, column = (place & ~15) + (4 * q) + (2 * h) + e;
            Assert.True(after.Slice(place * depth, depth).SequenceEqual(before.Slice((int)view.W.Row.Value * column, depth)));
        }
        Assert.Equal(2, integers.Operands.Count);
        Assert.Equal(DataType.Int8, integers.Operands[0].Type);
        KernelLaunch launch = WgmmaKernel.Launch(integers, new WgmmaVariant { P = 64, Q = 32, Groups = 1, Stages = 2 }, "test", 132);
        Assert.Contains("#define TRT_REQUANTIZE 1", launch.Source.Text, StringComparison.Ordinal);
        Assert.Contains("#define TRT_FIRST_TMA 1", launch.Source.Text, StringComparison.Ordinal);
    }
}
