using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;
using static TrtTools.Tactics.Contractions;

namespace TrtTools.Tactics;

public sealed class CudnnTacticsTests
{
    private static readonly DimExpr Batch = DimExpr.Symbol("n");
    private static readonly int[] Last = [0, 2, 3, 1];
    private static readonly TacticContext Context = new() { Architecture = "sm_90a", Capability = 90, Symbols = new Dictionary<string, long> { ["n"] = 4 }, WorkspaceLimit = 1 << 20 };

    private static readonly TensorView X = View("x", DataType.Float16, StorageKind.Input, [Batch, 64, 56, 56], Last), W = View("w", DataType.Float16, StorageKind.Weight, [128, 64, 3, 3], Last),
        Y = View("y", DataType.Float16, StorageKind.Scratch, [Batch, 128, 28, 28], Last), R = View("r", DataType.Float16, StorageKind.Scratch, [Batch, 128, 28, 28], Last), Bias = View("bias", DataType.Float16, StorageKind.Weight, [128]);

    private static Region Conv(Func<Expr, Axis[], Expr> result, TensorView? y = null)
    {
        Axis[] space = [.. Y.Shape.Select((extent, i) => new Axis($"i{i}", extent))];
        Axis[] reduced = [new("c", 64), new("r", 3), new("s", 3)];
        Expr total = new ReducedExpr(ScalarType.Float32);
        LoopNest nest = new() { Name = "conv", Space = space, Reduced = reduced, Combine = Combiner.Sum, Body = new ConstantExpr(0.0), Target = y ?? Y, Result = result(total, space) };
        return new Region { Name = "conv", Kind = RegionKind.Convolution, Operators = "Conv", Nests = [nest], Facts = new ConvolutionFacts(X, W, 0, [2, 2], [1, 1], [0, 1], [1, 1], 1) };
    }

    private static Offer One(Region region, TacticContext? context = null) => Assert.Single(new CudnnTactics(null).Offers(region, context ?? Context));

    private static string Text(Region region)
    {
        Offer offer = One(region);
        Assert.True(offer.Tactic is not null, offer.Reason);
        LibraryTacticLaunch call = Assert.IsType<LibraryTacticLaunch>(Assert.Single(offer.Tactic.Launches));
        return $"{string.Join(',', call.Operands.Select(o => $"{o.Storage.Name}{(o.Access == Kernels.Access.Write ? "!" : "")}"))} [{string.Join(' ', call.Extents.Select(e => e.Text))}] {string.Join(' ', call.Settings.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key}={s.Value}"))}";
    }

    [Fact]
    public void Bias_residual_and_ReLU_are_in_one_call() => Assert.Equal(
        "x,w,y!,bias,r,workspace! [n 64 56 56 200704 1 3584 64 128 64 3 3 576 1 192 64 n 128 28 28 100352 1 3584 128 1 128 1 1 128 1 128 128 n 128 28 28 100352 1 3584 128] "
        + "activation=relu after=0 after-pad=0,1 align=256,256,256,256,256 before=2 before-pad=1,1 dilation=1,1 rank=4 stride=2,2 tf32=0 types=f16,f16,f16,f16,f16",
        Text(Conv((sum, axes) => Relu(Add(Add(sum, Load(Bias, axes[1])), Load(R, axes))))));

    [Fact]
    public void SiLU_and_then_the_residual()
    {
        string text = Text(Conv((sum, axes) => Add(Load(R, axes), Silu(Add(sum, Load(Bias, axes[1]))))));
        Assert.Contains("activation=silu after=1 ", text);
        Assert.Contains(" before=1 ", text);
        Assert.StartsWith("x,w,y!,bias,r,workspace!", text);
    }

    [Fact]
    public void The_exact_GELU_is_known() => Assert.Contains("activation=gelu after", Text(Conv((sum, _) => GeluErf(sum))));

    [Fact]
    public void What_it_cannot_do_is_rejected_with_the_reason()
    {
        Assert.Equal("its activation is not one that the library has", One(Conv((sum, _) => ScalarFunctions.Call("min", Relu(sum), Number(6)))).Reason);
        Assert.Equal("it does not scale the result", One(Conv((sum, _) => Relu(Mul(sum, Number(0.5))))).Reason);
        Assert.Equal("it does not take Int8 here", One(Conv((sum, _) => sum, View("y", DataType.Int8, StorageKind.Scratch, [Batch, 128, 28, 28], Last))).Reason);
        TensorView one = View("v", DataType.Float16, StorageKind.Weight, [128]);
        Assert.Equal("what is added is not read at even distances", One(Conv((sum, axes) => Add(sum, new LoadExpr(one, [ScalarFunctions.Call("floordiv", new AxisExpr(axes[1]), new ConstantExpr(2L))])))).Reason);
    }

    [Fact]
    public void One_spatial_axis_is_widened()
    {
        TensorView x = View("x", DataType.Float32, StorageKind.Input, [1, 8, 100]), w = View("w", DataType.Float32, StorageKind.Weight, [16, 8, 5]), y = View("y", DataType.Float32, StorageKind.Scratch, [1, 16, 100]);
        Axis[] space = [.. y.Shape.Select((extent, i) => new Axis($"i{i}", extent))];
        LoopNest nest = new() { Name = "conv", Space = space, Reduced = [new("c", 8), new("r", 5)], Combine = Combiner.Sum, Body = new ConstantExpr(0.0), Target = y, Result = new ReducedExpr(ScalarType.Float32) };
        Region region = new() { Name = "conv", Kind = RegionKind.Convolution, Operators = "Conv", Nests = [nest], Facts = new ConvolutionFacts(x, w, 0, [1], [2], [2], [1], 1) };
        string text = Text(region);
        Assert.StartsWith("x,w,y!,workspace! [1 8 1 100 800 100 100 1 16 8 1 5 40 5 5 1 1 16 1 100 1600 100 100 1]", text);
        Assert.Contains("before-pad=0,2 dilation=1,1 rank=4 stride=1,1", text);
    }

    [Fact]
    public void TF32_is_allowed_or_not()
    {
        TensorView x = View("x", DataType.Float32, StorageKind.Input, [1, 8, 9, 9]), w = View("w", DataType.Float32, StorageKind.Weight, [16, 8, 1, 1]), y = View("y", DataType.Float32, StorageKind.Scratch, [1, 16, 9, 9]);
        string Setting(bool tf32) => Assert.IsType<LibraryTacticLaunch>(Assert.Single(One(Pointwise(x, w, y), Context with { Tf32 = tf32 }).Tactic!.Launches)).Settings["tf32"];
        Assert.Equal("0", Setting(false));
        Assert.Equal("1", Setting(true));
    }
}
