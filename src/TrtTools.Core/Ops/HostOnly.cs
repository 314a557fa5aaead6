using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Strings and images: operators that stay on the host.</summary>
internal static class HostOnly
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("StringConcat", "20", ComputeForm.HostOnly, "2", "1").Of(ElementClass.String).Shape(StringConcat),
        new OperatorDefinition("StringNormalizer", "10", ComputeForm.HostOnly, "1", "1", "case_change_action:string=NONE is_case_sensitive:int=0 locale:string stopwords:strings")
            .With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("StringSplit", "20", ComputeForm.HostOnly, "1", "2", "delimiter:string maxsplit:int").Of(ElementClass.String).With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("RegexFullMatch", "20", ComputeForm.HostOnly, "1", "1", "pattern:string").Of(ElementClass.String).Shape(SameBool),
        new OperatorDefinition("TfIdfVectorizer", "9", ComputeForm.HostOnly, "1", "1",
            "max_gram_length:int! max_skip_count:int! min_gram_length:int! mode:string! ngram_counts:ints! ngram_indexes:ints! pool_int64s:ints pool_strings:strings "
            + "weights:floats"),
        new OperatorDefinition("ImageDecoder", "20", ComputeForm.HostOnly, "1", "1", "pixel_format:string=RGB").Of(ElementClass.Integer).With(OperatorTraits.DataDependentOutput),
    ];

    private static void StringConcat(InferenceContext context) => context.Set(0, DataType.String, BroadcastInputs(context));
}
