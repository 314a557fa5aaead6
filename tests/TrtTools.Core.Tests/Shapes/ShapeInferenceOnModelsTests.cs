using TrtTools.Data;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Shapes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Shapes;

/// <summary>Every shape that inference gives for a real model holds when ONNX Runtime runs it.</summary>
public sealed class ShapeInferenceOnModelsTests
{
    public static TheoryData<string> Models => [.. SharedModels.Exists ? SharedModels.Names : [""]];

    [Theory]
    [MemberData(nameof(Models))]
    public void Shapes_hold_when_the_model_runs(string name)
    {
        string path = SharedModels.Path(name);
        using OnnxGraph original = OnnxFile.Import(path, Report.None, CancellationToken.None);
        using OnnxGraph graph = original.Copy();
        ShapeResult result = ShapeInference.Infer(graph);
        // This file declares its output a scalar, which it is not.
        string[] expected = name == "polygraphy-residual-block" ? ["Node 'gpu_0/res2_0_branch2c_bn_2' (Sum), output 'gpu_0/res2_0_branch2c_bn_2': declared as [], but its shape is [gpu_0/data_0.0,256,56,56]"] : [];
        Assert.Equal(expected, result.Contradictions);

        // All values of the main graph become outputs, so that a run shows their shapes.
        using OnnxGraph open = original.Copy();
        List<Value> values = [.. open.Body.Nodes.SelectMany(n => n.Outputs).OfType<Value>().Where(v => !v.IsGraphOutput)];
        foreach (Value value in values) open.Body.AddOutput(value);
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(open), new OrtOptions());
        foreach (string folder in SharedModels.DataSets(name))
        {
            Dictionary<string, TensorData> inputs = new(StringComparer.Ordinal);
            for (int i = 0; i < session.InputNames.Count; i++)
            {
                inputs[session.InputNames[i]] = OnnxFile.ReadTensor(File.ReadAllBytes(Path.Combine(folder, $"input_{i}.pb")), out _);
            }
            IReadOnlyDictionary<string, TensorData> outputs = session.Run(inputs);
            Dictionary<string, long> symbols = SymbolsOf(graph, inputs);
            int known = 0, all = 0;
            foreach ((string output, TensorData data) in outputs)
            {
                Value value = graph.Body.Find(output)!;
                Assert.True(value.Type is not null, $"{output}: nothing was inferred");
                Assert.Equal(data.Type, value.Type.DataType);
                all += data.Rank;
                if (value.Type.Shape is not { } shape) continue;
                Assert.True(shape.Rank == data.Rank, $"{value} of {value.Producer}: the run gives {data}");
                for (int axis = 0; axis < data.Rank; axis++)
                {
                    if (shape.Dimensions[axis] is not { } extent) continue;
                    long? evaluated = extent.Evaluate(symbols);
                    Assert.True(evaluated is null || evaluated == data.Shape[axis], $"{value} of {value.Producer}: the run gives {data}");
                    if (evaluated is not null) known++;
                }
                CheckContent(result.ContentOf(value), data, symbols, value);
            }
            TestContext.Current.SendDiagnosticMessage($"{name}: {known} of {all} extents known");
            // What an If over the sample rate gives has one rank or another.
            if (!name.StartsWith("silero-vad", StringComparison.Ordinal)) Assert.Equal(all, known);
        }
    }

    private static void CheckContent(DimExpr?[]? content, TensorData data, Dictionary<string, long> symbols, Value value)
    {
        if (content is null) return;
        Assert.Equal(data.ElementCount, content.Length);
        double[] actual = data.ToDouble();
        for (int i = 0; i < actual.Length; i++)
        {
            if (content[i]?.Evaluate(symbols) is { } element) Assert.True(element == actual[i], $"element {i} of {value}: {content[i]}, but {actual[i]}");
        }
    }

    private static Dictionary<string, long> SymbolsOf(OnnxGraph graph, Dictionary<string, TensorData> inputs)
    {
        Dictionary<string, long> symbols = new(StringComparer.Ordinal);
        foreach ((string name, TensorData data) in inputs)
        {
            if (graph.Body.Find(name)?.Type?.Shape is not { } shape) continue;
            for (int axis = 0; axis < shape.Rank; axis++)
            {
                if (shape.Dimensions[axis]?.SymbolName is { } symbol) symbols[symbol] = data.Shape[axis];
            }
        }
        return symbols;
    }
}
