using System.Reflection;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace TrtTools.Passes.Fusion;

/// <summary>Reads composites from YAML: those that come with TrtTools, and a user's own.</summary>
internal static class PatternFile
{
    private const int LargestFile = 1 << 20;
    private const int DeepestPart = 32;

    /// <summary>A shape with its parts put in is at most this long.</summary>
    private const int LongestShape = 1 << 16;

    /// <summary>The patterns of the assembly, in their order.</summary>
    public static IReadOnlyList<Composite> BuiltIn { get; } = LoadBuiltIn();

    /// <exception cref="TrtToolsException">FileNotReadable, DataInvalid.</exception>
    public static IReadOnlyList<Composite> Load(string path)
    {
        string text;
        try
        {
            if (new FileInfo(path).Length > LargestFile) throw Invalid(path, "it is larger than 1 MB", null);
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TrtToolsException(ErrorCode.FileNotReadable, path, e.Message, "A file of fusion patterns", "Check the path and its rights", e);
        }
        return Parse(text, path);
    }

    /// <summary>Reads patterns from text; <paramref name="subject"/> names it in errors.</summary>
    public static IReadOnlyList<Composite> Parse(string text, string subject)
    {
        try
        {
            return ReadAll(text);
        }
        catch (Exception e) when (e is YamlException or FormatException or InvalidCastException or ArgumentException or InvalidOperationException)
        {
            throw Invalid(subject, e.Message, e);
        }
    }

    private static TrtToolsException Invalid(string subject, string found, Exception? inner) =>
        new(ErrorCode.DataInvalid, subject, found, "A YAML file with 'patterns', each with a name and shapes", "See about_TrtTools_Patterns for the form", inner);

    private static IReadOnlyList<Composite> LoadBuiltIn()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("TrtTools.Passes.Fusion.Patterns.yaml") ?? throw new InvalidOperationException("Patterns.yaml is not in the assembly.");
        using StreamReader reader = new(stream);
        return ReadAll(reader.ReadToEnd());
    }

    private static IReadOnlyList<Composite> ReadAll(string text)
    {
        // The parser goes down once per level, in its own frames.
        if (Depth(text) > DeepestPart) throw new FormatException("Its lists and maps are nested too deeply.");
        YamlStream yaml = new();
        yaml.Load(new StringReader(text));
        if (yaml.Documents.Count == 0 || yaml.Documents[0].RootNode is not YamlMappingNode root) throw new FormatException("It is no map.");
        CheckKeys(root, "parts", "patterns");
        Dictionary<string, string> parts = new(StringComparer.Ordinal);
        if (root.Children.TryGetValue("parts", out YamlNode? named))
        {
            if (named is not YamlMappingNode map) throw new FormatException("'parts' is no map of names to texts.");
            foreach ((YamlNode key, YamlNode value) in map.Children) parts[Scalar(key)] = Scalar(value);
        }
        if (!root.Children.TryGetValue("patterns", out YamlNode? list) || list is not YamlSequenceNode patterns) throw new FormatException("'patterns' is missing, or no list.");
        List<Composite> result = [];
        foreach (YamlNode node in patterns)
        {
            if (node is not YamlMappingNode pattern) throw new FormatException("A pattern is no map.");
            Composite composite = Read(pattern, parts);
            if (result.Exists(c => c.Name == composite.Name)) throw new FormatException($"There are two patterns '{composite.Name}'.");
            result.Add(composite);
        }
        return result;
    }

    private static Composite Read(YamlMappingNode node, IReadOnlyDictionary<string, string> parts)
    {
        CheckKeys(node, "name", "place", "shapes", "guards", "visible", "quiet");
        string name = node.Children.TryGetValue("name", out YamlNode? given) ? Scalar(given) : "";
        if (name.Length is 0 or > 60 || !name.All(char.IsAsciiLetterOrDigit) || !char.IsAsciiLetterUpper(name[0])) throw new FormatException($"The name '{name}' is not of letters and digits with a capital in front.");
        try
        {
            List<TreePattern> shapes = [.. Texts(node, "shapes").Select(s => new TreePattern(Expand(s, parts, 0)))];
            if (shapes.Count == 0) throw new FormatException("It has no shapes.");
            if (shapes.Exists(s => s.RootOpTypes.Count == 0)) throw new FormatException("A shape ends in a name, which would be any value.");
            HashSet<string> names = [.. shapes.SelectMany(s => s.Names)];
            Func<TreeMatch, FusionScope, string?>[] guards = [.. Texts(node, "guards").Select(g => PatternGuards.Parse(g, names))];
            string[] visible = [.. Texts(node, "visible")];
            if (visible.FirstOrDefault(v => !names.Contains(v)) is { } unknown) throw new FormatException($"No shape names '{unknown}', which is to be visible.");
            string place = node.Children.TryGetValue("place", out YamlNode? where) ? Scalar(where) : "activation";
            if (place is not ("whole" or "activation")) throw new FormatException($"'place' is 'whole' or 'activation', not '{place}'.");
            if (place == "activation" && !names.Contains("x")) throw new FormatException("An activation calls what it works on 'x'.");
            bool isQuiet = node.Children.TryGetValue("quiet", out YamlNode? quiet) && Scalar(quiet) == "true";
            return new Composite(name, shapes) { Guards = guards, Visible = visible, IsActivation = place == "activation", IsQuiet = isQuiet };
        }
        catch (FormatException e)
        {
            throw new FormatException($"Pattern '{name}': {e.Message}", e);
        }
    }

    /// <summary>Puts each part in the place of its $Name, in parentheses' stead: a part is a term, or alternatives of which one stands there.</summary>
    private static string Expand(string text, IReadOnlyDictionary<string, string> parts, int depth)
    {
        if (depth > DeepestPart) throw new FormatException("The parts use one another in a circle.");
        int at = text.IndexOf('$', StringComparison.Ordinal);
        if (at < 0) return text;
        System.Text.StringBuilder result = new();
        int start = 0;
        for (; at >= 0; at = text.IndexOf('$', start))
        {
            int end = at + 1;
            while (end < text.Length && char.IsAsciiLetterOrDigit(text[end])) end++;
            string name = text[(at + 1)..end];
            if (!parts.TryGetValue(name, out string? part)) throw new FormatException($"There is no part '${name}'.");
            result.Append(text, start, at - start).Append('(').Append(Expand(part, parts, depth + 1)).Append(')');
            if (result.Length > LongestShape) throw new FormatException("A shape is too long.");
            start = end;
        }
        return result.Append(text, start, text.Length - start).ToString();
    }

    private static IEnumerable<string> Texts(YamlMappingNode node, string key) => !node.Children.TryGetValue(key, out YamlNode? list) ? []
        : list is YamlSequenceNode several ? several.Select(Scalar) : throw new FormatException($"'{key}' is no list.");

    private static string Scalar(YamlNode node) => node is YamlScalarNode { Value: { } text } ? text : throw new FormatException("A text is expected where a list or a map stands.");

    private static void CheckKeys(YamlMappingNode node, params string[] known)
    {
        foreach (YamlNode key in node.Children.Keys)
        {
            if (!known.Contains(Scalar(key))) throw new FormatException($"'{key}' is unknown here; known are {string.Join(", ", known)}.");
        }
    }

    /// <summary>At least as deep as the parser would go: each level takes a bracket, or a character of indentation.</summary>
    private static int Depth(string text)
    {
        int depth = 0, deepest = 0;
        foreach (char c in text)
        {
            if (c is '[' or '{') deepest = Math.Max(deepest, ++depth);
            else if (c is ']' or '}') depth--;
        }
        foreach (string line in text.Split('\n'))
        {
            int lead = line.AsSpan().IndexOfAnyExcept(" -?:!&*\t");
            if ((lead < 0 ? line.Length : lead) > 4 * DeepestPart) return int.MaxValue;
        }
        return deepest;
    }
}
