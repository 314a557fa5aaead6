using System.Xml.Linq;
using TrtTools.Build;
using TrtTools.Execution;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Tests.Inspection;

public sealed class GraphDisplayTests
{
    private const string Net = """
        x: Float32[1,3,8,8] -> y {
            w = Float32[4,3,3,3] random(1)
            c = Conv(x, w){pads=[1,1,1,1]}
            y = Relu(c)
        }
        """;

    private static string Render(OnnxGraph graph, DisplayForm form, DisplayDetail detail = DisplayDetail.Layers, Engine? engine = null) =>
        GraphDisplay.Render(graph, new DisplayOptions { Form = form, Detail = detail, Engine = engine }, Report.None, CancellationToken.None);

    [Fact]
    public void Each_level_of_text_tells_more()
    {
        OnnxGraph graph = TestGraphs.Parse(Net);
        string model = Render(graph, DisplayForm.Text, DisplayDetail.Model), layers = Render(graph, DisplayForm.Text), attributes = Render(graph, DisplayForm.Text, DisplayDetail.Attributes),
            weights = Render(graph, DisplayForm.Text, DisplayDetail.Weights);
        Assert.Contains("x: Float32[1,3,8,8]", model, StringComparison.Ordinal);
        Assert.DoesNotContain("Conv", model, StringComparison.Ordinal);
        Assert.Contains("x: Float32[1,3,8,8], w: Float32[4,3,3,3] -> c: Float32[1,4,8,8]", layers, StringComparison.Ordinal);
        Assert.DoesNotContain("pads", layers, StringComparison.Ordinal);
        Assert.Contains("pads = [1, 1, 1, 1]", attributes, StringComparison.Ordinal);
        Assert.DoesNotContain("…", attributes, StringComparison.Ordinal);
        Assert.Contains("w: Float32[4,3,3,3] = [", weights, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_looks_into_subgraphs()
    {
        string text = Render(TestGraphs.Parse("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch = () -> t { t = Relu(x) }, else_branch = () -> e { e = Neg(x) }} }"), DisplayForm.Text);
        Assert.Contains("then_branch", text, StringComparison.Ordinal);
        Assert.Contains("Neg", text, StringComparison.Ordinal);
        Assert.Contains("3 nodes", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_graph_is_left_as_it_was()
    {
        OnnxGraph graph = TestGraphs.Parse(Net);
        string before = TestGraphs.Print(graph);
        foreach (DisplayForm form in Enum.GetValues<DisplayForm>()) Render(graph, form);
        Assert.Equal(before, TestGraphs.Print(graph));
    }

    [Fact]
    public void A_picture_is_XML_with_a_box_for_each_node_and_none_for_constants()
    {
        XDocument picture = XDocument.Parse(Render(TestGraphs.Parse(Net), DisplayForm.Svg));
        XNamespace svg = "http://www.w3.org/2000/svg";
        string[] titles = [.. picture.Descendants(svg + "text").Where(t => (string?)t.Attribute("font-weight") == "bold").Select(t => t.Value)];
        Assert.Equal(["Conv", "Relu", "x", "y"], titles.Order(StringComparer.Ordinal));
        Assert.Equal(3, picture.Descendants(svg + "path").Count(p => p.Attribute("marker-end") is not null));
    }

    [Fact]
    public void Boxes_do_not_overlap_and_lines_go_down()
    {
        foreach (string name in new[] { "silero-vad-v6", "ppocrv4-rec", "synth-bert-mini" })
        {
            Diagram diagram = DiagramBuilder.Build(OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None), statistics: false, CancellationToken.None);
            DiagramLayout.Apply(diagram, CancellationToken.None);
            List<DiagramBox> boxes = [.. diagram.Boxes.OrderBy(b => b.Y)];
            for (int i = 0; i < boxes.Count; i++)
            {
                for (int k = i + 1; k < boxes.Count && boxes[k].Y - boxes[k].Height / 2 < boxes[i].Y + boxes[i].Height / 2; k++)
                {
                    Assert.False(Math.Abs(boxes[i].X - boxes[k].X) < (boxes[i].Width + boxes[k].Width) / 2 - 1, $"{name}: {boxes[i].Name} and {boxes[k].Name} overlap");
                }
            }
            Assert.All(diagram.Lines, l => Assert.True(l.Points[^1].Y > l.Points[0].Y, $"{name}: {diagram.Boxes[l.From].Name} to {diagram.Boxes[l.To].Name} goes up"));
        }
    }

    [Fact]
    public void Subgraphs_are_drawn_with_lines_from_outside_and_to_their_node()
    {
        Diagram diagram = DiagramBuilder.Build(TestGraphs.Parse("c: Bool[], x: Float32[2] -> y { y = If(c){then_branch = () -> t { t = Relu(x) }, else_branch = () -> e { e = Neg(x) }} }"), false, CancellationToken.None);
        string Title(int box) => diagram.Boxes[box].Title;
        Assert.Equal(["If>y", "Neg>If", "Relu>If", "c>If", "x>Neg", "x>Relu"], diagram.Lines.Select(l => $"{Title(l.From)}>{Title(l.To)}").Order(StringComparer.Ordinal));
        Assert.Contains("then_branch", diagram.Boxes.First(b => b.Title == "Relu").Scope, StringComparison.Ordinal);
    }

    [Fact]
    public void Fused_nodes_are_groups()
    {
        OnnxGraph fused = LayerFusion.Fuse(TestGraphs.Parse(Net), new FusionOptions(), Report.None, CancellationToken.None);
        Diagram diagram = DiagramBuilder.Build(fused, false, CancellationToken.None);
        DiagramBox box = diagram.Boxes.Single(b => b.Kind == BoxKind.Node);
        Assert.Equal("Fused", box.Category);
        Assert.NotNull(box.Group);
        Assert.Contains(box.Attributes, a => a.Text == "Conv → Relu");
    }

    [Fact]
    public void An_engines_layers_and_times_lie_over_the_graph()
    {
        OnnxGraph graph = TestGraphs.Parse(Net);
        using Engine engine = EngineBuilder.Build(graph, new BuildOptions(), Report.None, CancellationToken.None);
        Diagram diagram = DiagramBuilder.Build(graph, false, CancellationToken.None);
        EngineTimes.Apply(diagram, engine, Report.None, CancellationToken.None);
        DiagramBox conv = diagram.Boxes.First(b => b.Title == "Conv"), relu = diagram.Boxes.First(b => b.Title == "Relu");
        Assert.NotNull(conv.LayerMs);
        // ONNX Runtime runs both as one.
        Assert.Equal(conv.Layer, relu.Layer);
        Assert.Equal(conv.Group, relu.Group);
        Assert.NotNull(conv.Group);
        Assert.Null(diagram.Boxes.First(b => b.Kind == BoxKind.Input).Layer);
        TrtToolsException refused = Assert.Throws<TrtToolsException>(() => Render(graph, DisplayForm.Text, engine: engine));
        Assert.Equal(ErrorCode.OptionInvalid, refused.Code);
    }

    [Fact]
    public void The_same_graph_gives_the_same_bytes()
    {
        foreach (string name in new[] { "silero-vad-v6", "synth-bert-mini" })
        {
            OnnxGraph graph = OnnxFile.Import(SharedModels.Path(name), Report.None, CancellationToken.None);
            foreach (DisplayForm form in new[] { DisplayForm.Html, DisplayForm.Svg, DisplayForm.Dot }) Assert.Equal(Render(graph, form), Render(graph, form));
        }
    }

    [Fact]
    public void Dot_quotes_what_it_must()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[1] -> y { y = Relu(x) }");
        graph.Body.Nodes.First().Name = "a\"b\\c";
        Assert.Contains("tooltip=\"a\\\"b\\\\c\"", Render(graph, DisplayForm.Dot), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_graph_is_shown_too()
    {
        OnnxGraph graph = new(new Graph("empty"), "empty", null, 8, [new("", 17)]);
        foreach (DisplayForm form in Enum.GetValues<DisplayForm>()) Assert.NotEmpty(Render(graph, form));
    }
}
