using Markdig.Syntax;

namespace TrtTools.HelpCompiler;

internal sealed record HelpExample(string Title, string Code, IReadOnlyList<string> Remarks);

internal sealed record HelpParameter(string Name, IReadOnlyList<string> Text, string Default, int Line);

/// <summary>A cmdlet's page, taken apart. docs/README.md describes the layout.</summary>
internal sealed class HelpPage
{
    private static readonly string[] Sections = ["Synopsis", "Description", "Parameters", "Examples", "Inputs", "Outputs", "Notes", "Related links"];

    public required string File { get; init; }
    public required string Name { get; init; }
    public string Synopsis { get; private set; } = "";
    public IReadOnlyList<string> Description { get; private set; } = [];
    public List<HelpParameter> Parameters { get; } = [];
    public List<HelpExample> Examples { get; } = [];
    public IReadOnlyList<string> Inputs { get; private set; } = [];
    public IReadOnlyList<string> Outputs { get; private set; } = [];
    public IReadOnlyList<string> Notes { get; private set; } = [];
    public IReadOnlyList<string> Links { get; private set; } = [];

    public static HelpPage? Parse(string file, Diagnostics diagnostics)
    {
        string name = Path.GetFileNameWithoutExtension(file);
        HelpPage page = new() { File = file, Name = name };
        Block[] blocks = [.. PlainText.Parse(file)];
        if (blocks.Length == 0 || blocks[0] is not HeadingBlock { Level: 1 } title || PlainText.Inline(title.Inline) != name)
        {
            diagnostics.Fail(file, 1, $"the page must begin with '# {name}'");
            return null;
        }
        foreach ((HeadingBlock heading, Block[] body) in Split(blocks.Skip(1), 2))
        {
            string section = PlainText.Inline(heading.Inline);
            switch (section)
            {
                case "Synopsis": page.Synopsis = string.Join(' ', PlainText.Paragraphs(body)); break;
                case "Description": page.Description = [.. PlainText.Paragraphs(body)]; break;
                case "Parameters": page.Parameters.AddRange(Split(body, 3).Select(p => Parameter(p.Heading, p.Body))); break;
                case "Examples": page.Examples.AddRange(Split(body, 3).Select(p => Example(file, p.Heading, p.Body, diagnostics))); break;
                case "Inputs": page.Inputs = Items(body); break;
                case "Outputs": page.Outputs = Items(body); break;
                case "Notes": page.Notes = [.. PlainText.Paragraphs(body)]; break;
                case "Related links": page.Links = Items(body); break;
                default: diagnostics.Fail(file, heading.Line + 1, $"unknown section '{section}'; there are: {string.Join(", ", Sections)}"); break;
            }
        }
        if (page.Synopsis.Length == 0) diagnostics.Fail(file, 1, "the page has no '## Synopsis'");
        if (page.Examples.Count == 0) diagnostics.Warn(file, 1, "the page has no example");
        return page;
    }

    private static HelpParameter Parameter(HeadingBlock heading, Block[] body)
    {
        List<string> text = [.. PlainText.Paragraphs(body)];
        string value = "";
        if (text.Count > 0 && text[^1].StartsWith("Default: ", StringComparison.Ordinal))
        {
            value = text[^1]["Default: ".Length..].TrimEnd('.');
            text.RemoveAt(text.Count - 1);
        }
        return new HelpParameter(PlainText.Inline(heading.Inline).TrimStart('-'), text, value, heading.Line + 1);
    }

    private static HelpExample Example(string file, HeadingBlock heading, Block[] body, Diagnostics diagnostics)
    {
        int at = Array.FindIndex(body, b => b is CodeBlock);
        if (at < 0)
        {
            diagnostics.Fail(file, heading.Line + 1, "an example needs a code block");
            return new HelpExample(PlainText.Inline(heading.Inline), "", []);
        }
        return new HelpExample(PlainText.Inline(heading.Inline), PlainText.Code((CodeBlock)body[at]), [.. PlainText.Paragraphs(body.Where((_, i) => i != at))]);
    }

    private static string[] Items(Block[] body) => body.Any(b => b is ListBlock)
        ? [.. body.OfType<ListBlock>().SelectMany(l => l.OfType<ListItemBlock>()).Select(i => string.Join(' ', PlainText.Paragraphs(i)))]
        : [.. PlainText.Paragraphs(body)];

    private static IEnumerable<(HeadingBlock Heading, Block[] Body)> Split(IEnumerable<Block> blocks, int level)
    {
        HeadingBlock? heading = null;
        List<Block> body = [];
        foreach (Block block in blocks)
        {
            if (block is HeadingBlock next && next.Level == level)
            {
                if (heading is not null) yield return (heading, [.. body]);
                heading = next;
                body.Clear();
            }
            else
            {
                body.Add(block);
            }
        }
        if (heading is not null) yield return (heading, [.. body]);
    }
}
