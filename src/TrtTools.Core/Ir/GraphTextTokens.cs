using System.Globalization;
using System.Text;

namespace TrtTools.Ir;

internal enum GraphTextKind { Name, String, Int, Float, Mark, LineEnd, End }

internal readonly record struct GraphTextToken(GraphTextKind Kind, string Text, int Position)
{
    public bool Is(string mark) => Kind == GraphTextKind.Mark && Text == mark;

    public bool IsWord(string word) => Kind == GraphTextKind.Name && Text == word;
}

/// <summary>Cuts the text of a graph into tokens.</summary>
internal static class GraphTextTokens
{
    private static readonly string[] s_marks = ["->", "::", "=", "(", ")", "[", "]", "{", "}", "<", ">", ",", ";", ":", "?", "@", "$"];

    public static List<GraphTextToken> Cut(string text)
    {
        List<GraphTextToken> tokens = [];
        for (int i = 0; i < text.Length;)
        {
            char c = text[i];
            int start = i;
            if (c == '\n') tokens.Add(new(GraphTextKind.LineEnd, "\n", i++));
            else if (char.IsWhiteSpace(c)) i++;
            else if (c == '#') while (i < text.Length && text[i] != '\n') i++;
            else if (c == '"') tokens.Add(new(GraphTextKind.String, Quoted(text, ref i), start));
            else if (IsNameStart(c))
            {
                while (i < text.Length && (IsNameStart(text[i]) || char.IsAsciiDigit(text[i]) || text[i] == '.')) i++;
                string name = text[start..i];
                tokens.Add(new(name is "inf" or "nan" ? GraphTextKind.Float : GraphTextKind.Name, name, start));
            }
            else if (char.IsAsciiDigit(c) || (c == '-' && i + 1 < text.Length && (char.IsAsciiDigit(text[i + 1]) || text[i + 1] is '.' or 'i')) || (c == '.' && i + 1 < text.Length && char.IsAsciiDigit(text[i + 1])))
            {
                tokens.Add(Number(text, ref i));
            }
            else
            {
                string mark = Array.Find(s_marks, m => string.CompareOrdinal(text, start, m, 0, m.Length) == 0) ?? throw Error(text, start, $"'{c}' has no meaning here");
                tokens.Add(new(GraphTextKind.Mark, mark, start));
                i += mark.Length;
            }
        }
        tokens.Add(new(GraphTextKind.End, "", text.Length));
        return tokens;
    }

    public static bool IsPlainName(string name) => name.Length > 0 && name != "_" && name is not "inf" and not "nan" && IsNameStart(name[0])
        && name.All(c => IsNameStart(c) || char.IsAsciiDigit(c) || c == '.');

    public static string Quote(string text) => "\"" + text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n") + "\"";

    public static FormatException Error(string text, int position, string message)
    {
        int line = text.AsSpan(0, position).Count('\n') + 1;
        int column = position - text.LastIndexOf('\n', Math.Max(0, position - 1), Math.Max(0, position));
        return new FormatException(string.Create(CultureInfo.InvariantCulture, $"Line {line}, column {column}: {message}."));
    }

    private static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c is '_' or '/';

    private static string Quoted(string text, ref int i)
    {
        int start = i++;
        StringBuilder result = new();
        for (; i < text.Length; i++)
        {
            if (text[i] == '"')
            {
                i++;
                return result.ToString();
            }
            if (text[i] == '\\' && i + 1 < text.Length) result.Append(text[++i] == 'n' ? '\n' : text[i]);
            else result.Append(text[i]);
        }
        throw Error(text, start, "the text in quotes has no end");
    }

    private static GraphTextToken Number(string text, ref int i)
    {
        int start = i;
        if (text[i] == '-') i++;
        if (string.CompareOrdinal(text, i, "inf", 0, 3) == 0)
        {
            i += 3;
            return new(GraphTextKind.Float, text[start..i], start);
        }
        bool isFloat = false;
        while (i < text.Length && (char.IsAsciiDigit(text[i]) || text[i] is '.' or 'e' or 'E' || (text[i] is '-' or '+' && text[i - 1] is 'e' or 'E')))
        {
            isFloat |= !char.IsAsciiDigit(text[i]);
            i++;
        }
        return new(isFloat ? GraphTextKind.Float : GraphTextKind.Int, text[start..i], start);
    }
}
