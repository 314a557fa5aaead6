using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TrtTools.Tensors;

namespace TrtTools.Lowering;

/// <summary>A program as text: equal programs have equal texts. Storages are numbered as they appear and weights shown by their content, so names that passes make up do not matter.</summary>
internal sealed class ProgramText
{
    private readonly Dictionary<Storage, string> _names = [];
    private readonly StringBuilder _text = new();
    private int _scratch, _weights;

    /// <summary>All of it.</summary>
    public static string Of(LoweredProgram program)
    {
        ProgramText writer = new();
        foreach (TensorView input in program.Inputs) writer.Line($"input {writer.View(input)}");
        foreach (SymbolSource symbol in program.Symbols) writer.Line($"symbol {symbol.Name} = {writer.Name(symbol.Storage)} axis {symbol.Axis}");
        foreach (LoweredStep step in program.Steps) writer.Step(step, isDetailed: true);
        foreach (TensorView output in program.Outputs) writer.Line($"output {writer.View(output)}");
        return writer._text.ToString();
    }

    /// <summary>A line for each step: what it is, and what it writes.</summary>
    public static string Outline(LoweredProgram program)
    {
        ProgramText writer = new();
        foreach (LoweredStep step in program.Steps) writer.Step(step, isDetailed: false);
        return writer._text.ToString();
    }

    private void Line(string line) => _text.Append(line).Append('\n');

    private void Step(LoweredStep step, bool isDetailed)
    {
        if (step is HostGraphStep host)
        {
            Line($"host {string.Join(" + ", host.Graph.Body.Nodes.Select(n => n.OpType))}: {string.Join(", ", host.Inputs.Select(View))} -> {string.Join(", ", host.Outputs.Select(View))}");
            return;
        }
        Region region = ((RegionStep)step).Region;
        string nests = region.Nests.Count == 1 ? "" : $" ({region.Nests.Count} nests)";
        Line($"{region.Kind}{nests} {region.Operators} -> {View(region.Nests[^1].Target)}");
        if (!isDetailed) return;
        if (region.Facts is { } facts) Line($"  facts {Facts(facts)}");
        foreach (LoopNest nest in region.Nests) Nest(nest);
    }

    private string Facts(object facts) => facts switch
    {
        ConvolutionFacts f => $"convolution of {View(f.Input)} by {View(f.Weight)}, strides {List(f.Strides)}, pads {List(f.PadsBegin)} {List(f.PadsEnd)}, dilations {List(f.Dilations)}, group {f.Group}",
        MatMulFacts f => $"product of {View(f.A)} and {View(f.B)}",
        RowFacts f => $"{f.Function} of {View(f.Input)} from axis {f.FirstRowAxis}",
        AttentionFacts f => string.Create(CultureInfo.InvariantCulture, $"attention of {View(f.Query)}, {View(f.Key)}, {View(f.Value)}, mask {(f.Mask is null ? "none" : View(f.Mask))}, scale {f.Scale:R}{(f.Causal ? ", causal" : "")}"),
        _ => facts.ToString()!,
    };

    private static string List(IEnumerable<long> values) => $"[{string.Join(',', values)}]";

    private void Nest(LoopNest nest)
    {
        Dictionary<Axis, string> axes = [];
        foreach (Axis axis in nest.Space) axes[axis] = $"i{axes.Count}";
        foreach (Axis axis in nest.Reduced) axes[axis] = $"r{axes.Count - nest.Space.Count}";
        string Loops(IEnumerable<Axis> list) => string.Join(", ", list.Select(a => $"{axes[a]}<{a.Extent}"));
        Line($"  for {Loops(nest.Space)}:");
        Dictionary<Expr, string> shared = new(ReferenceEqualityComparer.Instance);
        if (nest.Body is not null) Line($"    r = {nest.Combine} over {Loops(nest.Reduced)} of {Text(nest.Body, axes, shared)}");
        string place = nest.Place is null ? string.Join(", ", nest.Space.Select(a => axes[a])) : string.Join(", ", nest.Place.Select(p => Text(p, axes, shared)));
        Line($"    {View(nest.Target)} [{place}] {(nest.ScatterCombine is { } combine ? combine + "= " : "= ")}{Text(nest.Result, axes, shared)}");
    }

    private string Text(Expr expr, Dictionary<Axis, string> axes, Dictionary<Expr, string> shared)
    {
        string At(int i) => Text(expr.Operands[i], axes, shared);
        if (shared.TryGetValue(expr, out string? known)) return known;
        if (expr is CallExpr { Operands.Count: > 0 } or SelectExpr && expr.Type.IsFloat())
        {
            // A part that stands twice is written once.
            string full = Compute(expr);
            string text = $"t{shared.Count}";
            shared[expr] = text;
            return $"{text}:{full}";
        }
        return Compute(expr);

        string Compute(Expr e) => e switch
        {
            ConstantExpr constant => constant.Type.IsFloat() ? constant.Number.ToString("R", CultureInfo.InvariantCulture) : constant.Integer.ToString(CultureInfo.InvariantCulture),
            AxisExpr axis => axes[axis.Axis],
            ExtentExpr extent => $"{{{extent.Extent}}}",
            LoadExpr load => $"{Name(load.Source.Storage)}{Where(load.Source)}[{string.Join(", ", load.Index.Select(i => Text(i, axes, shared)))}]",
            SelectExpr => $"({At(0)} ? {At(1)} : {At(2)})",
            ConvertExpr convert => $"{convert.Target}{(convert.Saturates ? "!" : "")}({At(0)})",
            CallExpr call => $"{call.Function.Name}({string.Join(", ", call.Operands.Select((_, i) => At(i)))})",
            _ => "r",
        };
    }

    private string View(TensorView view) => $"{Name(view.Storage)}: {view.Type}[{string.Join(',', view.Shape)}]{Where(view)}";

    // Nothing for a dense tensor.
    private static string Where(TensorView view) => Views.IsDense(view) ? "" : $"({string.Join(',', view.Strides)}){(view.Offset is { IsConstant: true, Value: 0 } ? "" : $"+{view.Offset}")}";

    private string Name(Storage storage)
    {
        if (_names.TryGetValue(storage, out string? name)) return name;
        name = storage.Kind switch
        {
            StorageKind.Scratch => $"s{_scratch++}",
            StorageKind.Weight => $"w{_weights++}#{Digest(storage.Data!)}",
            _ => $"'{storage.Name}'",
        };
        return _names[storage] = name;
    }

    private static string Digest(TensorData data)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long at = 0; at < data.ByteCount; at += 1 << 24) hash.AppendData(data.Slice(at, (int)Math.Min(1 << 24, data.ByteCount - at)));
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..8];
    }
}
