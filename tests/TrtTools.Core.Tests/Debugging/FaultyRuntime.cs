using System.Collections;
using TrtTools.Evaluation;
using TrtTools.Ir;
using TrtTools.Tensors;
using TrtTools.Tests;

namespace TrtTools.Debugging;

/// <summary>An engine that computes some nodes wrongly: what comes out of them is a quarter too large, and a half.</summary>
internal sealed class FaultyRuntime(params string[] faulty)
{
    /// <summary>The fault shows only where all the nodes are in one graph: what a wrong fusion does.</summary>
    public bool OnlyTogether { get; init; }

    public int Calls { get; private set; }

    /// <summary>Runs the candidate on what it was given and holds it against what it should give.</summary>
    public CheckVerdict Check(ModelCandidate candidate)
    {
        Calls++;
        Assert.NotNull(candidate.InputData);
        Assert.NotNull(candidate.Expected);
        Assert.Equal(candidate.Graph.Inputs.Select(i => i.Name), candidate.InputData.Keys.Cast<string>());
        Assert.Equal(candidate.Graph.Outputs.Select(i => i.Name).Distinct(), candidate.Expected.Keys.Cast<string>());
        Dictionary<string, TensorData> inputs = candidate.InputData.Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => ((Tensor)e.Value!).Content, StringComparer.Ordinal);
        foreach ((string name, TensorData actual) in ModelRunner.Run(Break(candidate.Graph), inputs, TestContext.Current.CancellationToken))
        {
            TensorData expected = ((Tensor)candidate.Expected[name]!).Content;
            if (Differs(actual, expected)) return new CheckVerdict(CheckOutcome.Bad, $"'{name}' differs");
        }
        return new CheckVerdict(CheckOutcome.Good);
    }

    public OnnxGraph Break(OnnxGraph graph)
    {
        OnnxGraph copy = graph.Copy();
        List<Node> found = [.. copy.Body.NodesWithSubgraphs.Where(n => faulty.Contains(n.DisplayName))];
        if (OnlyTogether && found.Count < faulty.Length) return copy;
        foreach (Node node in OnlyTogether ? found[^1..] : found)
        {
            foreach (Value output in node.Outputs.OfType<Value>())
            {
                if (output.Type is not { DataType: DataType.Float32 }) continue;
                Graph body = node.Graph;
                Value more = body.AddNode("Mul", [output, body.AddConstant("more", TensorData.Scalar(1.25f))], [body.FreshName("more_of")], before: node.Next).Outputs[0]!;
                Node wrong = body.AddNode("Add", [more, body.AddConstant("half", TensorData.Scalar(0.5f))], [body.FreshName("wrong_of")], before: more.Producer!.Next);
                body.ReplaceUses(output, wrong.Outputs[0]!);
                more.Producer!.SetInput(0, output);
            }
        }
        return copy;
    }

    private static bool Differs(TensorData actual, TensorData expected)
    {
        if (!actual.Shape.SequenceEqual(expected.Shape)) return true;
        if (expected.Type == DataType.String) return !actual.Strings.SequenceEqual(expected.Strings);
        double[] a = actual.ToDouble(), b = expected.ToDouble();
        double scale = b.Select(Math.Abs).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        return a.Zip(b).Any(p => double.IsNaN(p.First) != double.IsNaN(p.Second) || Math.Abs(p.First - p.Second) > (1e-5 * scale) + 1e-7);
    }
}
