using TrtTools.Audit;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;
using TrtTools.Tests.Passes;

namespace TrtTools.Tests.Surgery;

/// <summary>Text in, operation, text out; the input must be as it was, and the result sound.</summary>
internal static class Operating
{
    /// <summary>The result, after what holds for every operation was checked.</summary>
    public static OnnxGraph On(string text, Func<OnnxGraph, OnnxGraph> operation) => On(TestGraphs.Parse(text), operation);

    public static OnnxGraph On(OnnxGraph before, Func<OnnxGraph, OnnxGraph> operation)
    {
        string printed = TestGraphs.Print(before);
        int history = before.History.Count;
        OnnxGraph after = operation(before);
        Assert.Equal(printed, TestGraphs.Print(before));
        Assert.NotSame(before, after);
        Assert.Equal(history + 1, after.History.Count);
        AssertSound(after);
        return after;
    }

    /// <summary>Nothing that a runtime refuses: the lint says so, and ONNX Runtime does.</summary>
    public static void AssertSound(OnnxGraph graph)
    {
        Assert.DoesNotContain(GraphLint.Check(graph), f => f.Severity == FindingSeverity.Error);
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Optimization = OrtOptimization.None, Subject = graph.Name });
        Assert.Equal(graph.Body.Outputs.Count, session.OutputNames.Count);
    }

    /// <summary>The operation is refused with this code, and the input is as it was.</summary>
    public static TrtToolsException Refused(string text, ErrorCode code, Action<OnnxGraph> operation)
    {
        OnnxGraph before = TestGraphs.Parse(text);
        string printed = TestGraphs.Print(before);
        TrtToolsException error = Assert.Throws<TrtToolsException>(() => operation(before));
        Assert.Equal(code, error.Code);
        Assert.Equal(printed, TestGraphs.Print(before));
        return error;
    }

    public static void AssertSameResults(OnnxGraph before, OnnxGraph after) => Rewriting.AssertSameResults(before, after);

    public static IReadOnlyDictionary<string, TensorData> Run(OnnxGraph graph) => ModelRunner.Run(graph, SyntheticInputs.Make(graph, 4), CancellationToken.None);

    public static Tensor Tensor(string name, params float[] values) => new(name, TensorData.From<float>(values, values.Length == 1 ? [] : [values.Length]));
}
