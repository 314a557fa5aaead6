namespace TrtTools.HelpCompiler;

/// <summary>Says what is wrong with a page in the form that MSBuild reads: file(line): kind code: text.</summary>
internal sealed class Diagnostics
{
    public int ErrorCount { get; private set; }

    public void Warn(string file, int line, string text) => Console.WriteLine($"{Path.GetFullPath(file)}({line}): warning HELP001: {text}");

    public void Fail(string file, int line, string text)
    {
        ErrorCount++;
        Console.WriteLine($"{Path.GetFullPath(file)}({line}): error HELP002: {text}");
    }
}
