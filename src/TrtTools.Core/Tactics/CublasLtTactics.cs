using System.Globalization;
using TrtTools.Kernels;
using TrtTools.Launch;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Matrix products, and convolutions that are such, by cuBLASLt with what follows them in its epilogue.</summary>
/// <param name="library">Asks the library on the device; null where there is none: one tactic is offered then, whose algorithm the runtime asks for.</param>
internal sealed class CublasLtTactics(ILibraryAdapter? library, LibraryAnswers? answers = null) : ITacticSource
{
    /// <summary>Candidates that are asked for; a thorough build asks for more.</summary>
    private const int Candidates = 16, ThoroughCandidates = 32;

    // One question for all regions that differ in their weights alone.
    private readonly LibraryAnswers _answers = answers ?? new LibraryAnswers(null, "");

    public string Name => CublasLtAdapter.Library;

    public string Prefix => Name;

    public bool IsLibrary => true;

    public bool Takes(Region region, TacticContext context) => region.Facts is MatMulFacts or ConvolutionFacts && region.Nests.Count == 1 && Problem(region.Nests[0], context, out _) is null;

    public IEnumerable<Offer> Offers(Region region, TacticContext context)
    {
        if (region.Facts is not (MatMulFacts or ConvolutionFacts)) return [];
        if (region.Nests.Count != 1) return [Offer.Rejected(Name, $"it computes one product, the region has {region.Nests.Count} steps")];
        return Problem(region.Nests[0], context, out LibraryTacticLaunch? call) is { } problem ? [Offer.Rejected(Name, problem)]
            : LibraryOffers.Of(this, library, _answers, call!, context, context.Thorough ? ThoroughCandidates : Candidates, call!.Settings["compute"] == "tf32" ? "Tf32" : "", "algorithm for this product");
    }

    /// <summary>The call, or why there is none.</summary>
    private static string? Problem(LoopNest nest, TacticContext context, out LibraryTacticLaunch? call)
    {
        call = null;
        EpilogueMatch epilogue = EpilogueMatch.Of(nest);
        if (epilogue.Problem.Length > 0) return epilogue.Problem;
        if (epilogue.Activation is not (Activation.None or Activation.Relu or Activation.GeluTanh))
        {
            return epilogue.Activation == Activation.GeluErf ? "its GELU is the tanh form, the model's is the erf form" : $"it has no {epilogue.Activation} in its epilogue";
        }
        if (epilogue.AddedAfter.Count > 0) return "it adds before the activation, the region after it";
        if (epilogue.Factors.Count > 0) return "it does not multiply the result by a tensor";
        if (epilogue.Constant != 0) return "it does not add a number to the result";
        if (ContractionLayout.Of(nest, epilogue.Added, out string reason) is not { } layout) return reason;
        if (TypeName(layout.A.Storage.Type) is not { } a || TypeName(layout.B.Storage.Type) is not { } b || TypeName(layout.D.Storage.Type) is not { } d) return $"it does not multiply {layout.A.Storage.Type}";
        if (a != b) return $"its operands have two types, {layout.A.Storage.Type} and {layout.B.Storage.Type}";
        if (a != d && !(d == "f32" && a is "f16" or "bf16")) return $"it does not give {layout.D.Storage.Type} of {layout.A.Storage.Type}";
        // A vector along the rows of D is a bias, a matrix like D is C.
        ContractionLayout.Addend? bias = null, c = null;
        foreach (ContractionLayout.Addend other in layout.Others)
        {
            bool vector = ContractionLayout.IsZero(other.Column) && ContractionLayout.IsZero(other.Batch) && (ContractionLayout.IsOne(other.Row) || ContractionLayout.IsOne(layout.M));
            if (vector && bias is null && (!ContractionLayout.IsOne(layout.N) || !ContractionLayout.IsOne(layout.Batch) || other.Load.Storage.Kind == StorageKind.Weight)) bias = other;
            else if (c is null && (ContractionLayout.IsOne(other.Row) || ContractionLayout.IsOne(layout.M)) && (!ContractionLayout.IsZero(other.Column) || ContractionLayout.IsOne(layout.N)))
                c = other with { Column = ContractionLayout.IsOne(layout.N) ? layout.M : other.Column };
            else return ContractionLayout.IsZero(other.Row) ? "its bias runs along the other axis of the result" : "it adds one bias and one matrix like the result, at most";
            if (other.Load.Storage.Type != layout.D.Storage.Type) return $"it adds what has the result's type, not {other.Load.Storage.Type} to {layout.D.Storage.Type}";
        }
        List<PointerArgument> operands = [Pointer(layout.A, Access.Read), Pointer(layout.B, Access.Read), Pointer(layout.D, Access.Write)];
        List<string> functions = [];
        if (bias is { } vectorLoad)
        {
            operands.Add(new PointerArgument(vectorLoad.Load.Storage, vectorLoad.Load.Offset, Access.Read));
            functions.Add("bias");
        }
        if (c is { } matrix) operands.Add(new PointerArgument(matrix.Load.Storage, matrix.Load.Offset, Access.Read));
        if (epilogue.Activation == Activation.Relu) functions.Add("relu");
        if (epilogue.Activation == Activation.GeluTanh) functions.Add("gelu");
        string align = string.Join(',', new[] { (layout.A.Storage, layout.A.Offset), (layout.B.Storage, layout.B.Offset), c is { } added ? (added.Load.Storage, added.Load.Offset) : (layout.D.Storage, layout.D.Offset), (layout.D.Storage, layout.D.Offset) }
            .Select(p => LibraryWorkspace.Alignment(p.Item1, p.Item2).ToString(CultureInfo.InvariantCulture)));
        call = new LibraryTacticLaunch(CublasLtAdapter.Library, CublasLtAdapter.Operation)
        {
            Operands = operands,
            Extents = [layout.M, layout.N, layout.K, layout.A.Leading, layout.B.Leading, c?.Column ?? layout.D.Leading, layout.D.Leading, layout.Batch, layout.A.BatchStride, layout.B.BatchStride, c?.Batch ?? layout.D.BatchStride, layout.D.BatchStride],
            Settings = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["a"] = a, ["b"] = b, ["d"] = d, ["transpose"] = $"{(layout.A.Transposed ? 'T' : 'N')}{(layout.B.Transposed ? 'T' : 'N')}", ["compute"] = a == "f32" && context.Tf32 ? "tf32" : "f32",
                ["epilogue"] = string.Join(',', functions), ["beta"] = c is null ? "0" : "1", ["alpha"] = epilogue.Scale.ToString("R", CultureInfo.InvariantCulture), ["align"] = align,
            },
        };
        return Short(call, context, 3, layout.A.Transposed ? 2 : 0) ?? Short(call, context, 4, layout.B.Transposed ? 1 : 2) ?? Short(call, context, 6, 0);
    }

    /// <summary>A leading dimension below the rows that it separates.</summary>
    private static string? Short(LibraryTacticLaunch call, TacticContext context, int leading, int rows) =>
        context.Value(call.Extents[leading]) is { } ld && context.Value(call.Extents[rows]) is { } count && ld < count ? "rows of an operand overlap" : null;

    private static PointerArgument Pointer(MatrixOperand operand, Access access) => new(operand.Storage, operand.Offset, access);

    private static string? TypeName(DataType type) => type switch { DataType.Float32 => "f32", DataType.Float16 => "f16", DataType.BFloat16 => "bf16", _ => null };
}
