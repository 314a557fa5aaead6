using CsCheck;
using TrtTools.Audit;
using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;
using IrAttribute = TrtTools.Ir.Attribute;

namespace TrtTools.Tests.Shapes;

/// <summary>Nodes that no exporter would write: inference, measurement and audit take them all.</summary>
public sealed class ShapeInferenceFuzzTests
{
    private static readonly long[] s_numbers = [0, 1, -1, 2, 3, -2, 5, 64, -5, 1000, int.MaxValue, int.MinValue, long.MaxValue, long.MinValue];

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static readonly Gen<long> s_number = Gen.OneOf(OneOf<long>(0, 1, -1, 2, 3), OneOf(s_numbers));

    private static readonly Gen<DimExpr?> s_extent = Gen.OneOf(
        OneOf<long>(0, 1, 2, 3, 4, 8).Select(v => (DimExpr?)v), OneOf("a", "b").Select(s => (DimExpr?)DimExpr.Symbol(s)), Gen.Const((DimExpr?)null), Gen.Const((DimExpr?)long.MaxValue));

    private static readonly Gen<DataType> s_type = OneOf(DataType.Float32, DataType.Int64, DataType.Int32, DataType.Bool, DataType.UInt8, DataType.String);

    private static readonly Gen<OperatorDefinition> s_operator = OneOf<OperatorDefinition>([.. OperatorCatalog.All.Where(d => !d.Is(OperatorTraits.HasSubgraph))]);

    // A value of any kind: an input of any type, or a constant of a few integers.
    private static readonly Gen<object> s_input = Gen.OneOf(
        Gen.Select(s_type, s_extent.List[0, 5], (t, d) => (object)new TensorType(t, new SymbolicShape([.. d]))),
        s_type.Select(t => (object)new TensorType(t, null)),
        s_number.Array[0, 5].Select(v => (object)TensorData.From<long>(v, v.Length)),
        s_number.Select(v => (object)TensorData.Scalar(v)),
        Gen.Double[-3, 3].Array[0, 5].Select(v => (object)TensorData.From<float>([.. v.Select(x => (float)x)], v.Length)));

    [Fact]
    public void Nothing_throws() => Gen.Select(s_operator, Gen.Int[1, 28], s_input.List[0, 6], Gen.Int[1, 4], s_number.Array[24], Gen.Bool.Array[24]).Sample((definition, opset, inputs, outputs, numbers, given) =>
    {
        Graph body = new("g");
        List<Value?> values = [];
        foreach (object input in inputs)
        {
            values.Add(input is TensorData data ? body.AddInitializer($"c{values.Count}", data) : body.AddInput($"x{values.Count}", (TensorType)input));
        }
        Node node = body.AddNode(definition.OpType, values, [.. Enumerable.Range(0, outputs).Select(i => $"y{i}")], definition.Domain);
        for (int i = 0; i < definition.Attributes.Count; i++)
        {
            if (given[i % given.Length] && Attribute(definition.Attributes[i], numbers, i) is { } attribute) node.Attributes.Set(attribute);
        }
        foreach (Value? output in node.Outputs) body.AddOutput(output!);
        using OnnxGraph graph = new(body, "fuzz", null, 8, [new("", opset), new(definition.Domain.Length == 0 ? "other" : definition.Domain, 1)]);
        GraphMeasurement.Measure(graph);
        foreach (SupportTarget target in Enum.GetValues<SupportTarget>()) OperatorAudit.Check(graph, target, true);
        return !ShapeInference.Infer(graph).Contradictions.Any(c => c.Contains(ShapeWalk.UnexpectedInputs, StringComparison.Ordinal));
    }, iter: 4_000, print: t => $"{t.Item1} opset {t.Item2}: {string.Join(", ", t.Item3)}; {string.Join(",", t.Item5)}; {string.Join(",", t.Item6)}");

    private static IrAttribute? Attribute(AttributeDefinition definition, long[] numbers, int at)
    {
        long number = numbers[at % numbers.Length];
        long[] several = [.. numbers.Skip(at % 12).Take((int)(Math.Abs(number % 5)))];
        return definition.Kind switch
        {
            AttributeKind.Int => IrAttribute.Int(definition.Name, number),
            AttributeKind.Ints => IrAttribute.Ints(definition.Name, several),
            AttributeKind.Float => IrAttribute.Float(definition.Name, number),
            AttributeKind.Floats => IrAttribute.Floats(definition.Name, [.. several.Select(n => (float)n)]),
            AttributeKind.String => IrAttribute.String(definition.Name, definition.Name == "equation" ? "...ij,jk->...ik" : number % 2 == 0 ? "SAME_UPPER" : definition.Default ?? ""),
            AttributeKind.Strings => IrAttribute.Strings(definition.Name, "a", "b"),
            AttributeKind.Tensor => IrAttribute.Tensor(definition.Name, TensorData.Scalar(number)),
            _ => null,
        };
    }
}
