using TrtTools.Ir;

namespace TrtTools.Surgery;

/// <summary>One change of a graph under way: a copy to work on, and what must hold before anybody gets it.</summary>
internal sealed class GraphEdit
{
    private readonly OnnxGraph _source;
    private readonly HashSet<Value> _touched = [];
    private HashSet<string>? _nodeNames;

    public GraphEdit(OnnxGraph source)
    {
        ArgumentNullException.ThrowIfNull(source);
        _source = source;
        Model = source.Copy();
        Names = new NameFinder(Model);
    }

    public OnnxGraph Model { get; }

    public Graph Body => Model.Body;

    public NameFinder Names { get; }

    /// <summary>The value's type may be another from now on, and so may those of what is computed from it.</summary>
    public void Touch(Value? value)
    {
        if (value is not null) _touched.Add(value);
    }

    public void Touch(Node node)
    {
        foreach (Value? output in node.Outputs) Touch(output);
    }

    /// <summary>Types as they are now, inferred where the file says nothing. The model's own types stay.</summary>
    public InferredTypes Types() => new InferredTypes(Model).Now();

    /// <summary>The inferred types of all values at once.</summary>
    public IReadOnlyDictionary<Value, TensorType> InferredTypes()
    {
        InferredTypes types = Types();
        Dictionary<Value, TensorType> all = [];
        foreach (Value value in Body.WithSubgraphs.SelectMany(g => g.Values))
        {
            if (types.Inferred(value) is { } type) all[value] = type;
        }
        return all;
    }

    /// <summary>A name that no node has.</summary>
    public string FreshNodeName(string wanted)
    {
        HashSet<string> taken = NodeNames();
        string name = wanted;
        for (int i = 2; !taken.Add(name); i++) name = $"{wanted}_{i}";
        return name;
    }

    /// <summary>The name a user asks for; an error when a node has it.</summary>
    public string NewNodeName(string wanted)
    {
        if (!NodeNames().Add(wanted))
        {
            throw new TrtToolsException(ErrorCode.ChangeRefused, $"Node '{wanted}'", "a node of this name is there already", "Each node has a name of its own", "Give another -Name");
        }
        return wanted;
    }

    /// <summary>Refuses a tensor name that something visible from the body, or a body below it, has.</summary>
    public void RequireFree(Graph body, string name)
    {
        if (name.Length == 0) throw new TrtToolsException(ErrorCode.OptionInvalid, "A tensor's name", "it is empty", "A name", "An empty name stands for an absent input only");
        if (string.Equals(body.FreshName(name), name, StringComparison.Ordinal)) return;
        throw new TrtToolsException(ErrorCode.ChangeRefused, $"Tensor '{name}'", "a tensor of this name is there already", "Each tensor has a name of its own, those of subgraphs included", "Give another name");
    }

    /// <summary>The changed graph, when it is one that a runtime would take at least as well as the one before.</summary>
    /// <exception cref="TrtToolsException">ChangeRefused.</exception>
    /// <param name="other">A second graph that went into this one.</param>
    public OnnxGraph Finish(string command, string parameters, OnnxGraph? other = null)
    {
        foreach (Graph body in Model.Body.WithSubgraphs.ToList()) NodeSorter.Sort(body, command);
        RaiseIrVersion(Model);
        EditCheck.Run(_source, Model, _touched, command, other);
        return Model.WithHistory(command, parameters);
    }

    /// <summary>An old file format does not know initializers that are no inputs, or functions: with them the model is of a later one.</summary>
    internal static void RaiseIrVersion(OnnxGraph model)
    {
        if (model.IrVersion is > 0 and < 4 && model.Body.Initializers.Any(v => !v.IsGraphInput)) model.IrVersion = 4;
        if (model.IrVersion is > 0 and < 8 && model.FunctionTable.Count > 0) model.IrVersion = 8;
    }

    /// <summary>The changed graph, where a change cannot have broken anything.</summary>
    public OnnxGraph FinishUnchecked(string command, string parameters) => Model.WithHistory(command, parameters);

    private HashSet<string> NodeNames() => _nodeNames ??= new HashSet<string>(Model.Body.NodesWithSubgraphs.Select(n => n.Name), StringComparer.Ordinal);
}
