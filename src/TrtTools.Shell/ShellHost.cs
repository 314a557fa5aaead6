using System.Globalization;
using System.Management.Automation.Host;

namespace TrtTools.Shell;

/// <summary>What the engine knows of the program around it.</summary>
internal sealed class ShellHost : PSHost
{
    private readonly ShellScreen _screen = new();

    /// <summary>Set when the script said `exit`.</summary>
    public int? ExitCode { get; private set; }

    public ShellScreen Screen => _screen;

    public override string Name => "TrtTools.Shell";

    public override Version Version { get; } = typeof(ShellHost).Assembly.GetName().Version!;

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override PSHostUserInterface UI => _screen;

    public override CultureInfo CurrentCulture { get; } = CultureInfo.CurrentCulture;

    public override CultureInfo CurrentUICulture { get; } = CultureInfo.CurrentUICulture;

    public override void SetShouldExit(int exitCode) => ExitCode ??= exitCode;

    public override void EnterNestedPrompt() => throw new NotSupportedException("TrtTools.Shell has no prompt. Debug in PowerShell: dotnet tool install --global PowerShell");

    public override void ExitNestedPrompt() { }

    public override void NotifyBeginApplication() => _screen.ClearProgress();

    public override void NotifyEndApplication() { }
}
