using System.Text;
using TrtTools.Inspection;
using TrtTools.Ir;

namespace TrtTools.Tests.Inspection;

/// <summary>The page as a person uses it, in a headless browser.</summary>
public sealed class PageTests
{
    private const string Net = """
        x: Float32[1,3,8,8] -> y {
            w = Float32[4,3,3,3] random(1)
            b = Float32[4] random(2)
            c = Conv(x, w, b){pads=[1,1,1,1], dilations=[1,1]}
            r = Relu(c)
            s = Sigmoid(c)
            y = Mul(r, s)
        }
        """;

    private static string Page(TestFolder folder, OnnxGraph graph)
    {
        GraphDisplay.Write(graph, folder.File("page.html"), new DisplayOptions { Form = DisplayForm.Html }, force: false, Report.None, CancellationToken.None);
        return folder.File("page.html");
    }

    [Fact]
    public async Task It_opens_without_errors_and_asks_for_nothing_else()
    {
        using TestFolder folder = new();
        string page = Page(folder, TestGraphs.Parse(Net));
        using Browser browser = await Browser.Open(page);
        Assert.Equal(6, await browser.Number("boxes.length"));
        Assert.Equal(6, await browser.Number("lines.length"));
        // The middle of a box has its colour: it was drawn.
        Assert.Equal("47,109,181", await browser.Text("(() => { const b = boxes.find(b => b.title === 'Conv'), k = view.scale * canvas.ratio; return [...ink.getImageData(Math.round(canvas.width / 2 + (b.x - b.w / 2 + 6 - view.x) * k), Math.round(canvas.height / 2 + (b.y - view.y) * k), 1, 1).data].slice(0, 3).join(); })()"));
        Assert.Empty(browser.Faults);
        Assert.All(browser.Requests, r => Assert.Equal(new Uri(page).AbsoluteUri, r));
    }

    [Fact]
    public async Task A_click_shows_attributes_shapes_and_statistics()
    {
        using TestFolder folder = new();
        using Browser browser = await Browser.Open(Page(folder, TestGraphs.Parse(Net)));
        (double x, double y) = await browser.Place("Conv");
        await browser.Click(x, y);
        string panel = await browser.Text("panel.innerText");
        Assert.Contains("dilations", panel, StringComparison.Ordinal);
        Assert.Contains("Float32[4,3,3,3]", panel, StringComparison.Ordinal);
        Assert.Contains("mean", panel, StringComparison.Ordinal);
        Assert.Contains("Relu", panel, StringComparison.Ordinal);
        Assert.DoesNotContain("Slowest layers", panel, StringComparison.OrdinalIgnoreCase);
        await browser.Click(x + 300, y);
        Assert.Equal(-1, await browser.Number("selected"));
        Assert.DoesNotContain("dilations", await browser.Text("panel.innerText"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_drag_moves_the_graph_and_selects_nothing()
    {
        using TestFolder folder = new();
        using Browser browser = await Browser.Open(Page(folder, TestGraphs.Parse(Net)));
        (double x, double y) = await browser.Place("Conv");
        double before = await browser.Number("view.x"), scale = await browser.Number("view.scale");
        await browser.Mouse("mousePressed", x, y, down: true);
        await browser.Mouse("mouseMoved", x + 60, y, down: true);
        await browser.Mouse("mouseReleased", x + 60, y);
        Assert.Equal(before - 60 / scale, await browser.Number("view.x"), 6);
        Assert.Equal(-1, await browser.Number("selected"));
        await browser.Evaluate("document.getElementById('in').click()");
        Assert.True(await browser.Number("view.scale") > scale);
    }

    [Fact]
    public async Task Search_finds_names_tensors_and_operators()
    {
        using TestFolder folder = new();
        using Browser browser = await Browser.Open(Page(folder, TestGraphs.Parse(Net)));
        await browser.Evaluate("search.focus()");
        await browser.Type("sigm");
        Assert.Equal("1 of 1", await browser.Text("found.textContent"));
        await browser.Key("Enter");
        Assert.Equal("Sigmoid", await browser.Text("boxes[selected].title"));
        await browser.Evaluate("search.value = 'no such thing'; look()");
        Assert.Equal("nothing found", await browser.Text("found.textContent"));
    }

    [Fact]
    public async Task A_name_cannot_break_out_of_the_page()
    {
        OnnxGraph graph = TestGraphs.Parse("x: Float32[1] -> y { y = Relu(x) }");
        graph.Body.Nodes.First().Name = "</script><script>document.title='broken'</script>{{script}}{{data}}";
        using TestFolder folder = new();
        using Browser browser = await Browser.Open(Page(folder, graph));
        Assert.NotEqual("broken", await browser.Text("document.title"));
        Assert.Equal(graph.Body.Nodes.First().Name, await browser.Text("boxes.find(b => b.title === 'Relu').name"));
        Assert.Empty(browser.Faults);
    }

    [Fact]
    public async Task Two_thousand_nodes_open()
    {
        StringBuilder text = new("x: Float32[1,8] -> y { v0 = Relu(x)\n");
        for (int i = 1; i < 1000; i++) text.Append(System.Globalization.CultureInfo.InvariantCulture, $"a{i} = Sigmoid(v{i - 1})\nv{i} = Mul(v{i - 1}, a{i})\n");
        using TestFolder folder = new();
        using Browser browser = await Browser.Open(Page(folder, TestGraphs.Parse(text.Append("y = Identity(v999) }").ToString())));
        Assert.Equal(2002, await browser.Number("boxes.length"));
        await browser.Evaluate("search.value = 'a900'; look(); select(hits[0].id)");
        Assert.Contains("a900", await browser.Text("panel.innerText"), StringComparison.Ordinal);
        Assert.Empty(browser.Faults);
    }
}
