using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Changes a graph's inputs: what Set-GraphInput runs.</summary>
public static class InputChange
{
    public const string Command = "Set-GraphInput";

    public static OnnxGraph Set(OnnxGraph graph, InputChangeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        GraphEdit edit = new(graph);
        List<Value?> orphans = [];
        if (options.Action == InputAction.Add)
        {
            foreach (string name in options.Name) Add(edit, name, options, orphans);
        }
        else
        {
            foreach (Value input in Inputs(edit, options.Name))
            {
                if (options.Action == InputAction.Remove) Remove(edit, input, options.Value);
                else Declare(edit, input, options);
            }
        }
        if (options.Symbols.Count > 0) Substitute(edit, options.Symbols);
        if (!options.KeepUnused) Rewiring.RemoveUnused(orphans);
        HistoryText text = new HistoryText().Add("Name", options.Name).Add("Add", options.Action == InputAction.Add).Add("Remove", options.Action == InputAction.Remove).Add("DataType", options.DataType?.ToString())
            .Add("Shape", options.Shape).Add("Value", options.Value?.ToString()).Add("Symbol", options.Symbols.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key}={s.Value}")).Add("KeepUnused", options.KeepUnused);
        return edit.Finish(Command, text.ToString());
    }

    private static IReadOnlyList<Value> Inputs(GraphEdit edit, IReadOnlyList<string> names)
    {
        IReadOnlyList<Value> found = edit.Names.Tensors(names, among: v => v.IsGraphInput, kind: "input");
        foreach (Value value in found)
        {
            if (value.IsGraphInput && value.Graph == edit.Body) continue;
            string what = value.Graph != edit.Body ? $"it stands in a subgraph ('{GraphNode.ScopeOf(value.Graph)}')" : value.Data is not null ? "it is an initializer" : $"node '{value.Producer?.DisplayName}' computes it";
            throw new TrtToolsException(ErrorCode.InputNotFound, $"Input '{value.Name}'", what, $"Its inputs are {string.Join(", ", edit.Body.Inputs.Take(8).Select(i => $"'{i.Name}'"))}", "Correct the name, or use -Add to make it an input");
        }
        return found;
    }

    private static void Add(GraphEdit edit, string name, InputChangeOptions options, List<Value?> orphans)
    {
        SymbolicShape? shape = options.Shape is null ? null : ShapeText.Parse(options.Shape, $"-Shape of '{name}'");
        if (edit.Body.WithSubgraphs.All(g => g.Find(name) is null))
        {
            if (options.DataType is not { } given) throw new TrtToolsException(ErrorCode.OptionInvalid, $"Input '{name}'", "it is new, and its element type is not given", "An input needs an element type", "Add -DataType, and -Shape if it is known");
            edit.RequireFree(edit.Body, name);
            edit.Body.AddInput(name, new TensorType(given, shape));
            return;
        }
        Value value = edit.Names.MainTensor(name);
        if (value.IsGraphInput && value.Data is null) throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{name}'", "it is an input already", "A tensor that is none", "Leave out -Add to change its type or shape");
        TensorType? known = edit.Types().Of(value);
        DataType type = options.DataType ?? known?.DataType ?? throw new TrtToolsException(ErrorCode.ShapeUnknown, $"Tensor '{name}'", "nothing is known of its element type", "An input needs an element type", "Add -DataType");
        if (value.Producer is { } producer) orphans.AddRange(Rewiring.ReadBy(producer));
        (Node? old, int index) = (value.Producer, value.OutputIndex);
        edit.Body.MakeInput(value, new TensorType(type, shape ?? known?.Shape));
        if (old is not null) Rewiring.CloseGap(old, index, name, options.KeepUnused);
        edit.Touch(value);
    }

    private static void Declare(GraphEdit edit, Value input, InputChangeOptions options)
    {
        if (options.DataType is null && options.Shape is null) return;
        SymbolicShape? shape = options.Shape is null ? input.Type?.Shape : ShapeText.Parse(options.Shape, $"-Shape of '{input.Name}'");
        DataType type = options.DataType ?? input.Type?.DataType ?? throw new TrtToolsException(ErrorCode.OptionInvalid, $"Input '{input.Name}'", "the file says nothing of its element type", "An input needs an element type", "Add -DataType");
        TensorType declared = new(type, shape);
        if (input.Data is { } data && ShapeText.WhyNot(declared, TensorType.Of(data)) is { } why)
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"Input '{input.Name}'", $"it has a default content, and {why}", "A type that the content has", "Change the content with Set-GraphInitializer");
        }
        input.Type = declared;
        edit.Touch(input);
    }

    private static void Remove(GraphEdit edit, Value input, Tensor? value)
    {
        if (value is not null)
        {
            if (ShapeText.WhyNot(TensorType.Of(value.Content), input.Type) is not null)
            {
                throw new TrtToolsException(ErrorCode.InputInvalid, $"Input '{input.Name}'", $"the value is {value.Content}", $"The graph declares {input.Type}", "Give a value of that type and shape");
            }
            bool isOutput = edit.Body.Outputs.Contains(input);
            if (isOutput) throw new TrtToolsException(ErrorCode.ChangeRefused, $"Input '{input.Name}'", "the graph returns it", "Only an input that nodes alone read can go", "Take it off the outputs first (Set-GraphOutput -Remove)");
            edit.Body.MakeConstant(input, value.Content);
            edit.Touch(input);
            return;
        }
        if (input.Data is not null)
        {
            edit.Body.FixInputs([input]);
            return;
        }
        if (input.HasUses)
        {
            string reader = Rewiring.ReadersOf(input).FirstOrDefault() is { } first ? $"node '{first.DisplayName}' reads it" : "the graph returns it";
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"Input '{input.Name}'", reader, "Only an input that nothing reads can go without a value in its place", "Give -Value, or remove its readers first");
        }
        edit.Body.RemoveInput(input);
    }

    private static void Substitute(GraphEdit edit, IReadOnlyDictionary<string, string> symbols)
    {
        HashSet<string> known = new(edit.Body.Values.Where(v => v.Type?.Shape is not null).SelectMany(v => v.Type!.Shape!.Dimensions).Where(d => d is not null).SelectMany(d => d!.Symbols), StringComparer.Ordinal);
        Dictionary<string, DimExpr> map = new(StringComparer.Ordinal);
        foreach ((string symbol, string text) in symbols)
        {
            if (!known.Contains(symbol)) throw new TrtToolsException(ErrorCode.OptionInvalid, $"-Symbol '{symbol}'", $"no shape of '{edit.Model.Name}' has it", "", NameFinder.Nearest(symbol, known, "The graph's shapes have no symbols"));
            map[symbol] = ShapeText.Extent(text, $"-Symbol '{symbol}'") ?? throw new TrtToolsException(ErrorCode.OptionInvalid, $"-Symbol '{symbol}'", $"'{text}' is no name and no number", "Another name, or a number of 0 or more", "Give one");
        }
        foreach (Value value in edit.Body.WithSubgraphs.SelectMany(g => g.Values))
        {
            if (value.Type is not { Shape: { } shape } type || shape.IsStatic) continue;
            value.Type = type with { Shape = new SymbolicShape([.. shape.Dimensions.Select(d => d?.Substitute(s => map.GetValueOrDefault(s)))]) };
        }
        foreach (Value input in edit.Body.Inputs) edit.Touch(input);
    }
}
