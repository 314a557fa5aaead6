using System.Management.Automation;
using System.Management.Automation.Language;
using System.Reflection;

namespace TrtTools.Cmdlets.Tests;

/// <summary>Manifest exports = command classes = help pages = Pester files, and help says what the classes say.</summary>
public sealed class ConsistencyTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    private static string[] Exported
    {
        get
        {
            ScriptBlockAst manifest = Parser.ParseFile(Path.Combine(Repository.Root, "TrtTools.psd1"), out _, out _);
            HashtableAst table = (HashtableAst)manifest.Find(a => a is HashtableAst, searchNestedScriptBlocks: false)!;
            object names = table.KeyValuePairs.First(p => p.Item1.Extent.Text == "CmdletsToExport").Item2.Find(a => a is ArrayExpressionAst, false)!.SafeGetValue();
            return [.. ((object[])names).Cast<string>().Order(StringComparer.Ordinal)];
        }
    }

    private CmdletInfo[] Cmdlets => [.. _session.Run("Get-Command -Module TrtTools").WithoutErrors().Output.Select(o => (CmdletInfo)o.BaseObject).OrderBy(c => c.Name, StringComparer.Ordinal)];

    [Fact]
    public void Manifest_exports_the_command_classes()
    {
        Type[] classes = [.. Cmdlets[0].ImplementingType.Assembly.GetExportedTypes().Where(t => t.GetCustomAttribute<CmdletAttribute>() is not null)];
        Assert.Equal(Exported, classes.Select(t => t.GetCustomAttribute<CmdletAttribute>()!).Select(a => $"{a.VerbName}-{a.NounName}").Order(StringComparer.Ordinal));
        Assert.Equal(Exported, Cmdlets.Select(c => c.Name));
        Assert.All(classes, c => Assert.True(c.IsSealed && c.Name == c.GetCustomAttribute<CmdletAttribute>()!.VerbName + c.GetCustomAttribute<CmdletAttribute>()!.NounName + "Command", c.Name));
    }

    [Fact]
    public void Each_cmdlet_has_a_help_page() =>
        Assert.Equal(Exported, Repository.HelpPages.Select(p => Path.GetFileNameWithoutExtension(p)!).Where(n => !n.StartsWith("about_", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    [Fact]
    public void Each_cmdlet_has_a_Pester_file() =>
        Assert.Equal(Exported, Directory.EnumerateFiles(Path.Combine(Repository.Root, "tests", "Pester"), "*.Tests.ps1").Select(f => Path.GetFileName(f).Replace(".Tests.ps1", "", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    [Fact]
    public void Each_cmdlet_says_what_it_gives_and_has_an_approved_verb()
    {
        string[] verbs = [.. typeof(VerbsCommon).Assembly.GetExportedTypes().Where(t => t.Name.StartsWith("Verbs", StringComparison.Ordinal) && t.IsAbstract).SelectMany(t => t.GetFields()).Select(f => (string)f.GetRawConstantValue()!)];
        Assert.All(Cmdlets, c => Assert.NotEmpty(c.OutputType));
        Assert.All(Cmdlets, c => Assert.Contains(c.Verb, verbs));
    }

    [Fact]
    public void Each_type_given_has_a_table_view()
    {
        string views = File.ReadAllText(Path.Combine(Repository.Module, "TrtTools.Format.ps1xml"));
        foreach (string type in Cmdlets.SelectMany(c => c.OutputType).Select(t => t.Name).Where(t => t.StartsWith("TrtTools.", StringComparison.Ordinal)).Distinct())
        {
            Assert.Contains($"<TypeName>{type}</TypeName>", views, StringComparison.Ordinal);
        }
        Assert.All(System.Xml.Linq.XDocument.Parse(views).Descendants("TypeName"), t => _session.Run($"[{t.Value}]").WithoutErrors());
    }

    [Fact]
    public void Writers_paths_do_not_bind_by_property_name()
    {
        foreach (CmdletInfo cmdlet in Cmdlets.Where(c => c.Parameters.ContainsKey("WhatIf")))
        {
            foreach (string name in new[] { "Path", "OutputPath" })
            {
                if (!cmdlet.Parameters.TryGetValue(name, out ParameterMetadata? parameter)) continue;
                Assert.All(parameter.ParameterSets.Values, s => Assert.False(s.ValueFromPipelineByPropertyName || s.ValueFromPipeline, $"{cmdlet.Name} -{name}"));
            }
        }
    }

    [Fact]
    public void Help_describes_each_parameter_and_has_two_examples()
    {
        foreach (CmdletInfo cmdlet in Cmdlets)
        {
            PSObject help = _session.Run("param($name) Get-Help $name -Full", cmdlet.Name).WithoutErrors().Single;
            Assert.False(string.IsNullOrWhiteSpace(Text(help, "Synopsis")), cmdlet.Name);
            Assert.False(string.IsNullOrWhiteSpace(_session.Run("param($h) $h.description.Text", help).Output.FirstOrDefault()?.ToString()), cmdlet.Name);
            Assert.True(_session.Run("param($h) @($h.examples.example).Count", help).Single.BaseObject is >= 2, $"{cmdlet.Name}: fewer than two examples");
            foreach (ParameterMetadata parameter in Own(cmdlet))
            {
                PSObject found = _session.Run("param($name, $parameter) Get-Help $name -Parameter $parameter", cmdlet.Name, parameter.Name).WithoutErrors().Single;
                Assert.False(string.IsNullOrWhiteSpace(_session.Run("param($h) ($h.description | ForEach-Object Text) -join ' '", found).Single.ToString()), $"{cmdlet.Name} -{parameter.Name}");
            }
        }
    }

    [Fact]
    public void Help_repeats_what_the_classes_say()
    {
        foreach (CmdletInfo cmdlet in Cmdlets)
        {
            object instance = Activator.CreateInstance(cmdlet.ImplementingType)!;
            foreach (ParameterMetadata parameter in Own(cmdlet))
            {
                PSObject help = _session.Run("param($name, $parameter) Get-Help $name -Parameter $parameter", cmdlet.Name, parameter.Name).WithoutErrors().Single;
                ParameterSetMetadata[] sets = [.. parameter.ParameterSets.Values];
                string where = $"{cmdlet.Name} -{parameter.Name}";
                Assert.Equal(sets.Any(s => s.ValueFromPipeline || s.ValueFromPipelineByPropertyName), Text(help, "pipelineInput").StartsWith("True", StringComparison.OrdinalIgnoreCase));
                Assert.Equal(sets.Any(s => s.Position >= 0), Text(help, "position") != "named");
                Assert.Equal(sets[0].IsMandatory, Text(help, "required") == "true");
                string given = Text(help, "defaultValue");
                object? value = cmdlet.ImplementingType.GetProperty(parameter.Name)?.GetValue(instance);
                if (given == "None" || value is null or SwitchParameter or "" or Array) continue;
                Assert.True(given.StartsWith(Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!, StringComparison.OrdinalIgnoreCase), $"{where}: help says its default is {given}, the class {value}");
            }
        }
    }

    [Theory]
    [InlineData("de-DE")]
    [InlineData("en-US")]
    public void Help_is_found_in_any_language(string language)
    {
        System.Globalization.CultureInfo before = System.Globalization.CultureInfo.CurrentUICulture;
        try
        {
            System.Globalization.CultureInfo.CurrentUICulture = new System.Globalization.CultureInfo(language);
            using ModuleSession session = new();
            Assert.Contains("ONNX", Text(session.Run("Get-Help Import-OnnxGraph").WithoutErrors().Single, "Synopsis"), StringComparison.Ordinal);
            Assert.NotEmpty(session.Run("Get-Help about_TrtTools_Quantization").WithoutErrors().Output);
        }
        finally
        {
            System.Globalization.CultureInfo.CurrentUICulture = before;
        }
    }

    private static IEnumerable<ParameterMetadata> Own(CmdletInfo cmdlet) =>
        cmdlet.Parameters.Values.Where(p => !Cmdlet.CommonParameters.Contains(p.Name) && !Cmdlet.OptionalCommonParameters.Contains(p.Name));

    private static string Text(PSObject item, string property) => item.Properties[property]?.Value?.ToString()?.Trim() ?? "";
}
