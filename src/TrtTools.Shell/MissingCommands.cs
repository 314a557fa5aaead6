using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace TrtTools.Shell;

/// <summary>The cmdlets that a full PowerShell has and this host has not, so that a script that needs one is told where it is.</summary>
internal static class MissingCommands
{
    // Every cmdlet that PowerShell 7.6 itself brings in these modules, on Linux and Windows.
    private static readonly Dictionary<string, string> Modules = new()
    {
        ["Microsoft.PowerShell.Utility"] = """
            Out-GridView Out-Printer Show-Command ConvertFrom-SddlString
            Add-Member Add-Type Clear-Variable Compare-Object ConvertFrom-CliXml ConvertFrom-Csv ConvertFrom-Json ConvertFrom-Markdown
            ConvertFrom-StringData ConvertTo-CliXml ConvertTo-Csv ConvertTo-Html ConvertTo-Json ConvertTo-Xml Debug-Runspace Disable-PSBreakpoint
            Disable-RunspaceDebug Enable-PSBreakpoint Enable-RunspaceDebug Export-Alias Export-Clixml Export-Csv Export-FormatData Export-PSSession
            Format-Custom Format-Hex Format-List Format-Table Format-Wide Get-Alias Get-Culture Get-Date Get-Error Get-Event Get-EventSubscriber
            Get-FileHash Get-FormatData Get-Host Get-MarkdownOption Get-Member Get-PSBreakpoint Get-PSCallStack Get-Random Get-Runspace
            Get-RunspaceDebug Get-SecureRandom Get-TraceSource Get-TypeData Get-UICulture Get-Unique Get-Uptime Get-Variable Get-Verb Group-Object
            Import-Alias Import-Clixml Import-Csv Import-LocalizedData Import-PSSession Import-PowerShellDataFile Invoke-Expression Invoke-RestMethod
            Invoke-WebRequest Join-String Measure-Command Measure-Object New-Alias New-Event New-Guid New-Object New-TemporaryFile New-TimeSpan
            New-Variable Out-File Out-String Read-Host Register-EngineEvent Register-ObjectEvent Remove-Alias Remove-Event Remove-PSBreakpoint
            Remove-TypeData Remove-Variable Select-Object Select-String Select-Xml Send-MailMessage Set-Alias Set-Date Set-MarkdownOption
            Set-PSBreakpoint Set-TraceSource Set-Variable Show-Markdown Sort-Object Start-Sleep Tee-Object Test-Json Trace-Command Unblock-File
            Unregister-Event Update-FormatData Update-List Update-TypeData Wait-Debugger Wait-Event Write-Debug Write-Error Write-Host Write-Information
            Write-Output Write-Progress Write-Verbose Write-Warning
            """,
        ["Microsoft.PowerShell.Management"] = """
            Get-Service New-Service Remove-Service Restart-Service Resume-Service Set-Service Start-Service Stop-Service Suspend-Service Get-ComputerInfo
            Get-HotFix Clear-RecycleBin Rename-Computer Set-TimeZone
            Add-Content Clear-Content Clear-Item Clear-ItemProperty Convert-Path Copy-Item Copy-ItemProperty Debug-Process Get-ChildItem Get-Clipboard
            Get-Content Get-Item Get-ItemProperty Get-ItemPropertyValue Get-Location Get-PSDrive Get-PSProvider Get-Process Get-TimeZone Invoke-Item
            Join-Path Move-Item Move-ItemProperty New-Item New-ItemProperty New-PSDrive Pop-Location Push-Location Remove-Item Remove-ItemProperty
            Remove-PSDrive Rename-Item Rename-ItemProperty Resolve-Path Restart-Computer Set-Clipboard Set-Content Set-Item Set-ItemProperty
            Set-Location Split-Path Start-Process Stop-Computer Stop-Process Test-Connection Test-Path Wait-Process
            """,
        ["Microsoft.PowerShell.Security"] = """
            Get-Acl Set-Acl Get-AuthenticodeSignature Set-AuthenticodeSignature New-FileCatalog Test-FileCatalog
            ConvertFrom-SecureString ConvertTo-SecureString Get-CmsMessage Get-Credential Get-ExecutionPolicy Get-PfxCertificate Protect-CmsMessage
            Set-ExecutionPolicy Unprotect-CmsMessage
            """,
    };

    private static readonly Dictionary<string, string> Homes = Modules
        .SelectMany(m => m.Value.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).Select(name => (name, m.Key)))
        .ToDictionary(p => p.name, p => p.Key, StringComparer.OrdinalIgnoreCase);

    public static void Attach(Runspace runspace) => runspace.SessionStateProxy.InvokeCommand.CommandNotFoundAction = static (_, e) =>
    {
        if (!Homes.ContainsKey(e.CommandName)) return;
        e.Command = new CmdletInfo(e.CommandName, typeof(MissingCommand));
        e.StopSearch = true;
    };

    /// <summary>Stands for a cmdlet that is not there: takes whatever it is given and fails where it is called.</summary>
    public sealed class MissingCommand : PSCmdlet
    {
        [Parameter(ValueFromPipeline = true)]
        public object? InputObject { get; set; }

        [Parameter(ValueFromRemainingArguments = true)]
        public object[] Arguments { get; set; } = [];

        protected override void BeginProcessing()
        {
            string name = MyInvocation.MyCommand.Name;
            CommandNotFoundException problem = new($"{name} belongs to the module {Homes[name]}, which TrtTools.Shell does not have. Run the script in PowerShell: dotnet tool install --global PowerShell")
            {
                CommandName = name,
            };
            ThrowTerminatingError(new ErrorRecord(problem, nameof(CommandNotFoundException), ErrorCategory.ObjectNotFound, name));
        }
    }
}
