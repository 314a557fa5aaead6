using System.Management.Automation;
using TrtTools.Execution;

namespace TrtTools.Cmdlets;

/// <summary>An engine given as an object or by path. What was loaded from a file is kept for the next item, and disposed with the cmdlet.</summary>
internal sealed class EngineArgument : IDisposable
{
    private readonly Dictionary<string, Engine> _loaded = new(StringComparer.Ordinal);

    public Engine Get(TrtCmdlet cmdlet, object given, string parameter)
    {
        PSObject argument = PSObject.AsPSObject(given);
        return argument.BaseObject switch
        {
            string text => GetFile(cmdlet, text, literal: true),
            FileInfo file => GetFile(cmdlet, file.FullName, literal: true),
            _ when LiveObjectAttribute.FilePath(argument) is { } path => GetFile(cmdlet, path, literal: true),
            _ => LiveObjectAttribute.Get<Engine>(argument, parameter, "Import-Engine"),
        };
    }

    public Engine GetFile(TrtCmdlet cmdlet, string path, bool literal)
    {
        IReadOnlyList<string> files = InputPaths.Resolve(cmdlet, path, literal, ErrorCode.EngineNotFound);
        if (files.Count > 1) throw new TrtToolsException(ErrorCode.OptionInvalid, path, $"matches {files.Count} files", "It takes one engine", "Name one of them");
        if (!_loaded.TryGetValue(files[0], out Engine? engine)) _loaded[files[0]] = engine = cmdlet.Load(files[0]);
        return engine;
    }

    public void Dispose()
    {
        foreach (Engine engine in _loaded.Values) engine.Dispose();
    }
}
