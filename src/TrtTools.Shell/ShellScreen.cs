using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

namespace TrtTools.Shell;

/// <summary>Writes what the engine shows: colours, and a progress line, on a terminal only; errors to standard error.</summary>
internal sealed class ShellScreen : PSHostUserInterface
{
    private readonly ShellRawScreen _raw = new();
    private readonly Lock _gate = new();
    private int _progressLength;

    public override PSHostRawUserInterface RawUI => _raw;

    public override bool SupportsVirtualTerminal => ShellRawScreen.OutputIsTerminal;

    /// <summary>True while an error that ended the script is shown: what is written then belongs to standard error.</summary>
    public bool AllIsError { get; set; }

    public override void Write(string value)
    {
        if (AllIsError) Put(Console.Error, value, ErrorIsTerminal);
        else Put(Console.Out, value, ShellRawScreen.OutputIsTerminal);
    }

    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Write(value);

    public override void WriteLine(string value) => Write(value + "\n");

    public override void WriteErrorLine(string value) => Put(Console.Error, Styled(PSStyle.Instance.Formatting.Error, value) + "\n", ErrorIsTerminal);

    public override void WriteWarningLine(string message) => WriteLine(Styled(PSStyle.Instance.Formatting.Warning, "WARNING: " + message));

    public override void WriteVerboseLine(string message) => WriteLine(Styled(PSStyle.Instance.Formatting.Verbose, "VERBOSE: " + message));

    public override void WriteDebugLine(string message) => WriteLine(Styled(PSStyle.Instance.Formatting.Debug, "DEBUG: " + message));

    public override void WriteProgress(long sourceId, ProgressRecord record)
    {
        if (!ErrorIsTerminal || !ShellRawScreen.OutputIsTerminal) return;
        lock (_gate)
        {
            Erase();
            if (record.RecordType == ProgressRecordType.Completed) return;
            string line = ProgressLine.Render(record, Math.Max(20, _raw.WindowSize.Width - 1));
            _progressLength = line.Length;
            Console.Error.Write(line);
        }
    }

    /// <summary>Takes the progress line off the screen.</summary>
    public void ClearProgress()
    {
        lock (_gate) Erase();
    }

    public override string ReadLine()
    {
        ClearProgress();
        return Console.In.ReadLine() ?? "";
    }

    public override SecureString ReadLineAsSecureString() => throw NoPrompt("a password");

    public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions)
    {
        if (Console.IsInputRedirected) throw NoPrompt(string.Join(", ", descriptions.Select(d => d.Name)));
        if (caption.Length > 0) WriteLine(caption);
        if (message.Length > 0) WriteLine(message);
        Dictionary<string, PSObject> answers = [];
        foreach (FieldDescription field in descriptions)
        {
            Write(field.Name + ": ");
            answers[field.Name] = PSObject.AsPSObject(ReadLine());
        }
        return answers;
    }

    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
    {
        if (Console.IsInputRedirected) throw NoPrompt("a choice");
        if (caption.Length > 0) WriteLine(caption);
        if (message.Length > 0) WriteLine(message);
        string[] keys = [.. choices.Select(Key)];
        while (true)
        {
            string fallback = defaultChoice >= 0 ? $" (default is \"{keys[defaultChoice]}\")" : "";
            Write(string.Join("  ", choices.Select((c, i) => $"[{keys[i]}] {c.Label.Replace("&", "", StringComparison.Ordinal)}")) + fallback + ": ");
            if (Console.In.ReadLine() is not { } answer) throw NoPrompt("a choice");
            if (answer.Length == 0 && defaultChoice >= 0) return defaultChoice;
            int chosen = Array.FindIndex(keys, k => string.Equals(k, answer.Trim(), StringComparison.OrdinalIgnoreCase));
            if (chosen >= 0) return chosen;
        }
    }

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) => throw NoPrompt("a credential");

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName, PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options) => throw NoPrompt("a credential");

    private static bool ErrorIsTerminal => !Console.IsErrorRedirected;

    private static string Key(ChoiceDescription choice)
    {
        int at = choice.Label.IndexOf('&');
        return at >= 0 && at + 1 < choice.Label.Length ? choice.Label[at + 1].ToString().ToUpperInvariant() : choice.Label;
    }

    private static HostException NoPrompt(string what) => new($"The script asks for {what}, and there is no one to answer. Give it as a parameter.");

    private static string Styled(string style, string text) => style + text + PSStyle.Instance.Reset;

    private void Put(TextWriter writer, string text, bool colours)
    {
        lock (_gate)
        {
            Erase();
            writer.Write(GetOutputString(text, colours));
        }
    }

    private void Erase()
    {
        if (_progressLength == 0) return;
        Console.Error.Write("\r" + new string(' ', _progressLength) + "\r");
        _progressLength = 0;
    }
}
