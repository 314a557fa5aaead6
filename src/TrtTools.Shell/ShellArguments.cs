namespace TrtTools.Shell;

internal enum ShellAction { Nothing, Help, Version, File, Command, Invalid }

/// <summary>One argument for a script: a value, or a parameter with or without one.</summary>
internal sealed record ScriptArgument(string? Name, object? Value);

/// <summary>The command line, by the rules of pwsh: -File is the default and takes all that follows, -Command joins all that follows.</summary>
internal sealed record ShellArguments(ShellAction Action, string Text, IReadOnlyList<ScriptArgument> ScriptArguments, string Problem)
{
    // pwsh's ExitCodeBadCommandLineParameter, and what it gives for a script that isn't there.
    public const int InvalidExitCode = 64;

    private static readonly string[] Ignored = ["noprofile", "nop", "nologo", "nol", "noninteractive", "noni"];
    private static readonly string[] IgnoredWithValue = ["executionpolicy", "ex", "ep"];

    public static ShellArguments Parse(string[] args)
    {
        for (int i = 0; i < args.Length; i++)
        {
            string arg = args[i];
            if (arg == "--") continue;
            if (!arg.StartsWith('-') || arg == "-") return File(args, i);
            string name = arg.TrimStart('-').ToLowerInvariant();
            if (Ignored.Contains(name)) continue;
            if (IgnoredWithValue.Contains(name)) { i++; continue; }
            switch (name)
            {
                case "?" or "h" or "help": return new ShellArguments(ShellAction.Help, "", [], "");
                case "v" or "version": return new ShellArguments(ShellAction.Version, "", [], "");
                case "f" or "file":
                    return i + 1 < args.Length ? File(args, i + 1) : Invalid($"{arg} needs the path of a script.");
                case "c" or "command":
                    return i + 1 < args.Length ? Command(args[(i + 1)..]) : Invalid($"{arg} needs a command.");
                case "wd" or "workingdirectory" when i + 1 < args.Length:
                    if (!Directory.Exists(args[i + 1])) return Invalid($"The folder '{args[i + 1]}' does not exist.");
                    Directory.SetCurrentDirectory(args[++i]);
                    break;
                default: return Invalid($"'{arg}' is not an option of TrtTools.Shell; -Help lists them.");
            }
        }
        return new ShellArguments(ShellAction.Nothing, "", [], "");
    }

    private static ShellArguments Command(string[] words) =>
        new(ShellAction.Command, words is ["-"] ? Console.In.ReadToEnd() : string.Join(' ', words), [], "");

    private static ShellArguments File(string[] args, int at)
    {
        string path = System.IO.Path.GetFullPath(args[at]);
        if (!System.IO.File.Exists(path))
        {
            return Invalid($"The argument '{args[at]}' is not recognized as the name of a script file. Check the spelling of the name, or if a path was included, verify that the path is correct and try again.");
        }
        List<ScriptArgument> rest = [];
        string? pending = null;
        foreach (string arg in args.AsSpan(at + 1))
        {
            if (arg.Length > 1 && arg[0] == '-' && !char.IsAsciiDigit(arg[1]) && arg != "--")
            {
                if (pending is not null) rest.Add(new ScriptArgument(pending, null));
                pending = null;
                int colon = arg.IndexOf(':');
                if (colon < 0) pending = arg;
                else if (colon == arg.Length - 1) pending = arg[..colon];
                else rest.Add(new ScriptArgument(arg[..colon], Value(arg[(colon + 1)..])));
            }
            else
            {
                rest.Add(new ScriptArgument(pending, arg));
                pending = null;
            }
        }
        if (pending is not null) rest.Add(new ScriptArgument(pending, null));
        return new ShellArguments(ShellAction.File, path, rest, "");
    }

    // -Switch:$false is the one place where -File looks into a value.
    private static object Value(string text) => text.ToLowerInvariant() switch { "$true" => true, "$false" => false, _ => text };

    private static ShellArguments Invalid(string problem) => new(ShellAction.Invalid, "", [], problem);
}
