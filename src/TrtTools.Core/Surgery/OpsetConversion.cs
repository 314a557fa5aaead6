using System.Globalization;
using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Shapes;
using TrtTools.Surgery.Opsets;
using TrtTools.Tensors;

namespace TrtTools.Surgery;

/// <summary>Says a graph in another opset of ONNX: what ConvertTo-OnnxOpset runs.</summary>
public static class OpsetConversion
{
    public const string Command = "ConvertTo-OnnxOpset";
    public const int Least = 7, Greatest = 25;

    public static OnnxGraph Convert(OnnxGraph graph, int opset, Report report, CancellationToken stop) => Convert(graph, opset, report, null, stop);

    /// <param name="applied">Gets the adapters that changed a node.</param>
    internal static OnnxGraph Convert(OnnxGraph graph, int opset, Report report, ISet<OpsetAdapter>? applied, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(report);
        long from = graph.OnnxOpset;
        if (opset is < Least or > Greatest) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Opset", string.Create(CultureInfo.InvariantCulture, $"it is {opset}"), $"{Least} to {Greatest}", "Give one of these");
        if (from < Least) throw new TrtToolsException(ErrorCode.ChangeRefused, graph.Name, string.Create(CultureInfo.InvariantCulture, $"its opset is {from}"), $"{Least} or later: what came before broadcast by other rules", "Export the model again with a newer opset");
        GraphEdit edit = new(graph);
        int calls = FunctionInliner.Inline(edit.Model, static _ => true);
        if (calls > 0) report.Verbose(FormattableString.Invariant($"{graph.Name}: {calls} calls of functions were expanded, since their bodies are written for one opset"));
        ShapeWalk walk = new(edit.Model, null);
        walk.Run();
        HashSet<Value> idle = [.. edit.Body.WithSubgraphs.SelectMany(g => g.Values).Where(v => !v.HasUses)];
        OpsetConverter converter = new(edit.Model, walk.TypeOf, v => Content(walk, v), edit.Touch);
        converter.To(opset, stop);
        applied?.UnionWith(converter.Applied);
        converter.SettleIrVersion(lower: opset < from);
        RemoveUnread(edit.Model, idle);
        return edit.Finish(Command, string.Create(CultureInfo.InvariantCulture, $"-Opset {opset} (was {from})"));
    }

    /// <summary>Whole numbers that follow from constants and known extents.</summary>
    private static TensorData? Content(ShapeWalk walk, Value value) =>
        walk.TypeOf(value) is { DataType: DataType.Int64 or DataType.Int32, Shape.Rank: <= 1 and var rank } && walk.ContentOf(value) is { } elements && elements.All(e => e is { IsConstant: true })
            ? TensorData.From<long>([.. elements.Select(e => e!.Value)], rank == 0 ? [] : [elements.Length]) : null;

    /// <summary>Constants that became attributes; what nothing read before stays.</summary>
    private static void RemoveUnread(OnnxGraph model, HashSet<Value> idle)
    {
        foreach (Graph body in model.Body.WithSubgraphs.ToList())
        {
            foreach (Value value in body.Values.Where(v => !v.HasUses && !idle.Contains(v)).ToList())
            {
                if (value.Producer is { } producer && producer.Is("Constant")) body.Remove(producer);
                else if (value.Data is not null && !value.IsGraphInput) body.RemoveInitializer(value);
            }
        }
    }
}
