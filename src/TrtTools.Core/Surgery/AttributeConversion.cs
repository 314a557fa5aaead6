using System.Collections;
using System.Globalization;
using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>Makes attributes of .NET values.</summary>
internal static class AttributeConversion
{
    /// <param name="kind">What the operator takes; Undefined to go by the value.</param>
    public static Attribute From(string name, object value, AttributeKind kind, string node)
    {
        object bare = TensorConversion.Unwrap(value);
        if (kind is AttributeKind.Undefined or AttributeKind.SparseTensor or AttributeKind.SparseTensors or AttributeKind.Type or AttributeKind.Types) kind = KindOf(bare);
        try
        {
            return kind switch
            {
                AttributeKind.Float => Attribute.Float(name, Float(bare)),
                AttributeKind.Int => Attribute.Int(name, Whole(bare)),
                AttributeKind.String => Attribute.String(name, (string)bare),
                AttributeKind.Floats => Attribute.Floats(name, [.. Items(bare).Select(Float)]),
                AttributeKind.Ints => Attribute.Ints(name, [.. Items(bare).Select(Whole)]),
                AttributeKind.Strings => Attribute.Strings(name, [.. Items(bare).Select(i => (string)i)]),
                AttributeKind.Tensor => Attribute.Tensor(name, AsTensor(name, bare)),
                AttributeKind.Graph => Attribute.Subgraph(name, Body(name, bare)),
                AttributeKind.Graphs => new Attribute(name, AttributeKind.Graphs, Items(bare).Select(g => Body(name, g)).ToArray()),
                _ => throw new InvalidCastException(),
            };
        }
        catch (Exception e) when (e is InvalidCastException or FormatException or OverflowException)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, $"Attribute '{name}' of node '{node}'", $"a {bare.GetType().Name} was given{(bare is string or IConvertible ? $" ('{Convert.ToString(bare, CultureInfo.InvariantCulture)}')" : "")}",
                $"The operator takes {Describe(kind)}", "Give a value of that kind", e);
        }
    }

    /// <summary>An attribute with its numbers as the operator takes them, where they were written otherwise: 1 for 1.0.</summary>
    public static Attribute Fit(Attribute attribute, AttributeKind kind) => (attribute.Content, kind) switch
    {
        (long number, AttributeKind.Float) => Attribute.Float(attribute.Name, number),
        (long[] numbers, AttributeKind.Floats) => Attribute.Floats(attribute.Name, [.. numbers.Select(n => (float)n)]),
        (long number, AttributeKind.Ints) => Attribute.Ints(attribute.Name, number),
        (long number, AttributeKind.Floats) => Attribute.Floats(attribute.Name, number),
        (float number, AttributeKind.Floats) => Attribute.Floats(attribute.Name, number),
        _ => attribute,
    };

    private static AttributeKind KindOf(object value) => value switch
    {
        float or double or Half or decimal => AttributeKind.Float,
        string => AttributeKind.String,
        Tensor => AttributeKind.Tensor,
        OnnxGraph => AttributeKind.Graph,
        IEnumerable many => Items(many).ToArray() switch
        {
            [] => AttributeKind.Ints,
            var items when items.Any(i => i is string) => AttributeKind.Strings,
            var items when items.Any(i => i is float or double or Half or decimal) => AttributeKind.Floats,
            var items when items.Any(i => i is OnnxGraph) => AttributeKind.Graphs,
            _ => AttributeKind.Ints,
        },
        _ => AttributeKind.Int,
    };

    private static string Describe(AttributeKind kind) => kind switch
    {
        AttributeKind.Float => "a number", AttributeKind.Int => "a whole number", AttributeKind.String => "a text", AttributeKind.Floats => "numbers", AttributeKind.Ints => "whole numbers",
        AttributeKind.Strings => "texts", AttributeKind.Tensor => "a tensor", AttributeKind.Graph => "a graph", _ => kind.ToString(),
    };

    private static IEnumerable<object> Items(object value) => value is IEnumerable many and not string ? many.Cast<object>().Select(i => TensorConversion.Unwrap(i)) : [value];

    private static float Float(object value) => value is string or bool ? throw new InvalidCastException() : value is Half half ? (float)half : Convert.ToSingle(value, CultureInfo.InvariantCulture);

    private static long Whole(object value)
    {
        switch (value)
        {
            case bool flag: return flag ? 1 : 0;
            case string: throw new InvalidCastException();
            case DataType type: return (long)type;
            case float or double or decimal:
                double number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
                return number == Math.Floor(number) ? checked((long)number) : throw new InvalidCastException();
            default: return Convert.ToInt64(value, CultureInfo.InvariantCulture);
        }
    }

    private static TensorData AsTensor(string name, object value)
    {
        if (value is Tensor tensor) return tensor.Content;
        object[] items = [.. Items(value)];
        DataType type = items.Any(i => i is string) ? DataType.String : items.Any(i => i is float or double or decimal) ? DataType.Float32 : items.Any(i => i is bool) ? DataType.Bool : DataType.Int64;
        return TensorConversion.From(value, name, type, null).Content;
    }

    private static Graph Body(string name, object value)
    {
        if (value is not OnnxGraph graph) throw new InvalidCastException();
        Graph body = GraphCopier.Copy(graph.Body);
        body.Name = name;
        return body;
    }
}
