using TrtTools.Tensors;

namespace TrtTools.Ir;

/// <summary>One nested expression, such as <c>Add(Mul(x, 0.5), Float32[1,3,1,1] [1, 2, 3])</c>.</summary>
/// <remarks><code>
/// term = name | "_" | number | tensor | "[" numbers "]" | [ domain "::" ] OpType [ attributes ] "(" terms ")" [ attributes ]
/// </code>
/// "_" is an absent input. A number or a list without a type takes the type of the inputs beside it; a list of whole numbers is Int64.</remarks>
internal abstract record GraphTextTerm
{
    public sealed record Name(string Text) : GraphTextTerm;

    public sealed record Absent : GraphTextTerm;

    /// <param name="Values">One number, or those of a list.</param>
    /// <param name="IsList">Written in brackets: a vector.</param>
    /// <param name="IsWhole">No point and no exponent in it.</param>
    public sealed record Numbers(IReadOnlyList<double> Values, bool IsList, bool IsWhole) : GraphTextTerm;

    public sealed record Literal(TensorData Data) : GraphTextTerm;

    public sealed record Call(string Domain, string OpType, IReadOnlyList<Attribute> Attributes, IReadOnlyList<GraphTextTerm> Inputs) : GraphTextTerm;

    /// <summary>Throws <see cref="FormatException"/> with line and column.</summary>
    public static GraphTextTerm Parse(string text) => new GraphTextParser(text).ParseWholeTerm();
}

internal sealed partial class GraphTextParser
{
    public GraphTextTerm ParseWholeTerm()
    {
        SkipEnds();
        GraphTextTerm term = ParseTerm();
        SkipEnds();
        return Next.Kind == GraphTextKind.End ? term : throw Error("the expression is over here, but there is more text");
    }

    private GraphTextTerm ParseTerm()
    {
        SkipEnds();
        GraphTextToken token = Next;
        if (token.IsWord("_"))
        {
            _at++;
            return new GraphTextTerm.Absent();
        }
        if (token.Kind is GraphTextKind.Int or GraphTextKind.Float) return new GraphTextTerm.Numbers([Number()], false, token.Kind == GraphTextKind.Int);
        if (token.Is("[")) return ParseNumbers();
        if (IsType(token) && !_tokens[_at + 1].Is("(")) return new GraphTextTerm.Literal(ParseTensor());
        string name = Name(), domain = "";
        if (Take("::")) (domain, name) = (name == "ai.onnx" ? "" : name, Name());
        List<Attribute> attributes = [];
        ParseAttributes(attributes);
        if (!Next.Is("("))
        {
            if (domain.Length > 0 || attributes.Count > 0) throw Error("'(' was expected: an operator's inputs stand in parentheses");
            return new GraphTextTerm.Name(name);
        }
        Expect("(");
        List<GraphTextTerm> inputs = [];
        SkipEnds();
        while (!Next.Is(")"))
        {
            inputs.Add(ParseTerm());
            SkipEnds();
            if (!Take(",")) break;
            SkipEnds();
        }
        Expect(")");
        ParseAttributes(attributes);
        return new GraphTextTerm.Call(domain, name, attributes, inputs);
    }

    private GraphTextTerm.Numbers ParseNumbers()
    {
        Expect("[");
        List<double> values = [];
        bool whole = true;
        while (!Next.Is("]"))
        {
            whole &= Next.Kind == GraphTextKind.Int;
            values.Add(Number());
            Take(",");
        }
        Expect("]");
        return new GraphTextTerm.Numbers(values, true, whole);
    }
}
