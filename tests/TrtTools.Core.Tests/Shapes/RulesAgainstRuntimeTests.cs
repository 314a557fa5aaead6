using System.Reflection;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Shapes;

/// <summary>The table of <see cref="ShapeInferenceTests.Gives"/> once more: ONNX Runtime must give the same types and shapes.</summary>
public sealed class RulesAgainstRuntimeTests
{
    public static TheoryData<string> Rows
    {
        get
        {
            TheoryData<string> rows = [];
            foreach (InlineDataAttribute row in typeof(ShapeInferenceTests).GetMethod(nameof(ShapeInferenceTests.Gives))!.GetCustomAttributes<InlineDataAttribute>())
            {
                string text = row.Data.Length > 2 ? $"<opset {row.Data[2]}> {row.Data[0]}" : (string)row.Data[0]!;
                // ONNX Runtime has no kernels for these versions, unknown ranks give nothing to run, and there an extent must be 5.
                if (text.StartsWith("<opset 6>", StringComparison.Ordinal) || text.StartsWith("<opset 2>", StringComparison.Ordinal) || text.Contains("z: Float32 ->", StringComparison.Ordinal)
                    || text.Contains("[a,?]", StringComparison.Ordinal)) continue;
                rows.Add(text);
            }
            foreach (InlineDataAttribute row in typeof(ShapeInferenceTests).GetMethod(nameof(ShapeInferenceTests.Subgraphs_are_followed))!.GetCustomAttributes<InlineDataAttribute>()) rows.Add((string)row.Data[0]!);
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_run_gives_the_inferred_type(string text)
    {
        // One extent for all symbols, so that whatever must be equal is.
        const long Extent = 6;
        using OnnxGraph graph = TestGraphs.Parse(text);
        using OnnxGraph inferred = graph.Copy();
        ShapeInference.Infer(inferred);
        Dictionary<string, long> symbols = new(StringComparer.Ordinal);
        Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
        foreach (Value input in inferred.Body.Inputs)
        {
            foreach (string symbol in input.Type!.Shape!.Dimensions.SelectMany(d => d!.Symbols)) symbols[symbol] = Extent;
            long[] shape = [.. input.Type.Shape.Dimensions.Select(d => d!.Evaluate(symbols)!.Value)];
            double[] ones = [.. Enumerable.Repeat(1.0, (int)TensorData.CountElements(shape))];
            inputs[input.Name] = GraphText.FromDoubles(input.Type.DataType, shape, ones);
        }
        // A subgraph's branches differ in shape; what the model says of its output must not stand in the way.
        foreach (Value output in graph.Body.Outputs) output.Type = inferred.Body.Find(output.Name)!.Type is { } t ? t with { Shape = null } : null;
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions());
        foreach ((string name, TensorData data) in session.Run(inputs))
        {
            TensorType type = inferred.Body.Find(name)!.Type!;
            Assert.Equal(data.Type, type.DataType);
            if (type.Shape is not { } shape) continue;
            Assert.Equal(data.Rank, shape.Rank);
            for (int axis = 0; axis < data.Rank; axis++)
            {
                if (shape[axis]?.Evaluate(symbols) is { } extent) Assert.Equal(data.Shape[axis], extent);
            }
        }
    }
}
