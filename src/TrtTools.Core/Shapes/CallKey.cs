using System.Globalization;
using System.Text;
using TrtTools.Ir;
using TrtTools.Ops;

namespace TrtTools.Shapes;

/// <summary>What decides the types that a function call gives: calls with one key share one visit of the body.</summary>
internal sealed class CallKey
{
    private readonly Dictionary<object, int> _identities = new(ReferenceEqualityComparer.Instance);

    public string Of(Function function, IReadOnlyList<KnownValue> inputs, AttributeBindings bindings)
    {
        StringBuilder key = new();
        key.Append(function.Domain).Append("::").Append(function.Name).Append('\n').Append(function.Overload);
        foreach (KnownValue input in inputs)
        {
            key.Append('\n').Append(input.Type?.ToString() ?? "?");
            if (input.Content is { } content) key.Append('=').AppendJoin(',', content.Select(e => e?.ToString() ?? "?"));
        }
        foreach ((string name, object? content) in bindings.Contents.OrderBy(c => c.Name, StringComparer.Ordinal))
        {
            key.Append('\n').Append(name).Append('=').Append(Text(content));
        }
        return key.ToString();
    }

    private string Text(object? content) => content switch
    {
        null => "",
        long number => number.ToString(CultureInfo.InvariantCulture),
        float number => number.ToString("R", CultureInfo.InvariantCulture),
        byte[] text => Convert.ToHexString(text),
        long[] numbers => string.Join(',', numbers),
        float[] numbers => string.Join(',', numbers.Select(n => n.ToString("R", CultureInfo.InvariantCulture))),
        // Tensors and graphs: the same object is the same content.
        _ => "#" + Identity(content).ToString(CultureInfo.InvariantCulture),
    };

    private int Identity(object content)
    {
        if (!_identities.TryGetValue(content, out int identity)) _identities.Add(content, identity = _identities.Count);
        return identity;
    }
}
