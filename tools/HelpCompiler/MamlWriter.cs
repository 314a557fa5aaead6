using System.Xml.Linq;

namespace TrtTools.HelpCompiler;

/// <summary>Pages and classes together as the XML that Get-Help reads.</summary>
internal static class MamlWriter
{
    private static readonly XNamespace Msh = "http://msh";
    private static readonly XNamespace Maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace Command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace Dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    public static void Write(string path, IEnumerable<HelpPage> pages, Dictionary<string, CmdletShape> cmdlets, Diagnostics diagnostics)
    {
        XElement root = new(Msh + "helpItems", new XAttribute("schema", "maml"));
        foreach (HelpPage page in pages)
        {
            if (!cmdlets.TryGetValue(page.Name, out CmdletShape? cmdlet))
            {
                diagnostics.Warn(page.File, 1, $"no cmdlet is called {page.Name}");
                continue;
            }
            foreach (HelpParameter documented in page.Parameters.Where(d => !cmdlet.Parameters.Any(p => p.Name == d.Name)))
            {
                diagnostics.Warn(page.File, documented.Line, $"{page.Name} has no parameter -{documented.Name}");
            }
            foreach (ParameterShape missing in cmdlet.Parameters.Where(p => !p.Hidden && !page.Parameters.Any(d => d.Name == p.Name)))
            {
                diagnostics.Warn(page.File, 1, $"-{missing.Name} is not described");
            }
            root.Add(Page(page, cmdlet));
        }
        new XDocument(new XDeclaration("1.0", "utf-8", null), root).Save(path);
    }

    private static XElement Page(HelpPage page, CmdletShape cmdlet)
    {
        string[] name = page.Name.Split('-', 2);
        List<ParameterShape> parameters = [.. cmdlet.Parameters.Where(p => !p.Hidden)];
        if (cmdlet.SupportsShouldProcess) parameters.AddRange([CommonSwitch("WhatIf", "wi"), CommonSwitch("Confirm", "cf")]);
        return new XElement(Command + "command",
            new XAttribute(XNamespace.Xmlns + "maml", Maml), new XAttribute(XNamespace.Xmlns + "command", Command), new XAttribute(XNamespace.Xmlns + "dev", Dev),
            new XElement(Command + "details", new XElement(Command + "name", page.Name), new XElement(Command + "verb", name[0]), new XElement(Command + "noun", name[1]),
                new XElement(Maml + "description", Paragraph(page.Synopsis))),
            new XElement(Maml + "description", page.Description.Select(Paragraph)),
            new XElement(Command + "syntax", Sets(cmdlet, parameters).Select(set => SyntaxItem(page, parameters, set))),
            new XElement(Command + "parameters", parameters.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => Parameter(page, p, p.Uses[0], p.Uses))),
            new XElement(Command + "inputTypes", page.Inputs.Select(i => Described("inputType", i))),
            new XElement(Command + "returnValues", (page.Outputs.Count > 0 ? page.Outputs : cmdlet.OutputTypes).Select(o => Described("returnValue", o))),
            new XElement(Maml + "alertSet", page.Notes.Count > 0 ? new XElement(Maml + "alert", page.Notes.Select(Paragraph)) : null),
            new XElement(Command + "examples", page.Examples.Select((e, i) => new XElement(Command + "example",
                new XElement(Maml + "title", $"Example {i + 1}: {e.Title}"), new XElement(Dev + "code", e.Code),
                new XElement(Dev + "remarks", e.Remarks.Select(Paragraph))))),
            new XElement(Command + "relatedLinks", page.Links.Select(l => new XElement(Maml + "navigationLink", new XElement(Maml + "linkText", l), new XElement(Maml + "uri")))));
    }

    private static IEnumerable<string> Sets(CmdletShape cmdlet, List<ParameterShape> parameters)
    {
        List<string> sets = [.. parameters.SelectMany(p => p.Uses).Select(u => u.Set).Where(s => s.Length > 0).Distinct()];
        if (sets.Count == 0) return [""];
        return sets.OrderBy(s => s == cmdlet.DefaultSet ? 0 : 1);
    }

    private static XElement SyntaxItem(HelpPage page, List<ParameterShape> parameters, string set)
    {
        IEnumerable<(ParameterShape Shape, ParameterUse Use)> members = parameters
            .Select(p => (p, p.Uses.FirstOrDefault(u => u.Set == set) ?? p.Uses.FirstOrDefault(u => u.Set.Length == 0)!)).Where(m => m.Item2 is not null)
            .OrderBy(m => m.Item2.Position ?? int.MaxValue).ThenBy(m => m.Item2.Mandatory ? 0 : 1);
        return new XElement(Command + "syntaxItem", new XElement(Maml + "name", page.Name), members.Select(m => Parameter(page, m.Shape, m.Use, [m.Use])));
    }

    private static XElement Parameter(HelpPage page, ParameterShape shape, ParameterUse use, IReadOnlyList<ParameterUse> uses)
    {
        HelpParameter? text = page.Parameters.Find(p => p.Name == shape.Name);
        List<string> pipeline = [];
        if (uses.Any(u => u.ByValue)) pipeline.Add("ByValue");
        if (uses.Any(u => u.ByName)) pipeline.Add("ByPropertyName");
        XElement parameter = new(Command + "parameter",
            new XAttribute("required", use.Mandatory ? "true" : "false"), new XAttribute("variableLength", "true"), new XAttribute("globbing", shape.Globbing ? "true" : "false"),
            new XAttribute("pipelineInput", pipeline.Count == 0 ? "False" : $"True ({string.Join(", ", pipeline)})"),
            new XAttribute("position", use.Position is { } position && position >= 0 ? position.ToString(System.Globalization.CultureInfo.InvariantCulture) : "named"),
            new XAttribute("aliases", shape.Aliases.Length == 0 ? "none" : string.Join(", ", shape.Aliases)),
            new XElement(Maml + "name", shape.Name),
            new XElement(Maml + "description", (text?.Text ?? Common(shape.Name)).Select(Paragraph)));
        if (shape.Values.Length > 0)
        {
            parameter.Add(new XElement(Command + "parameterValueGroup", shape.Values.Select(v => new XElement(Command + "parameterValue", new XAttribute("required", "false"), new XAttribute("variableLength", "false"), v))));
        }
        if (!shape.IsSwitch) parameter.Add(new XElement(Command + "parameterValue", new XAttribute("required", "true"), new XAttribute("variableLength", "false"), shape.TypeName));
        parameter.Add(new XElement(Dev + "type", new XElement(Maml + "name", shape.TypeName), new XElement(Maml + "uri")));
        parameter.Add(new XElement(Dev + "defaultValue", text is { Default.Length: > 0 } ? text.Default : shape.IsSwitch ? "False" : "None"));
        return parameter;
    }

    private static ParameterShape CommonSwitch(string name, string alias) => new(name, "SwitchParameter", [], true, false, [alias], [new ParameterUse("", false, null, false, false, false)]);

    private static string[] Common(string name) => name switch
    {
        "WhatIf" => ["Makes every check and says what would be written, but writes nothing."],
        "Confirm" => ["Asks before it writes."],
        _ => [],
    };

    private static XElement Described(string element, string text)
    {
        int at = text.IndexOf(": ", StringComparison.Ordinal);
        (string name, string description) = at < 0 ? (text, "") : (text[..at], text[(at + 2)..]);
        return new XElement(Command + element, new XElement(Dev + "type", new XElement(Maml + "name", name)), new XElement(Maml + "description", Paragraph(description)));
    }

    private static XElement Paragraph(string text) => new(Maml + "para", text);
}
