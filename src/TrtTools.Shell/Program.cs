namespace TrtTools.Shell;

internal static class Program
{
    private const string Usage = """
        TrtTools.Shell runs TrtTools scripts and commands on a machine that has only the .NET SDK.

            TrtTools.Shell [-File] SCRIPT.ps1 [ARGUMENTS]
            TrtTools.Shell -Command "COMMANDS"

        It is no prompt. For a prompt with Tab and history install PowerShell 7.6:

            dotnet tool install --global PowerShell
            pwsh -NoExit -Command "Import-Module ./out/TrtTools"
        """;

    private static int Main(string[] args)
    {
        ShellArguments arguments = ShellArguments.Parse(args);
        switch (arguments.Action)
        {
            case ShellAction.Help:
                Console.Out.WriteLine(Usage);
                return 0;
            case ShellAction.Version:
                Console.Out.WriteLine($"TrtTools.Shell {typeof(Program).Assembly.GetName().Version?.ToString(3)}");
                return 0;
            case ShellAction.Nothing:
                Console.Error.WriteLine(Usage);
                return 2;
            case ShellAction.Invalid:
                Console.Error.WriteLine(arguments.Problem);
                return ShellArguments.InvalidExitCode;
        }
        string? module = ModuleFinder.Find();
        if (module is null)
        {
            Console.Error.WriteLine($"The module TrtTools was not found. Build it with `dotnet build`, or set {ModuleFinder.Variable} to its folder.");
            return 1;
        }
        using ShellSession session = new(module);
        return arguments.Action == ShellAction.File ? session.RunFile(arguments.Text, arguments.ScriptArguments) : session.RunCommand(arguments.Text);
    }
}
