using System.Globalization;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Convolutions by cuDNN with bias, activation and residual in the same call.</summary>
/// <param name="library">Asks the library on the device; null where there is none: one tactic is offered then, whose plan the runtime asks for.</param>
/// <param name="another">An adapter for a thread of its own, which disposes it.</param>
internal sealed class CudnnTactics(ILibraryAdapter? library, Func<ILibraryAdapter>? another = null, LibraryAnswers? answers = null) : ITacticSource
{
    // Its heuristics know: of 30 convolutions of ResNet-50 the best was behind the fifth twice.
    private const int Candidates = 5, ThoroughCandidates = 24, MostThreads = 16;

    private readonly LibraryAnswers _answers = answers ?? new LibraryAnswers(null, "");

    public string Name => CudnnAdapter.Library;

    public string Prefix => Name;

    public bool IsLibrary => true;

    public IEnumerable<Offer> Offers(Region region, TacticContext context)
    {
        if (region.Facts is not ConvolutionFacts facts) return [];
        if (region.Nests.Count != 1) return [Offer.Rejected(Name, $"it computes one convolution, the region has {region.Nests.Count} steps")];
        return Problem(facts, region.Nests[0], context, out LibraryTacticLaunch? call) is { } problem ? [Offer.Rejected(Name, problem)]
            : LibraryOffers.Of(this, library, _answers, call!, context, context.Thorough ? ThoroughCandidates : Candidates, call!.Settings["tf32"] == "1" ? "Tf32" : "", "plan for this convolution");
    }

    /// <summary>The library compiles most of its candidates, one after another: several threads ask at a time.</summary>
    public void Prepare(IReadOnlyList<Region> regions, TacticContext context, CancellationToken stop)
    {
        if (library is null || another is null) return;
        List<LibraryRequest> requests = [];
        foreach (Region region in regions)
        {
            if (Call(region, context) is { } call && LibraryWorkspace.Request(call, context, context.WorkspaceLimit) is { } request) requests.Add(request);
        }
        _answers.Start(another, library, requests, context.Thorough ? ThoroughCandidates : Candidates, Math.Min(MostThreads, Environment.ProcessorCount), stop);
    }

    public bool Takes(Region region, TacticContext context) => Call(region, context) is not null;

    private static LibraryTacticLaunch? Call(Region region, TacticContext context) =>
        region.Facts is ConvolutionFacts facts && region.Nests.Count == 1 && Problem(facts, region.Nests[0], context, out LibraryTacticLaunch? call) is null ? call : null;

    private static string? Problem(ConvolutionFacts facts, LoopNest nest, TacticContext context, out LibraryTacticLaunch? call)
    {
        call = null;
        if (nest.Place is not null) return "its results are scattered";
        int rank = facts.Input.Rank;
        if (rank is < 3 or > 5) return $"it has no convolution of rank {rank}";
        if (nest.Space.Count != rank) return "the loops of its result are not those of a convolution";
        EpilogueMatch epilogue = EpilogueMatch.Of(nest);
        if (epilogue.Problem.Length > 0) return epilogue.Problem;
        if (epilogue.Scale != 1 || epilogue.Factors.Count > 0) return "it does not scale the result";
        if (epilogue.Constant != 0) return "it does not add a number to the result";
        if (ActivationName(epilogue.Activation) is not { } activation) return $"it has no {epilogue.Activation} behind a convolution";
        if (facts.Input.Type != facts.Weight.Type) return $"its operands have two types, {facts.Input.Type} and {facts.Weight.Type}";
        List<(Storage Storage, DimExpr Offset, DimExpr[] Dims, DimExpr[] Strides)> operands = [OfView(facts.Input), OfView(facts.Weight), OfView(nest.Target)];
        foreach (LoadExpr load in epilogue.Added.Concat(epilogue.AddedAfter))
        {
            if (Footprint.Of(load) is not { } footprint) return "what is added is not read at even distances";
            operands.Add(OfAddend(footprint, nest));
        }
        List<string> types = [];
        foreach ((Storage storage, _, _, _) in operands)
        {
            if (TypeName(storage.Type) is not { } type) return $"it does not take {storage.Type} here";
            types.Add(type);
        }
        bool tf32 = types[0] == "f32" && context.Tf32;
        call = new LibraryTacticLaunch(CudnnAdapter.Library, CudnnAdapter.Operation)
        {
            Operands = [.. operands.Select((o, i) => new PointerArgument(o.Storage, o.Offset, i == 2 ? Access.Write : Access.Read))],
            Extents = [.. operands.SelectMany(o => Widen(o.Dims, DimExpr.One).Concat(Widen(o.Strides, o.Strides[^1] * o.Dims[^1])))],
            Settings = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["rank"] = Text(Math.Max(4, rank)), ["types"] = string.Join(',', types), ["align"] = string.Join(',', operands.Select(o => Text(LibraryWorkspace.Alignment(o.Storage, o.Offset)))),
                ["stride"] = Numbers(facts.Strides, 1), ["dilation"] = Numbers(facts.Dilations, 1), ["before-pad"] = Numbers(facts.PadsBegin, 0), ["after-pad"] = Numbers(facts.PadsEnd, 0),
                ["before"] = Text(epilogue.Added.Count), ["after"] = Text(epilogue.AddedAfter.Count), ["activation"] = activation, ["tf32"] = tf32 ? "1" : "0",
            },
        };
        return null;
    }

    private static (Storage, DimExpr, DimExpr[], DimExpr[]) OfView(TensorView view) => (view.Storage, view.Offset, [.. view.Shape], [.. view.Strides]);

    /// <summary>An axis that the addend does not depend on has one element; its stride is then without meaning, but the library wants one that could be.</summary>
    private static (Storage, DimExpr, DimExpr[], DimExpr[]) OfAddend(Footprint footprint, LoopNest nest)
    {
        DimExpr[] strides = [.. nest.Space.Select(footprint.Stride)];
        DimExpr[] dims = [.. nest.Space.Select((axis, i) => ContractionLayout.IsZero(strides[i]) ? DimExpr.One : axis.Extent)];
        DimExpr whole = dims.Aggregate(DimExpr.One, (a, b) => a * b);
        return (footprint.Storage, footprint.Offset, dims, [.. strides.Select(s => ContractionLayout.IsZero(s) ? whole : s)]);
    }

    /// <summary>One spatial axis becomes two, the first of one element.</summary>
    private static IEnumerable<DimExpr> Widen(DimExpr[] values, DimExpr inserted) => values.Length == 3 ? [values[0], values[1], inserted, values[2]] : values;

    private static string Numbers(IReadOnlyList<long> values, long inserted) => string.Join(',', (values.Count == 1 ? [inserted, values[0]] : values).Select(v => v.ToString(CultureInfo.InvariantCulture)));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string? ActivationName(Activation activation) => activation switch
    {
        Activation.None => "", Activation.Relu => "relu", Activation.Sigmoid => "sigmoid", Activation.Tanh => "tanh", Activation.Silu => "silu", Activation.GeluErf => "gelu", Activation.GeluTanh => "gelu-tanh", _ => null,
    };

    private static string? TypeName(DataType type) => type switch { DataType.Float32 => "f32", DataType.Float16 => "f16", DataType.BFloat16 => "bf16", _ => null };
}
