using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;
using System.Runtime.InteropServices;

namespace TrtTools.Shell;

/// <summary>One runspace with the module in it, which runs one script or command as `pwsh -File` or `pwsh -Command` would.</summary>
internal sealed class ShellSession : IDisposable
{
    private readonly ShellHost _host = new();
    private readonly Runspace _runspace;
    private readonly PosixSignalRegistration _terminate;
    private Pipeline? _running;
    private volatile bool _interrupted;

    public ShellSession(string module)
    {
        PointAtModule(module);
        InitialSessionState state = InitialSessionState.CreateDefault2();
        if (OperatingSystem.IsWindows()) state.ExecutionPolicy = Microsoft.PowerShell.ExecutionPolicy.RemoteSigned;
        _runspace = RunspaceFactory.CreateRunspace(_host, state);
        _runspace.Open();
        Runspace.DefaultRunspace = _runspace;
        MissingCommands.Attach(_runspace);
        Console.CancelKeyPress += OnCancel;
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnTerminate);
        Import(module);
    }

    public int RunFile(string path, IReadOnlyList<ScriptArgument> arguments)
    {
        Pipeline pipeline = _runspace.CreatePipeline();
        Command script = string.Equals(Path.GetExtension(path), ".ps1", StringComparison.OrdinalIgnoreCase)
            ? new Command(path, isScript: false, useLocalScope: false)
            : new Command(File.ReadAllText(path), isScript: true, useLocalScope: false);
        foreach (ScriptArgument argument in arguments)
        {
            if (argument.Name is null) script.Parameters.Add(null, argument.Value);
            else if (argument.Value is null) script.Parameters.Add(argument.Name);
            else script.Parameters.Add(argument.Name, argument.Value);
        }
        pipeline.Commands.Add(script);
        LetExitEndTheProgram();
        bool threw = !Execute(pipeline);
        return ExitCode(threw || !LastSucceeded() ? 1 : 0);
    }

    public int RunCommand(string text)
    {
        bool threw = !Execute(_runspace.CreatePipeline(text, addToHistory: true));
        return ExitCode(threw || !LastSucceeded() ? 1 : 0);
    }

    public void Dispose()
    {
        _terminate.Dispose();
        Console.CancelKeyPress -= OnCancel;
        _host.Screen.ClearProgress();
        _runspace.Dispose();
    }

    private int ExitCode(int otherwise) => _host.ExitCode ?? otherwise;

    // False when an exception ended the pipeline; it has then been shown.
    private bool Execute(Pipeline pipeline)
    {
        using (pipeline)
        {
            pipeline.Commands[0].MergeMyResults(PipelineResultTypes.Error, PipelineResultTypes.Output);
            pipeline.Commands.Add(OutDefault());
            _running = pipeline;
            try
            {
                pipeline.Input.Close();
                pipeline.Invoke();
                return true;
            }
            catch (PipelineStoppedException)
            {
                return false;
            }
            catch (Exception e) when (e is RuntimeException or InvalidOperationException)
            {
                _running = null;
                Show(e);
                return false;
            }
            finally
            {
                _running = null;
                _host.Screen.ClearProgress();
            }
        }
    }

    private void Show(Exception e)
    {
        ErrorRecord record = e is IContainsErrorRecord { ErrorRecord: { } own } ? own : new ErrorRecord(e, "TrtTools.Shell", ErrorCategory.NotSpecified, null);
        using Pipeline pipeline = _runspace.CreatePipeline();
        pipeline.Commands.Add("Out-Default");
        _host.Screen.AllIsError = true;
        try
        {
            pipeline.Input.Write(record);
            pipeline.Input.Close();
            pipeline.Invoke();
        }
        finally
        {
            _host.Screen.AllIsError = false;
        }
    }

    private static Command OutDefault() => new("Out-Default", isScript: false, useLocalScope: true)
    {
        MergeUnclaimedPreviousCommandResults = PipelineResultTypes.Error | PipelineResultTypes.Output,
    };

    private bool LastSucceeded()
    {
        using Pipeline pipeline = _runspace.CreatePipeline("$global:?");
        return pipeline.Invoke() is [{ } result] && LanguagePrimitives.IsTrue(result);
    }

    // `exit` in a script file ends that file only, unless the engine is told that the file is the whole program, as pwsh tells it.
    private void LetExitEndTheProgram()
    {
        if (Hidden("ScriptCommandProcessorShouldRethrowExit") is { } found) found.Property.SetValue(found.Context, true);
    }

    private (object Context, PropertyInfo Property)? Hidden(string name)
    {
        const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.NonPublic;
        object? context = typeof(Runspace).GetProperty("ExecutionContext", Hidden)?.GetValue(_runspace);
        return context?.GetType().GetProperty(name, Hidden) is { } property ? (context, property) : null;
    }

    private void Import(string module)
    {
        using Pipeline pipeline = _runspace.CreatePipeline();
        Command import = new("Import-Module");
        import.Parameters.Add("Name", Path.Combine(module, "TrtTools.psd1"));
        import.Parameters.Add("Global");
        pipeline.Commands.Add(import);
        Execute(pipeline);
    }

    // So that `Import-Module TrtTools` finds it too. A full PowerShell's own modules belong to its own engine and stay out.
    private static void PointAtModule(string module)
    {
        IEnumerable<string> others = (Environment.GetEnvironmentVariable("PSModulePath") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Where(p => !Directory.Exists(Path.Combine(p, "Microsoft.PowerShell.Utility")));
        Environment.SetEnvironmentVariable("PSModulePath", string.Join(Path.PathSeparator, others.Prepend(Path.GetDirectoryName(module)!)));
    }

    private void OnCancel(object? sender, ConsoleCancelEventArgs e)
    {
        if (_interrupted || _running is not { } running) return;   // the second Ctrl+C ends the process
        e.Cancel = true;
        _interrupted = true;
        running.StopAsync();
    }

    private void OnTerminate(PosixSignalContext context)
    {
        context.Cancel = true;
        _host.SetShouldExit(143);
        if (_running is { } running) running.StopAsync();
        else Environment.Exit(143);
    }
}
