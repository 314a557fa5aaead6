using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>What becomes of one initializer.</summary>
public sealed record InitializerChangeOptions
{
    public required string Name { get; init; }

    /// <summary>Numbers, texts, an array of any rank, or a tensor.</summary>
    public required object Value { get; init; }

    /// <summary>The element type; that of the old content when null.</summary>
    public DataType? DataType { get; init; }

    /// <summary>Adds an initializer of this name.</summary>
    public bool Add { get; init; }

    /// <summary>Only these nodes read the new content; others go on reading the old.</summary>
    public IReadOnlyList<string>? Consumers { get; init; }
}

/// <summary>Changes weights: what Set-GraphInitializer runs.</summary>
public static class InitializerChange
{
    public const string Command = "Set-GraphInitializer";

    public static OnnxGraph Set(OnnxGraph graph, InitializerChangeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        GraphEdit edit = new(graph);
        TensorData data;
        if (options.Add)
        {
            edit.RequireFree(edit.Body, options.Name);
            data = TensorValues.From(options.Name, options.Value, options.DataType).Content;
            edit.Body.AddInitializer(options.Name, data);
        }
        else
        {
            Value value = edit.Names.Tensor(options.Name);
            TensorData old = value.Data ?? (value.Producer is { } node && node.Is("Constant") ? ConstantContent.Of(node.Attributes.FirstOrDefault()) : null) ?? throw NoConstant(value);
            data = Convert(options, options.DataType ?? old.Type, old.Shape.ToArray());
            if (options.Consumers is { } consumers) Divert(edit, value, data, consumers);
            else Replace(edit, value, data);
        }
        HistoryText text = new HistoryText().Add("Name", options.Name).Add("Value", data.ToString()).Add("Add", options.Add).Add("Consumer", options.Consumers);
        return edit.Finish(Command, text.ToString());
    }

    private static void Replace(GraphEdit edit, Value value, TensorData data)
    {
        if (value.Producer is { } node)
        {
            foreach (Attribute attribute in node.Attributes.ToList()) node.Attributes.Remove(attribute.Name);
            node.Attributes.Set(Attribute.Tensor("value", data));
        }
        else
        {
            value.Graph.SetData(value, data);
        }
        edit.Touch(value);
    }

    private static void Divert(GraphEdit edit, Value value, TensorData data, IReadOnlyList<string> consumers)
    {
        HashSet<Node> chosen = [.. edit.Names.Nodes(consumers)];
        Value own = value.Graph.AddConstant($"{value.Name}_for_{chosen.First().DisplayName}", data);
        foreach (Node node in chosen)
        {
            Use[] uses = [.. value.Uses.Where(u => u.Node == node)];
            if (uses.Length == 0)
            {
                throw new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{node.DisplayName}'", $"it does not read '{value.Name}'", $"One of {string.Join(", ", value.Uses.Take(6).Select(u => $"'{u.Node.DisplayName}'"))}", "Correct -Consumer");
            }
            foreach (Use use in uses) node.SetInput(use.Index, own);
            edit.Touch(node);
        }
        Rewiring.RemoveUnused([value]);
    }

    /// <summary>The content in the old shape where it has as many elements and none of its own, else in the shape it comes in.</summary>
    private static TensorData Convert(InitializerChangeOptions options, DataType type, long[]? shape)
    {
        if (options.Value is Tensor tensor && tensor.DataType == type) return tensor.Content;
        try
        {
            if (shape is not null) return TensorConversion.From(options.Value, options.Name, type, shape).Content;
        }
        catch (TrtToolsException e) when (e.Code == ErrorCode.InputInvalid)
        {
            // Another shape may be meant: whether the readers take it is for the check to say.
        }
        return TensorConversion.From(options.Value, options.Name, type, null).Content;
    }

    private static TrtToolsException NoConstant(Value value) => new(ErrorCode.ChangeRefused, $"Tensor '{value.Name}'", value.IsGraphInput ? "it is an input of the graph" : $"node '{value.Producer?.DisplayName}' ({value.Producer?.OpType}) computes it",
        "An initializer, or what a Constant node gives", value.IsGraphInput ? "Set-GraphInput -Remove -Value makes an input a constant" : "Get-GraphInitializer lists them; -Add makes a new one");
}
