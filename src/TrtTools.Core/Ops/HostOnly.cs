using TrtTools.Ir;
using TrtTools.Tensors;
using static TrtTools.Ops.ShapeRules;

namespace TrtTools.Ops;

/// <summary>Strings, sequences, optionals and images: operators that stay on the host.</summary>
internal static class HostOnly
{
    public static IReadOnlyList<OperatorDefinition> Operators { get; } =
    [
        new OperatorDefinition("SequenceAt", "11", ComputeForm.HostOnly, "2", "1"),
        new OperatorDefinition("SequenceConstruct", "11", ComputeForm.HostOnly, "1-*", "1"),
        new OperatorDefinition("SequenceEmpty", "11", ComputeForm.HostOnly, "0", "1", "dtype:int"),
        new OperatorDefinition("SequenceErase", "11", ComputeForm.HostOnly, "1-2", "1"),
        new OperatorDefinition("SequenceInsert", "11", ComputeForm.HostOnly, "2-3", "1"),
        new OperatorDefinition("SplitToSequence", "11 24", ComputeForm.HostOnly, "1-2", "1", "axis:int=0 keepdims:int=1"),
        new OperatorDefinition("Optional", "15", ComputeForm.HostOnly, "0-1", "1", "type:type"),
        new OperatorDefinition("OptionalGetElement", "15 18", ComputeForm.HostOnly, "1", "1"),
        new OperatorDefinition("ConcatFromSequence", "11", ComputeForm.HostOnly, "1", "1", "axis:int! new_axis:int=0").With(OperatorTraits.DataDependentOutput),
        new OperatorDefinition("SequenceLength", "11", ComputeForm.HostOnly, "1", "1").Shape(ScalarInt),
        new OperatorDefinition("OptionalHasElement", "15 18", ComputeForm.HostOnly, "1 18:0-1", "1").Shape(ScalarBool),
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
