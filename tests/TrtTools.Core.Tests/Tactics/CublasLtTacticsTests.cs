using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;
using static TrtTools.Tactics.Contractions;

namespace TrtTools.Tactics;

public sealed class CublasLtTacticsTests
{
    private static readonly DimExpr Batch = DimExpr.Symbol("n");

    private static TacticContext Context(bool tf32 = false, long workspace = 1 << 20) =>
        new() { Architecture = "sm_90a", Capability = 90, Tf32 = tf32, WorkspaceLimit = workspace, Symbols = new Dictionary<string, long> { ["n"] = 4 } };

    private static Offer One(Region region, TacticContext? context = null) => Assert.Single(new CublasLtTactics(null).Offers(region, context ?? Context()));

    private static LibraryTacticLaunch Call(Region region, TacticContext? context = null)
    {
        Offer offer = One(region, context);
        Assert.True(offer.Tactic is not null, offer.Reason);
        return Assert.IsType<LibraryTacticLaunch>(Assert.Single(offer.Tactic.Launches));
    }

    private static string Text(LibraryTacticLaunch call) =>
        $"{string.Join(',', call.Operands.Select(o => o.Storage.Name))} [{string.Join(' ', call.Extents.Select(e => e.Text))}] {string.Join(' ', call.Settings.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key}={s.Value}"))}";

    [Fact]
    public void A_linear_layer_joins_batch_and_rows_and_computes_the_transposed_product()
    {
        TensorView x = View("x", DataType.Float16, StorageKind.Input, [Batch, 128, 768]), w = View("w", DataType.Float16, StorageKind.Weight, [768, 3072]), y = View("y", DataType.Float16, StorageKind.Scratch, [Batch, 128, 3072]);
        TensorView bias = View("bias", DataType.Float16, StorageKind.Weight, [3072]);
        LibraryTacticLaunch call = Call(MatMul(x, w, y, (sum, axes) => Relu(Add(sum, Load(bias, axes[2])))));
        Assert.Equal("w,x,y,bias,workspace [3072 128*n 768 3072 768 3072 3072 1 0 0 0 0] a=f16 align=256,256,256,256 alpha=1 b=f16 beta=0 compute=f32 d=f16 epilogue=bias,relu transpose=NN", Text(call));
        Assert.Equal(1 << 20, call.WorkspaceBytes);
    }

    [Fact]
    public void A_transposed_weight_and_a_residual()
    {
        TensorView x = View("x", DataType.BFloat16, StorageKind.Input, [8, 64]), w = View("w", DataType.BFloat16, StorageKind.Weight, [64, 32], [1, 0]), y = View("y", DataType.BFloat16, StorageKind.Scratch, [8, 32]);
        TensorView bias = View("bias", DataType.BFloat16, StorageKind.Weight, [32]), residual = View("r", DataType.BFloat16, StorageKind.Scratch, [8, 32]);
        LibraryTacticLaunch call = Call(MatMul(x, w, y, (sum, axes) => Add(Load(residual, axes), Add(Mul(sum, Number(0.125)), Load(bias, axes[1])))));
        Assert.Equal("w,x,y,bias,r,workspace [32 8 64 64 64 32 32 1 0 0 0 0] a=bf16 align=256,256,256,256 alpha=0.125 b=bf16 beta=1 compute=f32 d=bf16 epilogue=bias transpose=TN", Text(call));
    }

    [Fact]
    public void Batches_keep_their_strides()
    {
        TensorView a = View("a", DataType.Float32, StorageKind.Input, [Batch, 12, 128, 64]), b = View("b", DataType.Float32, StorageKind.Scratch, [Batch, 12, 64, 128]), y = View("y", DataType.Float32, StorageKind.Scratch, [Batch, 12, 128, 128]);
        Assert.Equal("b,a,y,workspace [128 128 64 128 64 128 128 12*n 8192 8192 16384 16384] a=f32 align=256,256,256,256 alpha=1 b=f32 beta=0 compute=f32 d=f32 epilogue= transpose=NN", Text(Call(MatMul(a, b, y))));
    }

    [Fact]
    public void Batches_that_are_not_evenly_spaced_are_rejected()
    {
        // Heads inside a joint projection: [n, 128, 3, 12, 64] seen as [n, 12, 128, 64].
        Storage joint = new("qkv", StorageKind.Scratch, DataType.Float16, Batch * 128 * 3 * 768);
        TensorView q = new(joint, [Batch, 12, 128, 64], [128 * 2304, 64, 2304, 1], DimExpr.Zero), k = new(joint, [Batch, 12, 64, 128], [128 * 2304, 64, 1, 2304], 768);
        TensorView y = View("y", DataType.Float16, StorageKind.Scratch, [Batch, 12, 128, 128]);
        Assert.Equal("its batches are not evenly spaced", One(MatMul(q, k, y)).Reason);
    }

    [Fact]
    public void A_part_of_a_storage_keeps_its_offset_and_alignment()
    {
        Storage joint = new("qkv", StorageKind.Scratch, DataType.Float16, 128 * 3 * 768);
        TensorView q = new(joint, [12, 128, 64], [64, 2304, 1], DimExpr.Zero), k = new(joint, [12, 64, 128], [64, 1, 2304], 768 + 4), y = View("y", DataType.Float16, StorageKind.Scratch, [12, 128, 128]);
        LibraryTacticLaunch call = Call(MatMul(q, k, y));
        Assert.Equal("qkv,qkv,y,workspace [128 128 64 2304 2304 128 128 12 64 64 16384 16384] a=f16 align=8,256,256,256 alpha=1 b=f16 beta=0 compute=f32 d=f16 epilogue= transpose=TN", Text(call));
        Assert.Equal("772", call.Operands[0].Offset.Text);
    }

    [Fact]
    public void A_channels_last_convolution_of_one_pixel_is_a_product()
    {
        int[] last = [0, 2, 3, 1];
        TensorView x = View("x", DataType.Float16, StorageKind.Input, [Batch, 64, 56, 56], last), w = View("w", DataType.Float16, StorageKind.Weight, [256, 64, 1, 1], last);
        TensorView y = View("y", DataType.Float16, StorageKind.Scratch, [Batch, 256, 56, 56], last), r = View("r", DataType.Float16, StorageKind.Scratch, [Batch, 256, 56, 56], last), bias = View("bias", DataType.Float16, StorageKind.Weight, [256]);
        LibraryTacticLaunch call = Call(Pointwise(x, w, y, (sum, axes) => Relu(Add(Add(sum, Load(bias, axes[1])), Load(r, axes)))));
        Assert.Equal("w,x,y,bias,r,workspace [256 3136*n 64 64 64 256 256 1 0 0 0 0] a=f16 align=256,256,256,256 alpha=1 b=f16 beta=1 compute=f32 d=f16 epilogue=bias,relu transpose=TN", Text(call));
    }

    [Fact]
    public void In_channels_first_the_bias_runs_along_the_wrong_axis()
    {
        TensorView x = View("x", DataType.Float32, StorageKind.Input, [Batch, 64, 7, 7]), w = View("w", DataType.Float32, StorageKind.Weight, [32, 64, 1, 1]), y = View("y", DataType.Float32, StorageKind.Scratch, [Batch, 32, 7, 7]), bias = View("bias", DataType.Float32, StorageKind.Weight, [32]);
        Assert.Equal("its bias runs along the other axis of the result", One(Pointwise(x, w, y, (sum, axes) => Add(sum, Load(bias, axes[1])))).Reason);
        Assert.Equal("x,w,y,workspace [49 32 64 49 64 49 49 n 3136 0 1568 1568] a=f32 align=256,256,256,256 alpha=1 b=f32 beta=0 compute=f32 d=f32 epilogue= transpose=NN", Text(Call(Pointwise(x, w, y))));
    }

    [Fact]
    public void Tf32_is_taken_only_when_it_is_allowed()
    {
        TensorView x = View("x", DataType.Float32, StorageKind.Input, [8, 64]), w = View("w", DataType.Float32, StorageKind.Weight, [64, 32]), y = View("y", DataType.Float32, StorageKind.Scratch, [8, 32]);
        Assert.Equal("f32", Call(MatMul(x, w, y)).Settings["compute"]);
        Assert.Equal("tf32", Call(MatMul(x, w, y), Context(tf32: true)).Settings["compute"]);
        Assert.Equal("Tf32", One(MatMul(x, w, y), Context(tf32: true)).Tactic!.Precision);
    }

    [Fact]
    public void Gelu_is_taken_in_its_tanh_form_only()
    {
        TensorView x = View("x", DataType.Float16, StorageKind.Input, [8, 64]), w = View("w", DataType.Float16, StorageKind.Weight, [64, 32]), y = View("y", DataType.Float16, StorageKind.Scratch, [8, 32]), bias = View("bias", DataType.Float16, StorageKind.Weight, [32]);
        Assert.Equal("bias,gelu", Call(MatMul(x, w, y, (sum, axes) => GeluTanh(Add(sum, Load(bias, axes[1]))))).Settings["epilogue"]);
        Assert.Equal("its GELU is the tanh form, the model's is the erf form", One(MatMul(x, w, y, (sum, axes) => GeluErf(Add(sum, Load(bias, axes[1]))))).Reason);
        Assert.Equal("it has no Silu in its epilogue", One(MatMul(x, w, y, (sum, axes) => Silu(sum))).Reason);
    }

    [Fact]
    public void What_the_epilogue_cannot_say_is_rejected_with_the_reason()
    {
        TensorView x = View("x", DataType.Float16, StorageKind.Input, [8, 64]), w = View("w", DataType.Float16, StorageKind.Weight, [64, 32]), y = View("y", DataType.Float16, StorageKind.Scratch, [8, 32]), r = View("r", DataType.Float16, StorageKind.Scratch, [8, 32]), s = View("s", DataType.Float32, StorageKind.Scratch, [8, 32]);
        Assert.Equal("it adds before the activation, the region after it", One(MatMul(x, w, y, (sum, axes) => Add(Relu(sum), Load(r, axes)))).Reason);
        Assert.Equal("its activation is not one that the library has", One(MatMul(x, w, y, (sum, _) => ScalarFunctions.Call("min", Relu(sum), Number(6)))).Reason);
        Assert.Equal("it does not multiply the result by a tensor", One(MatMul(x, w, y, (sum, axes) => Mul(sum, Load(r, axes)))).Reason);
        Assert.Equal("it adds what has the result's type, not Float32 to Float16", One(MatMul(x, w, y, (sum, axes) => Add(sum, Load(s, axes)))).Reason);
        Assert.Equal("it does not add a number to the result", One(MatMul(x, w, y, (sum, _) => Add(sum, Number(1)))).Reason);
        Assert.Equal("it does not multiply Int64", One(MatMul(View("x", DataType.Int64, StorageKind.Input, [8, 64]), View("w", DataType.Int64, StorageKind.Weight, [64, 32]), y)).Reason);
    }

    [Fact]
    public void One_row_takes_a_residual_as_a_matrix()
    {
        TensorView x = View("x", DataType.Float16, StorageKind.Input, [1, 64]), w = View("w", DataType.Float16, StorageKind.Weight, [64, 32]), y = View("y", DataType.Float16, StorageKind.Scratch, [1, 32]), r = View("r", DataType.Float16, StorageKind.Scratch, [1, 32]), bias = View("bias", DataType.Float16, StorageKind.Weight, [32]);
        Assert.Equal("w,x,y,bias,r,workspace [32 1 64 32 64 32 32 1 0 0 0 0] a=f16 align=256,256,256,256 alpha=1 b=f16 beta=1 compute=f32 d=f16 epilogue=bias transpose=NN",
            Text(Call(MatMul(x, w, y, (sum, axes) => Add(Add(sum, Load(bias, axes[1])), Load(r, axes))))));
    }

    [Fact]
    public void The_librarys_candidates_become_tactics_named_by_their_algorithm()
    {
        TensorView x = View("x", DataType.Float16, StorageKind.Input, [4, 64]), w = View("w", DataType.Float16, StorageKind.Weight, [64, 32]), y = View("y", DataType.Float16, StorageKind.Scratch, [4, 32]);
        FakeLibrary library = new(new LibraryCandidate([1], 0), new LibraryCandidate([2], 512));
        List<Offer> offers = [.. new CublasLtTactics(library).Offers(MatMul(x, w, y), Context())];
        Assert.Equal(["cublasLt:4bf5122f", "cublasLt:dbc1b4c9"], offers.Select(o => o.Name));
        LibraryTacticLaunch first = (LibraryTacticLaunch)offers[0].Tactic!.Launches[0], second = (LibraryTacticLaunch)offers[1].Tactic!.Launches[0];
        Assert.Equal([1], first.Algorithm);
        Assert.Equal(3, first.Operands.Count);
        Assert.Equal(4, second.Operands.Count);
        Assert.Equal(("test", 512), (second.Version, second.WorkspaceBytes));
        Assert.Equal([32, 4, 64, 32, 64, 32, 32, 1, 0, 0, 0, 0], library.Asked!.Extents);
        Assert.Equal(1 << 20, library.Asked.WorkspaceBytes);
        // Other shapes may want more than those that the library was asked about.
        TensorView many = View("x", DataType.Float16, StorageKind.Input, [Batch, 64]), results = View("y", DataType.Float16, StorageKind.Scratch, [Batch, 32]);
        Assert.All(new CublasLtTactics(library).Offers(MatMul(many, w, results), Context()), o => Assert.Equal(1 << 20, ((LibraryTacticLaunch)o.Tactic!.Launches[0]).WorkspaceBytes));
        Assert.Equal("the library has no algorithm for this product in 1 MB of workspace", Assert.Single(new CublasLtTactics(new FakeLibrary()).Offers(MatMul(x, w, y), Context())).Reason);
    }

    private sealed class FakeLibrary(params LibraryCandidate[] candidates) : ILibraryAdapter
    {
        public LibraryRequest? Asked { get; private set; }

        public string Version => "test";

        public IPreparedCall Prepare(LibraryRequest request) => throw new NotSupportedException();

        public IReadOnlyList<LibraryCandidate> Candidates(LibraryRequest request, int count)
        {
            Asked = request;
            return candidates;
        }

        public void Dispose() { }
    }
}

public sealed class SplitTacticsTests
{
    private static readonly TacticContext Context = new() { Architecture = "sm_90a", Capability = 90, WorkspaceLimit = 1 << 20, Symbols = new Dictionary<string, long>() };

    private static readonly TensorView X = View("x", DataType.Float16, StorageKind.Input, [8, 64]), W = View("w", DataType.Float16, StorageKind.Weight, [64, 32]), Y = View("y", DataType.Float16, StorageKind.Scratch, [8, 32]),
        Bias = View("bias", DataType.Float16, StorageKind.Weight, [32]), R = View("r", DataType.Float16, StorageKind.Scratch, [8, 32]);

    private readonly List<LoopNest> _generated = [];

    private List<Offer> Offers(Region region) => [.. new SplitTactics(new CublasLtTactics(null), (r, _) =>
    {
        _generated.AddRange(r.Nests);
        return [new Kernels.KernelLaunch { Name = "rest", Source = TacticPrograms.Source("rest"), Grid = [1], Block = [32], Arguments = [] }];
    }).Offers(region, Context)];

    [Fact]
    public void The_library_computes_the_sum_and_a_generated_kernel_the_rest()
    {
        Tactic tactic = Assert.Single(Offers(MatMul(X, W, Y, (sum, axes) => GeluErf(Add(sum, Load(Bias, axes[1])))))).Tactic!;
        Assert.Equal("cublasLt+map", tactic.Name);
        LibraryTacticLaunch call = Assert.IsType<LibraryTacticLaunch>(tactic.Launches[0]);
        Assert.Equal("bias", call.Settings["epilogue"]);
        Storage between = call.Operands[2].Storage;
        Assert.Equal((StorageKind.Scratch, DataType.Float16, "256"), (between.Kind, between.Type, between.ElementCount.Text));
        LoopNest rest = Assert.Single(_generated);
        Assert.Null(rest.Body);
        Assert.Equal([between], RegionViews.Loads(rest).Select(l => l.Source.Storage));
        Assert.DoesNotContain(RegionViews.All(rest), e => e is ReducedExpr);
        Assert.Same(Y, rest.Target);
    }

    [Fact]
    public void What_the_library_cannot_add_is_left_to_the_kernel()
    {
        Tactic tactic = Assert.Single(Offers(MatMul(X, W, Y, (sum, axes) => Mul(Relu(Add(sum, Load(Bias, axes[1]))), Load(R, axes))))).Tactic!;
        Assert.Equal("bias", Assert.IsType<LibraryTacticLaunch>(tactic.Launches[0]).Settings["epilogue"]);
        Assert.Equal(["r"], RegionViews.Loads(Assert.Single(_generated)).Select(l => l.Source.Storage.Name).Where(n => n != "sum"));
    }

    [Fact]
    public void What_the_library_does_by_itself_is_not_split() => Assert.Empty(Offers(MatMul(X, W, Y, (sum, axes) => Relu(Add(sum, Load(Bias, axes[1]))))));
}
