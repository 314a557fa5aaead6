using System.Text;
using Markdig.Syntax;

namespace TrtTools.HelpCompiler;

/// <summary>An about_ page as the text that Get-Help shows.</summary>
internal static class AboutTopic
{
    private const int Width = 80;
    private const string Indent = "    ";

    public static string Render(string file, Diagnostics diagnostics)
    {
        string name = Path.GetFileNameWithoutExtension(file);
        Block[] blocks = [.. PlainText.Parse(file)];
        if (blocks.Length == 0 || blocks[0] is not HeadingBlock { Level: 1 } title || PlainText.Inline(title.Inline) != name)
        {
            diagnostics.Fail(file, 1, $"the page must begin with '# {name}'");
        }
        StringBuilder text = new();
        text.Append("TOPIC\n").Append(Indent).Append(name).Append("\n\n");
        foreach (Block block in blocks.Skip(1))
        {
            if (block is HeadingBlock heading)
            {
                string words = PlainText.Inline(heading.Inline);
                text.Append(heading.Level <= 2 ? words.ToUpperInvariant() : "  " + words).Append('\n');
                continue;
            }
            foreach (string paragraph in PlainText.Paragraphs([block], Width - Indent.Length))
            {
                foreach (string line in paragraph.Split('\n')) text.Append(line.Length == 0 ? "" : Indent + line).Append('\n');
                text.Append('\n');
            }
        }
        return text.ToString().TrimEnd() + "\n";
    }
}
