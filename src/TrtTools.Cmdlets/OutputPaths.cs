using System.Management.Automation;

namespace TrtTools.Cmdlets;

/// <summary>Where a writer's objects go: a file, a folder (the name comes from the object) or a script block's answer. One instance per invocation,
/// so that two objects can't be written to one file.</summary>
internal sealed class OutputPaths(PSCmdlet cmdlet)
{
    private readonly HashSet<string> _taken = new(OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);

    /// <summary>The full path for one object. The cheap checks of a write are made here, so that -WhatIf reports them too.</summary>
    public string Resolve(object given, object item, string name, string extension, bool force)
    {
        string text = Text(given, item);
        string full = InputPaths.Full(cmdlet, text);
        if (Directory.Exists(full) || Path.EndsInDirectorySeparator(text)) full = Path.Combine(full, SafeName(name) + extension);
        if (_taken.Contains(full))
        {
            throw new TrtToolsException(ErrorCode.OutputPathCollision, full, "another object of this pipeline was written there", "",
                $"Give a folder, or a script block such as {{ \"$($_.Name){extension}\" }}");
        }
        if (!force && File.Exists(full))
        {
            throw new TrtToolsException(ErrorCode.OutputPathExists, full, "the file exists already", "", "Use -Force to replace it, or give another path");
        }
        CheckFolder(full);
        _taken.Add(full);
        return full;
    }

    private string Text(object given, object item)
    {
        object? value = given is PSObject wrapped ? wrapped.BaseObject : given;
        if (value is ScriptBlock block)
        {
            List<PSObject> answers = [.. block.InvokeWithContext(null, [new PSVariable("_", item)]).Where(a => a is not null)];
            if (answers.Count != 1)
            {
                throw new TrtToolsException(ErrorCode.OutputPathInvalid, "The output path's script block", $"it gave {answers.Count} values", "", "Return one path for each object");
            }
            value = answers[0].BaseObject;
        }
        string text = value is FileSystemInfo file ? file.FullName : LanguagePrimitives.ConvertTo<string>(value) ?? "";
        return text.Length > 0 ? text : throw new TrtToolsException(ErrorCode.OutputPathInvalid, "The output path", "it is empty", "", "Give a file, a folder or a script block");
    }

    private static void CheckFolder(string full)
    {
        string? folder = Path.GetDirectoryName(full);
        if (folder is null || !Directory.Exists(folder))
        {
            throw new TrtToolsException(ErrorCode.OutputPathInvalid, full, "its folder does not exist", "", $"Create it: New-Item -ItemType Directory '{folder}'");
        }
    }

    internal static string SafeName(string name)
    {
        char[] invalid = Path.GetInvalidFileNameChars();
        string safe = new([.. name.Select(c => invalid.Contains(c) || c is ':' or '\\' or '/' ? '_' : c)]);
        return safe.Length == 0 ? "model" : safe;
    }
}
