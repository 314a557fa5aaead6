using System.Management.Automation;
using System.Management.Automation.Language;
using System.Text.RegularExpressions;

namespace TrtTools.Cmdlets.Tests;

/// <summary>Reads every script of the repository with PowerShell's own parser, so that none rots where it can't be run.</summary>
public sealed partial class ScriptCheckTests : IDisposable
{
    // Ids that the engine gives before a cmdlet runs.
    private static readonly string[] EngineIds = ["CannotConvertArgumentNoMessage", "ParameterArgumentValidationError", "NamedParameterNotFound", "AmbiguousParameterSet", "MissingArgument", "ParameterArgumentTransformationError", "ParameterArgumentValidationErrorNullNotAllowed", "ParameterArgumentValidationErrorEmptyStringNotAllowed", "InputObjectNotBound"];

    private readonly ModuleSession _session = new();
    private readonly Dictionary<string, CommandInfo> _commands;
    private readonly string[] _codes;

    public ScriptCheckTests()
    {
        _commands = _session.Run("Get-Command -Module TrtTools").Output.Select(o => (CommandInfo)o.BaseObject).ToDictionary(c => c.Name, StringComparer.OrdinalIgnoreCase);
        _codes = [.. _session.Run("[Enum]::GetNames([TrtTools.ErrorCode])").Output.Select(o => o.ToString())];
    }

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Scripts_are_sound()
    {
        List<string> problems = [];
        foreach (string file in Repository.Scripts) Check(Path.GetRelativePath(Repository.Root, file), File.ReadAllText(file), 0, problems);
        Assert.NotEmpty(Repository.Scripts);
        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    [Fact]
    public void Code_in_documents_is_sound()
    {
        List<string> problems = [];
        foreach (string file in Repository.HelpPages.Concat(Directory.EnumerateFiles(Repository.Root, "*.md")).Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "examples"), "*.md", SearchOption.AllDirectories)))
        {
            string text = File.ReadAllText(file).ReplaceLineEndings("\n");
            foreach (Match fence in PowerShellFence().Matches(text))
            {
                Check(Path.GetRelativePath(Repository.Root, file), fence.Groups[1].Value, text[..fence.Groups[1].Index].Count(c => c == '\n'), problems);
            }
        }
        Assert.True(problems.Count == 0, string.Join('\n', problems));
    }

    [Theory]
    [InlineData("Import-OnnxGraph (", "')'")]
    [InlineData("Import-OnnxGraf x", "Import-OnnxGraf")]
    [InlineData("Import-OnnxGraph -Pfad x", "-Pfad")]
    [InlineData("TrtTools\\Run-Engine", "Run-Engine")]
    [InlineData("{ x } | Should -Throw -ErrorId 'NoSuchCode,TrtTools.Cmdlets.ImportOnnxGraphCommand'", "NoSuchCode")]
    [InlineData("$_ -eq 'ModelNotFound,TrtTools.Cmdlets.NoSuchCommand'", "NoSuchCommand")]
    [InlineData("It 'does' { 1 + 1 }", "Should")]
    public void What_is_wrong_is_found(string script, string expected)
    {
        List<string> problems = [];
        Check("script", script, 0, problems);
        Assert.Contains(problems, p => p.Contains(expected, StringComparison.Ordinal));
    }

    private void Check(string file, string text, int lineOffset, List<string> problems)
    {
        ScriptBlockAst script = Parser.ParseInput(text, out _, out ParseError[] errors);
        foreach (ParseError error in errors) Add(error.Extent, error.Message);
        HashSet<string> nouns = new(_commands.Values.Select(c => c.Name.Split('-')[1]), StringComparer.OrdinalIgnoreCase);
        HashSet<string> functions = new(script.FindAll(a => a is FunctionDefinitionAst, true).Select(a => ((FunctionDefinitionAst)a).Name), StringComparer.OrdinalIgnoreCase);
        foreach (CommandAst command in script.FindAll(a => a is CommandAst, true).Cast<CommandAst>())
        {
            string? full = command.GetCommandName();
            if (full is null) continue;
            string name = full.Split('\\')[^1];
            bool qualified = full.StartsWith("TrtTools\\", StringComparison.OrdinalIgnoreCase);
            if (_commands.TryGetValue(name, out CommandInfo? known))
            {
                foreach (CommandParameterAst parameter in command.CommandElements.OfType<CommandParameterAst>().Where(p => !Matches(known, p.ParameterName)))
                {
                    Add(parameter.Extent, $"{known.Name} has no parameter -{parameter.ParameterName}");
                }
            }
            else if (qualified || (name.Contains('-', StringComparison.Ordinal) && !functions.Contains(name) && LooksLikeOurs(name.Split('-', 2)[1], nouns)))
            {
                Add(command.Extent, $"{name} is no command of TrtTools");
            }
            if (name == "It" && !command.FindAll(a => a is CommandAst, true).Cast<CommandAst>().Any(c => c.GetCommandName() is "Should")) Add(command.Extent, "It has no Should");
        }
        foreach (Ast literal in script.FindAll(a => a is StringConstantExpressionAst or ExpandableStringExpressionAst, true))
        {
            string value = literal is StringConstantExpressionAst constant ? constant.Value : ((ExpandableStringExpressionAst)literal).Value;
            foreach (Match id in ErrorId().Matches(value))
            {
                if (!_codes.Contains(id.Groups[1].Value) && !EngineIds.Contains(id.Groups[1].Value)) Add(literal.Extent, $"{id.Groups[1].Value} is no error code");
                if (!_commands.Values.Any(c => c.Name.Replace("-", "", StringComparison.Ordinal) + "Command" == id.Groups[2].Value)) Add(literal.Extent, $"{id.Groups[2].Value} is no command class");
            }
        }

        void Add(IScriptExtent extent, string problem) => problems.Add($"{file}({extent.StartLineNumber + lineOffset}): {problem}");
    }

    private static bool Matches(CommandInfo command, string parameter) => command.Parameters.Values.SelectMany(p => p.Aliases.Append(p.Name)).Any(n => n.StartsWith(parameter, StringComparison.OrdinalIgnoreCase));

    // A noun of ours, or one a letter or two away from one.
    private static bool LooksLikeOurs(string noun, HashSet<string> nouns) => nouns.Any(n => n.Equals(noun, StringComparison.OrdinalIgnoreCase) || (n.Length > 6 && noun.Length > 6 && n[..6].Equals(noun[..6], StringComparison.OrdinalIgnoreCase)));

    [GeneratedRegex(@"\b(\w+),TrtTools\.Cmdlets\.(\w+)")]
    private static partial Regex ErrorId();

    [GeneratedRegex(@"^```powershell\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex PowerShellFence();
}
