using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Passes;
using TrtTools.Tensors;

namespace TrtTools.Tests.Passes;

/// <summary>Text in, pass, text out; and what both compute is compared.</summary>
internal static class Rewriting
{
    /// <summary>The nodes after the passes, in one line. The graph must compute the same as before.</summary>
    public static string Apply(string text, params string[] passes)
    {
        OnnxGraph before = TestGraphs.Parse(text);
        string printed = TestGraphs.Print(before);
        OnnxGraph after = GraphOptimizer.Optimize(before, new OptimizeOptions { Pass = passes }, Report.None, CancellationToken.None);
        Assert.Equal(printed, TestGraphs.Print(before));
        AssertSameResults(before, after);
        return TestGraphs.Nodes(after);
    }

    /// <summary>The passes leave the graph as it is.</summary>
    public static void AssertUntouched(string text, params string[] passes) => Assert.Equal(TestGraphs.Nodes(TestGraphs.Parse(text)), Apply(text, passes));

    public static void AssertSameResults(OnnxGraph before, OnnxGraph after, double tolerance = 1e-5)
    {
        if (before.Body.Inputs.Any(i => i.Data is null && i.Type is null)) return;
        IReadOnlyDictionary<string, TensorData> inputs = SyntheticInputs.Make(before, 4);
        IReadOnlyDictionary<string, TensorData> expected = ModelRunner.Run(before, inputs, CancellationToken.None);
        IReadOnlyDictionary<string, TensorData> actual = ModelRunner.Run(after, inputs, CancellationToken.None);
        Assert.Equal(expected.Keys, actual.Keys);
        foreach (string name in expected.Keys) Results.AssertClose(expected[name], actual[name], tolerance, name);
    }
}

internal static class Results
{
    /// <summary>The largest difference is within a share of the largest expected number.</summary>
    /// <param name="leastScale">Where all that is expected is smaller, it is what roundings left of larger numbers.</param>
    public static void AssertClose(TensorData expected, TensorData actual, double tolerance, string what, double leastScale = 0)
    {
        Assert.Equal(expected.ToString(), actual.ToString());
        if (!expected.Type.IsFloatingPoint())
        {
            Assert.True(expected.ContentEquals(actual), $"{what}: other content");
            return;
        }
        double[] a = expected.ToDouble();
        double[] b = actual.ToDouble();
        double scale = a.Where(double.IsFinite).Select(Math.Abs).Append(leastScale).Max();
        for (int i = 0; i < a.Length; i++)
        {
            if (!a[i].Equals(b[i])) Assert.True(Math.Abs(a[i] - b[i]) <= tolerance * scale, $"{what}[{i}]: {a[i]} became {b[i]}, scale {scale}");
        }
    }
}
