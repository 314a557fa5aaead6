using TrtTools.Ir;

namespace TrtTools.Tests;

/// <summary>Graphs for tests, as text; <see cref="GraphText"/> describes the form.</summary>
internal static class TestGraphs
{
    /// <summary>Such as "x: Float32[1,3,8,8] -> y { w = Float32[4,3,3,3] random(1); c = Conv(x, w){pads=[1,1,1,1]}; y = Relu(c) }",
    /// or just "y = Relu(x)".</summary>
    public static OnnxGraph Parse(string text) => GraphText.Parse(text);

    /// <summary>All of a graph, in the one way to write it.</summary>
    public static string Print(OnnxGraph graph) => GraphText.Print(graph);

    /// <summary>The nodes in one line, without types and node names: "c = Conv(x, w){pads=[1, 1, 1, 1]}; y = Relu(c)".</summary>
    public static string Nodes(OnnxGraph graph) => GraphText.PrintNodes(graph);

    /// <summary>Asserts that the main graph's nodes are those of the text.</summary>
    public static void ShouldBe(this OnnxGraph graph, string expected) => Assert.Equal(Nodes(Parse(expected)), Nodes(graph));
}
