using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace TrtTools.Cmdlets.Tests;

/// <summary>What one script gave, stream by stream.</summary>
internal sealed record Outcome(Collection<PSObject> Output, IReadOnlyList<ErrorRecord> Errors, IReadOnlyList<string> Warnings, IReadOnlyList<string> Verbose, IReadOnlyList<ProgressRecord> Progress, ErrorRecord? Terminating)
{
    public PSObject Single => Assert.Single(Output);

    /// <summary>The ids of all errors, the one that ended the script last.</summary>
    public string[] ErrorIds => [.. Errors.Select(e => e.FullyQualifiedErrorId), .. Terminating is null ? [] : new[] { Terminating.FullyQualifiedErrorId }];

    public Outcome WithoutErrors()
    {
        Assert.True(Errors.Count == 0 && Terminating is null, string.Join('\n', Errors.Append(Terminating).Where(e => e is not null).Select(e => $"{e!.FullyQualifiedErrorId}: {e}")));
        return this;
    }
}

/// <summary>A PowerShell engine with the module that `dotnet build` left, and a folder of its own as the location.</summary>
internal sealed class ModuleSession : IDisposable
{
    // Imports at the same moment in several engines of one process sometimes do not find the module.
    private static readonly Lock Importing = new();
    private readonly Runspace _runspace;

    public ModuleSession()
    {
        Folder = Directory.CreateTempSubdirectory("trttools-test-").FullName;
        _runspace = RunspaceFactory.CreateRunspace(InitialSessionState.CreateDefault2());
        _runspace.Open();
        lock (Importing) Run("param($module, $folder) Import-Module $module -ErrorAction Stop; $ExecutionContext.SessionState.Path.SetLocation($folder) > $null", Repository.Module, Folder).WithoutErrors();
    }

    public string Folder { get; }

    public Runspace Runspace => _runspace;

    public string InFolder(string name) => Path.Combine(Folder, name);

    /// <summary>Runs a script; what `param()` declares is filled from <paramref name="arguments"/>.</summary>
    public Outcome Run(string script, params object?[] arguments)
    {
        using PowerShell shell = Create(script, arguments);
        Collection<PSObject> output = [];
        ErrorRecord? terminating = null;
        try
        {
            output = shell.Invoke();
        }
        catch (RuntimeException e)
        {
            terminating = e.ErrorRecord;
        }
        return new Outcome(output, [.. shell.Streams.Error], [.. shell.Streams.Warning.Select(w => w.Message)], [.. shell.Streams.Verbose.Select(v => v.Message)], [.. shell.Streams.Progress], terminating);
    }

    public PowerShell Create(string script, params object?[] arguments)
    {
        PowerShell shell = PowerShell.Create(_runspace);
        shell.AddScript(script);
        foreach (object? argument in arguments) shell.AddArgument(argument);
        return shell;
    }

    public void Dispose()
    {
        _runspace.Dispose();
        try { Directory.Delete(Folder, recursive: true); } catch (IOException) { }
    }
}
