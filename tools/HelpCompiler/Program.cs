using TrtTools.HelpCompiler;

// HelpCompiler SOURCES OUTPUT CMDLETS.DLL REFERENCES.RSP: Markdown pages to what Get-Help reads. docs/README.md describes the pages.
if (args.Length != 4)
{
    Console.Error.WriteLine("HelpCompiler SOURCES OUTPUT CMDLETS.DLL REFERENCES.RSP");
    return 2;
}

Diagnostics diagnostics = new();
string output = args[1];
Directory.CreateDirectory(output);
foreach (string old in Directory.EnumerateFiles(output, "*.help.txt")) File.Delete(old);
List<HelpPage> pages = [];
foreach (string file in Directory.EnumerateFiles(args[0], "*.md").Order(StringComparer.Ordinal))
{
    string name = Path.GetFileNameWithoutExtension(file);
    if (name.StartsWith("about_", StringComparison.Ordinal))
    {
        File.WriteAllText(Path.Combine(output, name + ".help.txt"), AboutTopic.Render(file, diagnostics));
    }
    else if (HelpPage.Parse(file, diagnostics) is { } page)
    {
        pages.Add(page);
    }
}
Dictionary<string, CmdletShape> cmdlets = CmdletShape.Read(args[2], File.ReadAllLines(args[3])).ToDictionary(c => c.Name, StringComparer.Ordinal);
MamlWriter.Write(Path.Combine(output, Path.GetFileName(args[2]) + "-Help.xml"), pages, cmdlets, diagnostics);
return diagnostics.ErrorCount == 0 ? 0 : 1;
