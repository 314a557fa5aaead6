using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>One node as its lowering sees it, and what it makes of it.</summary>
internal sealed class NodeLowering(LoweringScope scope, Node node)
{
    public Node Node { get; } = node;

    public OperatorView View { get; } = scope.ViewOf(node);

    public LoweringScope Scope { get; } = scope;

    public int InputCount => Node.Inputs.Count;

    public bool Has(int input) => Node.Input(input) is not null;

    public LoweredValue Input(int index) => Scope.ValueOf(Node.Input(index)!);

    public LoweredValue? Optional(int index) => Node.Input(index) is { } value ? Scope.ValueOf(value) : null;

    /// <summary>A constant input's content; null when it is none.</summary>
    public TensorData? Constant(int index) => View.Constant(index);

    /// <summary>Elements of a small integer input as extents; null when one of them is not known before the run.</summary>
    public DimExpr[]? Extents(int index) => Node.Input(index) is { } value && Scope.ContentOf(value) is { } content && content.All(e => e is not null) ? [.. content.Select(e => e!)] : null;

    public bool Wants(int output) => Node.Output(output) is { HasUses: true };

    public DimExpr[] OutputShape(int output = 0) => LoweringScope.ShapeOf(Node.Output(output)!);

    public DataType OutputType(int output = 0) => Node.Output(output)!.Type!.DataType;

    /// <summary>A scratch value for an output.</summary>
    public LoweredValue Output(int output = 0)
    {
        Value value = Node.Output(output)!;
        if (_outputs.TryGetValue(output, out LoweredValue? known)) return known;
        LoweredValue made = Scope.Scratch(value.Name, OutputType(output), OutputShape(output), value.Origin.TensorNames.Count > 0 ? value.Origin.TensorNames : [value.Name]);
        Scope.Define(value, made);
        return _outputs[output] = made;
    }

    private readonly Dictionary<int, LoweredValue> _outputs = [];

    /// <summary>A value between the node's nests.</summary>
    public LoweredValue Scratch(string suffix, DataType type, IReadOnlyList<DimExpr> shape, bool keepsType = true)
    {
        LoweredValue made = Scope.Scratch($"{Node.Output()?.Name ?? Node.DisplayName}.{suffix}", type, shape);
        made.KeepsType = keepsType;
        return made;
    }

    /// <summary>One loop for each extent.</summary>
    public static Axis[] Space(IReadOnlyList<DimExpr> shape, string prefix = "i") => [.. shape.Select((extent, axis) => new Axis($"{prefix}{axis}", extent))];

    /// <summary>The element at an index of a broadcast result.</summary>
    public static Expr LoadBroadcast(LoweredValue source, IReadOnlyList<Expr> index, IReadOnlyList<DimExpr> shape)
    {
        Expr[] own = new Expr[source.Rank];
        int skipped = shape.Count - source.Rank;
        for (int axis = 0; axis < own.Length; axis++)
        {
            DimExpr extent = source.Shape[axis], wanted = shape[axis + skipped];
            own[axis] = extent is { IsConstant: true, Value: 1 } ? Ex.Zero : extent.Equals(wanted) || extent is { IsConstant: true } ? index[axis + skipped]
                // Equal or 1, which only the run tells.
                : Ex.Min(index[axis + skipped], Ex.Extent(extent - DimExpr.One));
        }
        return LoadAt(source, own);
    }

    /// <summary>A load; of a one-element constant, its content.</summary>
    public static Expr LoadAt(LoweredValue source, params IReadOnlyList<Expr> index)
    {
        if (source.Data is { ElementCount: 1 } data && source.Type.ScalarType() is var type)
        {
            if (type.IsFloat()) return Ex.Number(data.ToDouble()[0], type);
            if (source.Type is not (DataType.Int4 or DataType.UInt4 or DataType.UInt64)) return new ConstantExpr(data.ToInt64()[0], type);
        }
        return Ex.Load(source, index);
    }

    /// <summary>A nest that computes each element of a value from its index.</summary>
    public static LoopNest Map(LoweredValue target, Func<Expr[], Expr> compute)
    {
        Axis[] space = Space(target.Shape);
        return new LoopNest { Name = target.Name, Space = space, Result = Ex.AsStored(compute(Ex.Of(space)), target.Type), Target = target.View };
    }

    /// <summary>A nest that reduces for each element of a value.</summary>
    public static LoopNest Reduce(LoweredValue target, IReadOnlyList<Axis> reduced, Combiner combine, Func<Expr[], Expr> body, Func<Expr, Expr[], Expr>? result = null)
    {
        Axis[] space = Space(target.Shape);
        Expr[] index = Ex.Of(space);
        Expr value = body(index);
        Expr total = new ReducedExpr(combine is Combiner.FirstMaximum or Combiner.FirstMinimum or Combiner.LastMaximum or Combiner.LastMinimum ? ScalarType.Int64 : value.Type);
        return new LoopNest
        {
            Name = target.Name, Space = space, Reduced = reduced, Combine = combine, Body = value,
            Result = Ex.AsStored(result is null ? total : result(total, index), target.Type), Target = target.View,
        };
    }

    /// <summary>Adds what the node computes as one region.</summary>
    public Operation Emit(RegionKind kind, params IReadOnlyList<LoopNest> nests)
    {
        Operation operation = new() { Kind = kind, Operators = [Node.OpType], Nests = [.. nests], SourceNodes = Sources, Precision = Scope.Options.Precision?.Invoke(Sources) };
        Scope.Operations.Add(operation);
        return operation;
    }

    /// <summary>Output 0, element by element.</summary>
    public Operation EmitMap(Func<Expr[], Expr> compute) => Emit(RegionKind.Map, Map(Output(), compute));

    public IReadOnlyList<string> Sources => Node.SourceNodes.Count > 0 ? Node.SourceNodes : Node.Name.Length > 0 ? [Node.Name] : [];
}
