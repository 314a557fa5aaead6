using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Changes a graph's outputs: what Set-GraphOutput runs.</summary>
public static class OutputChange
{
    public const string Command = "Set-GraphOutput";

    public static OnnxGraph Set(OnnxGraph graph, OutputChangeOptions options, Report report)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(report);
        GraphEdit edit = new(graph);
        HashSet<Value> before = [.. edit.Body.Outputs];
        switch (options.Action)
        {
            case OutputAction.Add:
                foreach (Value value in edit.Names.Tensors(options.Name)) Add(edit, value);
                break;
            case OutputAction.Only:
                IReadOnlyList<Value> only = edit.Names.Tensors(options.Name);
                for (int i = edit.Body.Outputs.Count - 1; i >= 0; i--) edit.Body.RemoveOutput(i);
                foreach (Value value in only) Add(edit, value);
                break;
            case OutputAction.All:
                AddAll(edit, options.Name, report);
                break;
            case OutputAction.Remove:
                HashSet<Value> gone = [.. Outputs(edit, options.Name)];
                for (int i = edit.Body.Outputs.Count - 1; i >= 0; i--)
                {
                    if (gone.Contains(edit.Body.Outputs[i])) edit.Body.RemoveOutput(i);
                }
                break;
        }
        if (edit.Body.Outputs.Count == 0) throw new TrtToolsException(ErrorCode.ChangeRefused, $"{Command} of '{graph.Name}'", "no output would be left", "A graph has one at least", "Add another output first, or use -Only");
        if (options.DataType is not null || options.Shape is not null) Declare(edit, options.Action is OutputAction.Declare ? Outputs(edit, options.Name) : edit.Names.Tensors(options.Name), options);
        if (!options.KeepUnused) Rewiring.RemoveUnused(before.Where(v => !v.IsGraphOutput));
        HistoryText text = new HistoryText().Add("Name", options.Name).Add(options.Action.ToString(), options.Action != OutputAction.Declare).Add("DataType", options.DataType?.ToString()).Add("Shape", options.Shape).Add("KeepUnused", options.KeepUnused);
        return edit.Finish(Command, text.ToString());
    }

    private static IReadOnlyList<Value> Outputs(GraphEdit edit, IReadOnlyList<string> names)
    {
        HashSet<Value> outputs = [.. edit.Body.Outputs];
        IReadOnlyList<Value> found = edit.Names.Tensors(names, among: outputs.Contains, kind: "output");
        foreach (Value value in found)
        {
            if (outputs.Contains(value)) continue;
            throw new TrtToolsException(ErrorCode.TensorNotFound, $"Output '{value.Name}'", "the graph does not return it", $"Its outputs are {string.Join(", ", edit.Body.Outputs.Take(8).Select(o => $"'{o.Name}'"))}", "Correct the name, or use -Add to make it an output");
        }
        return found;
    }

    private static void Add(GraphEdit edit, Value value)
    {
        if (value.Graph != edit.Body) _ = edit.Names.MainTensor(value.Name);
        if (edit.Body.Outputs.Contains(value)) return;
        if (value.IsConstant)
        {
            // Not every runtime takes an initializer among the outputs, so a node carries it under its name.
            string name = value.Name;
            edit.Body.Rename(value, edit.Body.FreshName($"{name}_constant"));
            Node identity = edit.Body.AddNode("Identity", [value], [name], before: edit.Body.First);
            identity.Name = edit.FreshNodeName($"{name}_identity");
            identity.Outputs[0]!.Type = value.Type;
            value = identity.Outputs[0]!;
        }
        edit.Body.AddOutput(value);
    }

    private static void AddAll(GraphEdit edit, IReadOnlyList<string> except, Report report)
    {
        InferredTypes types = edit.Types();
        HashSet<Value> outputs = [.. edit.Body.Outputs];
        HashSet<Value> left = [.. edit.Names.Tensors(except)];
        int untyped = 0;
        foreach (Value value in edit.Body.Values.Where(v => v.Producer is not null).ToList())
        {
            if (outputs.Contains(value) || left.Contains(value)) continue;
            if (types.Of(value) is null)
            {
                untyped++;
                continue;
            }
            edit.Body.AddOutput(value);
        }
        if (untyped > 0) report.Verbose(FormattableString.Invariant($"{edit.Model.Name}: {untyped} tensors of unknown type were left as they are"));
    }

    private static void Declare(GraphEdit edit, IReadOnlyList<Value> values, OutputChangeOptions options)
    {
        InferredTypes types = edit.Types();
        foreach (Value value in values)
        {
            TensorType? known = types.Of(value);
            DataType type = options.DataType ?? known?.DataType ?? value.Type?.DataType ?? throw new TrtToolsException(ErrorCode.OptionInvalid, $"Output '{value.Name}'", "nothing is known of its element type", "An output needs an element type", "Add -DataType");
            TensorType declared = new(type, options.Shape is null ? value.Type?.Shape ?? known?.Shape : ShapeText.Parse(options.Shape, $"-Shape of '{value.Name}'"));
            if (ShapeText.WhyNot(declared, Computed(edit, value)) is { } why)
            {
                throw new TrtToolsException(ErrorCode.ChangeRefused, $"Output '{value.Name}'", $"{why}, and a declaration does not change what is computed", $"{declared} was given, which does not agree", "Insert a Cast or Reshape before it (Add-GraphNode -InsertAfter)");
            }
            value.Type = declared;
        }
    }

    /// <summary>What inference finds when the declaration is not asked.</summary>
    private static TensorType? Computed(GraphEdit edit, Value value)
    {
        if (value.Producer is null) return value.Type;
        TensorType? declared = value.Type;
        value.Type = null;
        TensorType? found = edit.Types().Of(value);
        value.Type = declared;
        return found;
    }
}
