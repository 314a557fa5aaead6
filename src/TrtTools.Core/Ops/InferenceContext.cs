using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Ops;

/// <summary>What a shape rule sees of its node, and where it puts what it finds.</summary>
internal abstract class InferenceContext
{
    public abstract Node Node { get; }

    /// <summary>Attributes and constant inputs, whatever the opset and whether in a function's body or not.</summary>
    public abstract OperatorView View { get; }

    public long Opset => View.Opset;

    public int InputCount => Node.Inputs.Count;

    public int OutputCount => Node.Outputs.Count;

    /// <summary>Null when the input is absent or nothing is known of it.</summary>
    public abstract TensorType? Type(int input);

    public SymbolicShape? Shape(int input) => Type(input)?.Shape;

    public DataType ElementType(int input) => Type(input)?.DataType ?? DataType.Undefined;

    public bool Has(int input) => Node.Input(input) is not null;

    /// <summary>The elements of an integer or Boolean tensor of known shape, row-major; null in it where an element is unknown.</summary>
    public abstract DimExpr?[]? Content(int input);

    public abstract void SetType(int output, TensorType type);

    public void Set(int output, DataType elementType, SymbolicShape? shape)
    {
        if (output < OutputCount && Node.Outputs[output] is not null) SetType(output, new TensorType(elementType, shape));
    }

    public void Set(int output, DataType elementType, params DimExpr?[] dimensions) => Set(output, elementType, new SymbolicShape(dimensions));

    /// <summary>Gives an output's elements, if its shape is static and of that many elements.</summary>
    public abstract void SetContent(int output, DimExpr?[]? elements);

    /// <summary>The type that all elements of a sequence, or what an optional holds, has; null when nothing is known of it.</summary>
    public abstract TensorType? Held(int input);

    public abstract void SetHeld(int output, TensorType? type);

    /// <summary>Notes that the node can't run as the graph says; inference goes on.</summary>
    public abstract void Contradict(string message);

    /// <summary>A symbol for an extent that only the run tells.</summary>
    public abstract DimExpr RunTimeExtent(int output, int axis);

    /// <summary>Infers a subgraph for the given inputs; gives its outputs.</summary>
    public abstract IReadOnlyList<KnownValue> InferBody(Graph body, IReadOnlyList<KnownValue> inputs);
}

/// <summary>What is known of a value that crosses a subgraph's border.</summary>
internal sealed record KnownValue(TensorType? Type, DimExpr?[]? Content)
{
    public static KnownValue Nothing { get; } = new(null, null);
}
