using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Passes;

namespace TrtTools.Cmdlets;

/// <summary>Offers names that contain what was typed; those that start with it come first.</summary>
public abstract class NameCompleter : IArgumentCompleter
{
    public IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string typed = (wordToComplete ?? "").Trim('\'', '"');
        List<CompletionResult> results = [];
        try
        {
            foreach ((string text, string tip) in Candidates(commandAst, fakeBoundParameters).DistinctBy(c => c.Text)
                .Where(c => c.Text.Contains(typed, StringComparison.OrdinalIgnoreCase))
                .OrderBy(c => c.Text.StartsWith(typed, StringComparison.OrdinalIgnoreCase) ? 0 : 1).ThenBy(c => c.Text, StringComparer.OrdinalIgnoreCase))
            {
                results.Add(new CompletionResult(Write(text), text, CompletionResultType.ParameterValue, tip.Length == 0 ? text : tip));
            }
        }
        catch (Exception e) when (e is TrtToolsException or IOException or UnauthorizedAccessException)
        {
            // Nothing to offer: a completer must not disturb the prompt.
        }
        return results;
    }

    private protected abstract IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound);

    private protected virtual string Write(string text) => Quote(text);

    /// <summary>The name as PowerShell reads it as one argument.</summary>
    internal static string Quote(string name) =>
        name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.') && (char.IsAsciiLetter(name[0]) || name[0] == '_') ? name : $"'{name.Replace("'", "''", StringComparison.Ordinal)}'";
}

/// <summary>Names of the optimizer's passes.</summary>
public sealed class PassNameCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => GraphOptimizer.PassNames.Select(n => (n, ""));
}

/// <summary>Names of fusion patterns.</summary>
public sealed class FusionPatternCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => LayerFusion.PatternNames.Select(n => (n, ""));
}

/// <summary>What -Reference takes beside engines and paths.</summary>
public sealed class ReferenceCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => [("OnnxRuntime", "the original model in ONNX Runtime, its optimizations off")];
}

/// <summary>Offers a whole @{ … } for the graph's inputs.</summary>
public abstract class InputMapCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound)
    {
        List<GraphTensor> inputs = [.. GraphAtCursor.Find(command, bound)?.Inputs ?? []];
        if (inputs.Count == 0) yield break;
        yield return ($"@{{ {string.Join("; ", inputs.Select(i => $"{Quote(i.Name)} = {Value(i)}"))} }}", string.Join(", ", inputs));
        if (inputs.Count == 1) yield break;
        foreach (GraphTensor input in inputs) yield return ($"@{{ {Quote(input.Name)} = {Value(input)} }}", input.ToString());
    }

    private protected sealed override string Write(string text) => text;

    private protected abstract string Value(GraphTensor input);

    private protected static string Shape(GraphTensor input) => input.Shape.Length == 0 ? "@()" : string.Join(',', input.Shape.Select(d => d < 0 ? 1 : d));
}

/// <summary>Offers the inputs with their shapes, dynamic extents as 1.</summary>
public sealed class InputShapeCompleter : InputMapCompleter
{
    private protected override string Value(GraphTensor input) => Shape(input);
}

/// <summary>Offers the inputs with their shapes, the first extent as a symbol.</summary>
public sealed class FreeShapeCompleter : InputMapCompleter
{
    private protected override string Value(GraphTensor input) => input.Shape.Length == 0 ? "@()" : string.Join(',', input.Shape.Skip(1).Select(d => d < 0 ? "'?'" : d.ToString(System.Globalization.CultureInfo.InvariantCulture)).Prepend("'batch'"));
}

/// <summary>Offers the inputs with a value to change.</summary>
public sealed class GraphInputMapCompleter : InputMapCompleter
{
    private protected override string Value(GraphTensor input) => "0";
}

/// <summary>Offers the inputs with three shapes each: min, opt, max.</summary>
public sealed class OptimizationProfileCompleter : InputMapCompleter
{
    private protected override string Value(GraphTensor input) => $"({Shape(input)}), ({Shape(input)}), ({Shape(input)})";
}

/// <summary>Offers a format for each input.</summary>
public sealed class InputFormatCompleter : InputMapCompleter
{
    private protected override string Value(GraphTensor input) => $"'{input.DataType}'";
}

/// <summary>Offers a format for each output.</summary>
public sealed class OutputFormatCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) =>
        (GraphAtCursor.Find(command, bound)?.Outputs ?? []).Select(o => ($"@{{ {Quote(o.Name)} = '{o.DataType}' }}", o.ToString()));

    private protected override string Write(string text) => text;
}

/// <summary>Offers @{ 'layer' = 'Fp32' } for each node of the graph.</summary>
public sealed class LayerPrecisionCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) =>
        (GraphAtCursor.Find(command, bound)?.Nodes ?? []).Where(n => n.Name.Length > 0).Select(n => ($"@{{ '{n.Name.Replace("'", "''", StringComparison.Ordinal)}' = 'Fp32' }}", n.OpType));

    private protected override string Write(string text) => text;
}

/// <summary>The graph that the command being typed will get: bound to -Graph, held by the variable at the head of the pipeline, or read from the
/// literal path that Import-OnnxGraph is given there.</summary>
internal static class GraphAtCursor
{
    private static readonly Lock Gate = new();
    private static Imported? _last;

    private sealed record Imported(string Path, DateTime Written, OnnxGraph Graph);

    public static OnnxGraph? Find(CommandAst command, IDictionary bound)
    {
        if (Live(bound["Graph"]) is { } given) return given;
        for (int i = 1; i + 1 < command.CommandElements.Count; i++)
        {
            if (command.CommandElements[i] is CommandParameterAst { ParameterName: var name } && name.Equals("Graph", StringComparison.OrdinalIgnoreCase)
                && command.CommandElements[i + 1] is VariableExpressionAst named) return FromVariable(named.VariablePath.UserPath);
        }
        if (command.Parent is not PipelineAst pipeline || pipeline.PipelineElements.Count == 0) return null;
        return pipeline.PipelineElements[0] switch
        {
            CommandExpressionAst { Expression: VariableExpressionAst variable } => FromVariable(variable.VariablePath.UserPath),
            CommandAst import when string.Equals(import.GetCommandName()?.Split('\\')[^1], "Import-OnnxGraph", StringComparison.OrdinalIgnoreCase) => FromPath(import),
            _ => null,
        };
    }

    private static OnnxGraph? Live(object? value) => Arguments.Bare(value) as OnnxGraph;

    private static OnnxGraph? FromVariable(string name)
    {
        using PowerShell shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        return shell.AddScript($"${{{name}}}", useLocalScope: false).Invoke().Select(v => Live(v)).FirstOrDefault(g => g is not null);
    }

    private static OnnxGraph? FromPath(CommandAst import)
    {
        string? text = import.CommandElements.Skip(1).OfType<StringConstantExpressionAst>().FirstOrDefault()?.Value;
        if (text is null) return null;
        using PowerShell shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        string? path = shell.AddScript("param($p) $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($p)").AddArgument(text).Invoke<string>().FirstOrDefault();
        if (path is null || !File.Exists(path)) return null;
        DateTime written = File.GetLastWriteTimeUtc(path);
        lock (Gate)
        {
            if (_last is { } last && last.Path == path && last.Written == written) return last.Graph;
            OnnxGraph graph = OnnxFile.Import(path, Report.None, CancellationToken.None);
            _last = new Imported(path, written, graph);
            return graph;
        }
    }
}

/// <summary>What Debug-EngineBuild can wait for.</summary>
public sealed class UntilCompleter : NameCompleter
{
    private protected override IEnumerable<(string Text, string Tip)> Candidates(CommandAst command, IDictionary bound) => [("Bad", "the first engine that fails"), ("Good", "the first engine that passes"), ("10", "as many builds")];
}
