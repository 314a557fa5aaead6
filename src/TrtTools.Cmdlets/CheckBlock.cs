using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Text.RegularExpressions;
using TrtTools.Debugging;

namespace TrtTools.Cmdlets;

/// <summary>The script block of -Check, and how its result is read: an error is bad, and so is $false or an object whose Passed is $false; anything else is good.</summary>
internal sealed class CheckBlock(ScriptBlock block, string[]? failPattern)
{
    private readonly Regex[] _patterns = [.. (failPattern ?? []).Select(Pattern)];

    /// <summary>What decides the outcome, for the replay file.</summary>
    public string Text => string.Join('\n', (failPattern ?? []).Select(p => $"-FailPattern {p}").Prepend(block.ToString()));

    private static Regex Pattern(string text)
    {
        try
        {
            return new Regex(text, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
        }
        catch (ArgumentException e)
        {
            throw new TrtToolsException(ErrorCode.OptionInvalid, "-FailPattern", $"'{text}' is no regular expression ({e.Message.TrimEnd('.')})", "", "Correct it; [regex]::Escape('…') takes a text as it stands", e);
        }
    }

    /// <summary>Runs on the pipeline's thread. The item is $_ and the first argument; the variables hold what belongs to it.</summary>
    public CheckVerdict Run(object item, IReadOnlyDictionary<string, object?> variables)
    {
        List<PSVariable> all = [new PSVariable("_", item), new PSVariable("ErrorActionPreference", ActionPreference.Stop), new PSVariable("PSNativeCommandUseErrorActionPreference", true)];
        all.AddRange(variables.Select(v => new PSVariable(v.Key, v.Value)));
        try
        {
            return Judge([.. block.InvokeWithContext(null, all, item).Where(o => o is not null)]);
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            ErrorRecord record = e.ErrorRecord;
            Exception fault = record.Exception;
            if (IsBlocks(e) || IsBlocks(fault) || record.FullyQualifiedErrorId == nameof(CommandNotFoundException))
            {
                // A check that cannot run says nothing, and a search that took it for the fault would find something arbitrary.
                throw new TrtToolsException(ErrorCode.OptionInvalid, "-Check", $"the script block could not run ({fault.Message.TrimEnd('.')})", "", "Correct the script block", e);
            }
            string reason = fault.Message;
            if (_patterns.Length == 0 || _patterns.Any(p => p.IsMatch(reason) || p.IsMatch(record.FullyQualifiedErrorId))) return new CheckVerdict(CheckOutcome.Bad, reason);
            return new CheckVerdict(CheckOutcome.Other, reason);
        }
    }

    private static bool IsBlocks(Exception e) => e is CommandNotFoundException or ParameterBindingException or ParseException;

    private static CheckVerdict Judge(IReadOnlyList<PSObject> results)
    {
        foreach (PSObject result in results)
        {
            if (result.BaseObject is false) return new CheckVerdict(CheckOutcome.Bad, "the check gave $false");
            if (result.Properties["Passed"]?.Value is not (false or PSObject { BaseObject: false })) continue;
            string reason = result.Properties["Reason"]?.Value?.ToString() ?? "";
            return new CheckVerdict(CheckOutcome.Bad, reason.Length > 0 ? reason : "the check gave an object whose Passed is $false");
        }
        return new CheckVerdict(CheckOutcome.Good, results.All(r => r.BaseObject is true) ? "" : string.Create(CultureInfo.InvariantCulture, $"the check gave {Describe(results)}"));
    }

    private static string Describe(IReadOnlyList<PSObject> results) => results.Count == 1
        ? results[0].BaseObject is bool or string or IFormattable ? $"'{SurgeryArguments.Text(results[0])}'" : $"a {results[0].BaseObject.GetType().Name}"
        : string.Create(CultureInfo.InvariantCulture, $"{results.Count} objects, none of them $false or with Passed $false");
}
