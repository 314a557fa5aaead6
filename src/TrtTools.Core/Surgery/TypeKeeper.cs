using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Remembers the declared types of all values while inference writes over them, and puts them back where they still hold.</summary>
internal sealed class TypeKeeper
{
    private readonly OnnxGraph _model;
    private readonly List<(Value Value, TensorType? Type)> _saved = [];

    public TypeKeeper(OnnxGraph model)
    {
        _model = model;
        foreach (Graph body in Bodies(model))
        {
            foreach (Value value in body.Values) _saved.Add((value, value.Type));
        }
    }

    /// <summary>Puts the types back. What depends on a change keeps of its old type what inference does not contradict, and outputs of the model
    /// that had no type get one.</summary>
    public void Restore(IReadOnlySet<Value> changed)
    {
        foreach ((Value value, TensorType? old) in _saved)
        {
            if (value.Type is { DataType: not DataType.Undefined } inferred && (changed.Contains(value) || (old is null && value.IsGraphOutput && value.Graph == _model.Body)))
            {
                value.Type = old is not null ? Settle(old, inferred) : value.IsGraphOutput ? inferred : null;
            }
            else
            {
                value.Type = old;
            }
        }
    }

    private static TensorType Settle(TensorType old, TensorType inferred)
    {
        if (old.DataType != inferred.DataType || old.Shape is null || inferred.Shape is null || old.Shape.Rank != inferred.Shape.Rank)
        {
            return inferred.Shape is null && old.DataType == inferred.DataType ? old : inferred;
        }
        DimExpr?[] extents = new DimExpr?[old.Shape.Rank];
        for (int axis = 0; axis < extents.Length; axis++)
        {
            DimExpr? known = inferred.Shape[axis];
            extents[axis] = known is null || known.HasGeneratedSymbol ? old.Shape[axis] is { IsConstant: true } && known is not null ? known : old.Shape[axis] : known;
        }
        return new TensorType(old.DataType, new SymbolicShape(extents));
    }

    private static IEnumerable<Graph> Bodies(OnnxGraph model) => model.Body.WithSubgraphs.Concat(model.FunctionTable.Values.SelectMany(f => f.Body.WithSubgraphs));
}
