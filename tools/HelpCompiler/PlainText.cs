using System.Text;
using Markdig;
using Markdig.Extensions.Tables;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace TrtTools.HelpCompiler;

/// <summary>Markdown as text for a console.</summary>
internal static class PlainText
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder().UsePipeTables().Build();

    public static MarkdownDocument Parse(string file) => Markdown.Parse(File.ReadAllText(file).ReplaceLineEndings("\n"), Pipeline);

    /// <summary>One string per paragraph, list item, table or code block; unwrapped when <paramref name="width"/> is 0.</summary>
    public static IEnumerable<string> Paragraphs(IEnumerable<Block> blocks, int width = 0)
    {
        foreach (Block block in blocks)
        {
            switch (block)
            {
                case ParagraphBlock paragraph: yield return Wrap(Inline(paragraph.Inline), width, "", ""); break;
                case HeadingBlock heading: yield return Inline(heading.Inline); break;
                case CodeBlock code: yield return string.Join('\n', Code(code).Split('\n').Select(l => l.Length == 0 ? l : "    " + l)); break;
                case ListBlock list: yield return List(list, width); break;
                case QuoteBlock quote: foreach (string text in Paragraphs(quote, width)) yield return text; break;
                case Table table: yield return Table(table, width == 0 ? 100 : width); break;
            }
        }
    }

    public static string Code(CodeBlock block) => block.Lines.ToString().TrimEnd();

    public static string Inline(ContainerInline? inlines)
    {
        StringBuilder text = new();
        foreach (Inline inline in inlines ?? Enumerable.Empty<Inline>())
        {
            text.Append(inline switch
            {
                LiteralInline literal => literal.Content.ToString(),
                CodeInline code => code.Content,
                LineBreakInline => " ",
                HtmlEntityInline entity => entity.Transcoded.ToString(),
                AutolinkInline link => link.Url,
                LinkInline { Url: { } url } link when url.Contains("://", StringComparison.Ordinal) => $"{Inline(link)} ({url})",
                ContainerInline container => Inline(container),
                _ => "",
            });
        }
        return text.ToString();
    }

    public static string Wrap(string text, int width, string first, string rest)
    {
        if (width <= 0) return first + text;
        StringBuilder result = new(first);
        int column = first.Length;
        bool start = true;
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!start && column + 1 + word.Length > width)
            {
                result.Append('\n').Append(rest);
                column = rest.Length;
                start = true;
            }
            if (!start) { result.Append(' '); column++; }
            result.Append(word);
            column += word.Length;
            start = false;
        }
        return result.ToString();
    }

    private static string List(ListBlock list, int width)
    {
        List<string> items = [];
        int number = 1;
        foreach (ListItemBlock item in list.OfType<ListItemBlock>())
        {
            string mark = list.IsOrdered ? $"{number++}. " : "- ";
            string indent = new(' ', mark.Length);
            string[] lines = string.Join('\n', Paragraphs(item, width == 0 ? 0 : width - mark.Length)).Split('\n');
            items.Add(string.Join('\n', lines.Select((l, i) => l.Length == 0 ? l : (i == 0 ? mark : indent) + l)));
        }
        return string.Join('\n', items);
    }

    // A table that fits stays one; else each row becomes its first cell with the others below it.
    private static string Table(Table table, int width)
    {
        List<string[]> rows = [.. table.OfType<TableRow>().Select(r => r.OfType<TableCell>().Select(c => string.Join(' ', Paragraphs(c))).ToArray())];
        int columns = rows.Max(r => r.Length);
        int[] widths = [.. Enumerable.Range(0, columns).Select(c => rows.Max(r => c < r.Length ? r[c].Length : 0))];
        StringBuilder text = new();
        if (widths.Sum() + 2 * (columns - 1) <= width)
        {
            for (int i = 0; i < rows.Count; i++)
            {
                text.Append(string.Join("  ", rows[i].Select((c, at) => c.PadRight(widths[at]))).TrimEnd()).Append('\n');
                if (i == 0) text.Append(string.Join("  ", widths.Select(w => new string('-', w)))).Append('\n');
            }
            return text.ToString().TrimEnd();
        }
        string[] titles = rows[0];
        foreach (string[] row in rows.Skip(1))
        {
            text.Append(row[0]).Append('\n');
            for (int c = 1; c < row.Length; c++)
            {
                if (row[c].Length == 0) continue;
                string lead = columns > 2 && c < titles.Length && titles[c].Length > 0 ? titles[c] + ": " : "";
                text.Append(Wrap(lead + row[c], width, "    ", "    ")).Append('\n');
            }
        }
        return text.ToString().TrimEnd();
    }
}
