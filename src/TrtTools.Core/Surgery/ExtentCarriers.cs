using TrtTools.Ir;
using TrtTools.Ops;
using TrtTools.Shapes;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Surgery;

/// <summary>Finds the constants of a graph that hold an extent which is free now, and computes them from the shapes instead.</summary>
internal sealed class ExtentCarriers(GraphEdit edit, IReadOnlyDictionary<Value, TensorType> fixedTypes, IReadOnlyList<FreedExtent> freed)
{
    private readonly HashSet<string> _symbols = [.. freed.Select(f => f.Symbol)];

    public List<string> Rewritten { get; } = [];

    public int Count => Rewritten.Count;

    private Graph Body => edit.Body;

    public void Rewrite(CancellationToken stop)
    {
        ShapeResult shapes = ShapeInference.Infer(edit.Model);
        foreach (Node node in Body.Nodes)
        {
            stop.ThrowIfCancellationRequested();
            bool changed = node switch
            {
                _ when node.Is("Reshape") => Reshape(node),
                _ when node.Is("Expand") => Expand(node),
                _ when node.Is("Concat") => Concat(node),
                _ when node.Is("Resize") => Resize(node),
                _ when node.Is("Squeeze") => Squeeze(node),
                _ when node.OpType is "LSTM" or "GRU" or "RNN" && node.Domain.Length == 0 => Recurrent(node),
                _ => false,
            };
            if (!changed) continue;
            Rewritten.Add($"{node.OpType} '{node.DisplayName}'");
            foreach (Value value in Body.Values.Where(v => v.Producer is not null)) value.Type = null;
            shapes = ShapeInference.Infer(edit.Model);
        }
        if (shapes.Contradictions.Count > 0) throw Refused($"the shapes contradict each other then: {shapes.Contradictions[0].TrimEnd('.')}", "Change that node first (Set-GraphNode, Remove-GraphNode), or free other extents");
    }

    private bool Reshape(Node node)
    {
        if (Free(node.Inputs[0]) is not { } data || !IsSymbolic(data) || View(node).ReshapeTarget is null) return false;
        if (Fixed(node.Inputs[0]) is not { } from || Fixed(node.Outputs[0]) is not { } to) return false;
        DimExpr[] wanted = ReshapeExtents.Follow(from, data, to) ?? throw Refused($"'{node.DisplayName}' (Reshape) makes [{string.Join(',', to)}] of {Text(data)}, and where the free extent goes cannot be told", "Replace the node's target with one computed from the shape");
        if (Free(node.Outputs[0]) is { } now && now.SequenceEqual(wanted)) return false;
        int[] open = [.. Enumerable.Range(0, wanted.Length).Where(i => !wanted[i].IsConstant)];
        long[] target = [.. wanted.Select(w => w.IsConstant ? w.Value : -2)];
        bool allowZero = View(node).ZeroIsExtent;
        foreach (int i in open)
        {
            // 0 takes the source's extent at the same place; one -1 takes what is left.
            if (!allowZero && i < data.Length && wanted[i].Equals(data[i])) target[i] = 0;
        }
        if (target.Count(t => t == -2) <= 1 && !(allowZero && target.Contains(0)))
        {
            for (int i = 0; i < target.Length; i++) if (target[i] == -2) target[i] = -1;
            node.SetInput(1, Body.AddConstant($"{node.DisplayName}_shape", TensorData.Vector(target)));
            return true;
        }
        node.SetInput(1, Computed(wanted, node));
        return true;
    }

    private bool Expand(Node node)
    {
        if (Free(node.Inputs[0]) is not { } data || !IsSymbolic(data) || View(node).Integers(1) is not { } shape) return false;
        int shift = shape.Length - data.Length;
        bool changed = false;
        for (int i = 0; i < data.Length; i++)
        {
            if (data[i].IsConstant || i + shift < 0 || shape[i + shift] == 1) continue;
            // 1 keeps the source's extent.
            shape[i + shift] = 1;
            changed = true;
        }
        if (changed) node.SetInput(1, Body.AddConstant($"{node.DisplayName}_shape", TensorData.Vector(shape)));
        return changed;
    }

    private bool Concat(Node node)
    {
        DimExpr[]?[] shapes = [.. node.Inputs.Select(Free)];
        if (shapes.FirstOrDefault(s => s is not null && IsSymbolic(s)) is not { } leader) return false;
        int axis = (int)View(node).Axis;
        if (axis < 0) axis += leader.Length;
        bool changed = false;
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            if (shapes[i] is not { } shape || shape.Length != leader.Length) continue;
            DimExpr[] wanted = [.. shape];
            for (int d = 0; d < shape.Length; d++) if (d != axis && shape[d].IsConstant && !leader[d].IsConstant) wanted[d] = leader[d];
            if (wanted.SequenceEqual(shape)) continue;
            if (Enumerable.Range(0, shape.Length).Any(d => !wanted[d].Equals(shape[d]) && shape[d].Value != 1))
                throw Refused($"'{node.DisplayName}' (Concat) joins {Text(leader)} with a constant extent of {Text(shape)}", "Make that operand depend on the shape");
            node.SetInput(i, Expanded(node.Inputs[i]!, wanted, node));
            changed = true;
        }
        return changed;
    }

    private bool Resize(Node node)
    {
        OperatorView view = View(node);
        if (view.SizesInput is not { } input || view.Integers(input) is not { } sizes || Free(node.Inputs[0]) is not { } data || !IsSymbolic(data) || Fixed(node.Inputs[0]) is not { } from) return false;
        long[] axes = view.Ints("axes") ?? [.. Enumerable.Range(0, data.Length).Select(a => (long)a)];
        DimExpr[] wanted = new DimExpr[sizes.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            int axis = (int)(axes[i] < 0 ? axes[i] + data.Length : axes[i]);
            wanted[i] = data[axis].IsConstant ? sizes[i] : sizes[i] % Math.Max(from[axis], 1) == 0 ? data[axis] * (sizes[i] / Math.Max(from[axis], 1))
                : throw Refused($"'{node.DisplayName}' (Resize) makes {sizes[i]} of the free extent {axis}, which was {from[axis]}", "Give it scales instead of sizes");
        }
        if (wanted.All(w => w.IsConstant)) return false;
        node.SetInput(input, Computed(wanted, node));
        return true;
    }

    private bool Squeeze(Node node)
    {
        if (Free(node.Inputs[0]) is not { } data || !IsSymbolic(data) || Fixed(node.Inputs[0]) is not { } from) return false;
        OperatorView view = View(node);
        if (view.HasAxes)
        {
            if (view.Axes is { } axes && axes.Select(a => (int)(a < 0 ? a + data.Length : a)).FirstOrDefault(a => !data[a].IsConstant, -1) is >= 0 and int taken)
                throw Refused($"'{node.DisplayName}' (Squeeze) takes away extent {taken} of {Text(data)}", "A model that drops this extent computes one sample only");
            return false;
        }
        long[] ones = [.. Enumerable.Range(0, data.Length).Where(i => from[i] == 1 && data[i].IsConstant).Select(i => (long)i)];
        if (view.Opset >= 13) node.SetInput(1, Body.AddConstant($"{node.DisplayName}_axes", TensorData.Vector(ones)));
        else node.Attributes.Set(Attribute.Ints("axes", ones));
        return true;
    }

    /// <summary>Initial states that are constants have the old batch.</summary>
    private bool Recurrent(Node node)
    {
        if (Free(node.Inputs[0]) is not { } data || data.Length != 3) return false;
        DimExpr batch = View(node).Int("layout", 0) == 0 ? data[1] : data[0];
        if (batch.IsConstant) return false;
        bool changed = false;
        foreach (int input in new[] { 5, 6 })
        {
            if (node.Input(input) is not { } state || Free(state) is not { Length: 3 } shape) continue;
            int axis = View(node).Int("layout", 0) == 0 ? 1 : 0;
            if (!shape[axis].IsConstant || shape[axis].Value != 1) continue;
            DimExpr[] wanted = [.. shape];
            wanted[axis] = batch;
            node.SetInput(input, Expanded(state, wanted, node));
            changed = true;
        }
        return changed;
    }

    private Value Expanded(Value value, DimExpr[] wanted, Node reader)
    {
        Node expand = Body.AddNode("Expand", [value, Computed(wanted, reader)], [Body.FreshName($"{value.Name}_expanded")], "", reader);
        expand.Name = edit.FreshNodeName($"{value.Name}_expand");
        edit.Touch(expand);
        return expand.Outputs[0]!;
    }

    /// <summary>An Int64 vector of these extents: free ones are read from the shapes of the inputs they belong to.</summary>
    private Value Computed(IReadOnlyList<DimExpr> extents, Node reader)
    {
        List<Value> parts = [.. extents.Select(e => e.IsConstant ? Body.AddConstant("extent", TensorData.Vector(e.Value)) : Product(e, reader))];
        Node concat = Body.AddNode("Concat", [.. parts], [Body.FreshName($"{reader.DisplayName}_shape")], "", reader);
        concat.Attributes.Set(Attribute.Int("axis", 0));
        concat.Name = edit.FreshNodeName($"{reader.DisplayName}_shape");
        return concat.Outputs[0]!;
    }

    private Value Product(DimExpr extent, Node reader)
    {
        // A symbol times a number, or a product of symbols: what inference makes of freed extents in these places.
        string[] symbols = [.. extent.Symbols];
        DimExpr rest = extent;
        Value? product = null;
        foreach (string symbol in symbols)
        {
            rest = DimExpr.FloorDiv(rest, DimExpr.Symbol(symbol));
            product = product is null ? ExtentOf(symbol, reader) : Multiply(product, ExtentOf(symbol, reader), reader);
        }
        if (!rest.TryGetValue(out long factor)) throw Refused($"'{reader.DisplayName}' ({reader.OpType}) needs the extent {extent}, which is no product", "Free other extents");
        return factor == 1 ? product! : Multiply(product!, Body.AddConstant("extent", TensorData.Vector(factor)), reader);
    }

    private Value Multiply(Value a, Value b, Node reader) => Body.AddNode("Mul", [a, b], [Body.FreshName("extent")], "", reader).Outputs[0]!;

    private Value ExtentOf(string symbol, Node reader)
    {
        if (freed.FirstOrDefault(f => f.Symbol == symbol) is not { } source) throw Refused($"'{reader.DisplayName}' ({reader.OpType}) needs the extent {symbol}, which no input says", "Free other extents");
        Value input = Body.Find(source.Input)!;
        Node shape = Body.AddNode("Shape", [input], [Body.FreshName($"{input.Name}_shape")], "", reader);
        Node gather = Body.AddNode("Gather", [shape.Outputs[0], Body.AddConstant("axis", TensorData.Vector((long)source.Axis))], [Body.FreshName($"{input.Name}_{symbol}")], "", reader);
        return gather.Outputs[0]!;
    }

    private OperatorView View(Node node) => OperatorView.Of(edit.Model, node);

    private bool IsSymbolic(DimExpr[] shape) => shape.Any(d => d.Symbols.Any(_symbols.Contains));

    private static DimExpr[]? Free(Value? value)
    {
        SymbolicShape? shape = value?.Data is { } data ? SymbolicShape.Of(data.Shape) : value?.Type?.Shape;
        return shape is null || shape.Dimensions.Any(d => d is null) ? null : [.. shape.Dimensions.Select(d => d!)];
    }

    private long[]? Fixed(Value? value) => value is null ? null : value.Data?.Shape.ToArray() ?? fixedTypes.GetValueOrDefault(value)?.Shape?.ToStatic();

    private static string Text(DimExpr[] shape) => $"[{string.Join(',', shape.Select(s => s.ToString()))}]";

    private TrtToolsException Refused(string found, string next) => new(ErrorCode.ChangeRefused, $"{DynamicShapeConversion.Command} of '{edit.Model.Name}'", found, "Nothing was changed", next);
}
