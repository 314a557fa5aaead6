using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;

namespace TrtTools.Ort;

/// <summary>Turns ONNX Runtime's errors into ours.</summary>
internal static partial class OrtErrors
{
    [GeneratedRegex(@"([\w.:/\\-]+?)(?:\(-?\d+\))? is not a registered function/op", RegexOptions.CultureInvariant)]
    private static partial Regex Unregistered();

    [GeneratedRegex(@"No Op registered for ([\w.:]+) with domain_version of (\d+)", RegexOptions.CultureInvariant)]
    private static partial Regex WrongVersion();

    [GeneratedRegex(@"Could not find an implementation for ([\w.:]+)\((\d+)\) node with name '([^']*)'", RegexOptions.CultureInvariant)]
    private static partial Regex Unimplemented();

    [GeneratedRegex(@"running (\w+) node\. Name:'([^']*)' Status Message: (.*)", RegexOptions.CultureInvariant | RegexOptions.Singleline)]
    private static partial Regex NodeFailure();

    // "/onnxruntime_src/onnxruntime/core/graph/model.cc:181 onnxruntime::Model::Model(…) " stands before many sentences.
    [GeneratedRegex(@"\S*[/\\]\S+\.(?:cc|h|cpp):\d+ (?:[\w:~<>]+(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?(?: const)? )?", RegexOptions.CultureInvariant)]
    private static partial Regex SourceLocation();

    [GeneratedRegex(@"^\[ErrorCode:\w+\] |^Load model from .*? failed:|^Exception during (?:loading|initialization): |^Fatal error: |^This is an invalid model\. ", RegexOptions.CultureInvariant)]
    private static partial Regex Prefix();

    public static bool IsMissingLibrary(Exception e) => e is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException
        || e is TypeInitializationException or System.Reflection.TargetInvocationException && e.InnerException is { } inner && IsMissingLibrary(inner);

    public static TrtToolsException MissingLibrary(Exception e) => new(ErrorCode.NativeLibraryMissing, "ONNX Runtime",
        $"its native library could not be loaded ({(e.InnerException ?? e).Message.TrimEnd('.')})", "The library onnxruntime for this system beside the module (linux-x64 and win-x64 come with it)",
        "Install the module anew; on Windows also the Microsoft Visual C++ runtime", e);

    public static TrtToolsException Loading(OnnxRuntimeException e, string subject)
    {
        string text = Sentence(e.Message);
        if (Unregistered().Match(text) is { Success: true } unknown)
        {
            return new TrtToolsException(ErrorCode.UnsupportedOperator, subject, $"the operator {unknown.Groups[1].Value.TrimStart(':')} is not known to ONNX Runtime", "Operators of the ONNX standard in an opset the model imports",
                "Run Test-OperatorSupport -Target Cpu to see every operator that is not supported, and what to use instead", e);
        }
        if (WrongVersion().Match(text) is { Success: true } version)
        {
            return new TrtToolsException(ErrorCode.UnsupportedOperator, subject, $"there is no operator {version.Groups[1].Value} in opset {version.Groups[2].Value}", "Operators of the ONNX standard in an opset the model imports",
                "Run Test-OperatorSupport -Target Cpu to see every operator that is not supported, and what to use instead", e);
        }
        if (Unimplemented().Match(text) is { Success: true } missing)
        {
            return new TrtToolsException(ErrorCode.UnsupportedOperator, subject,
                $"node '{missing.Groups[3].Value}' is {missing.Groups[1].Value}-{missing.Groups[2].Value}, which ONNX Runtime does not implement on the CPU for these types", "",
                "Run Test-OperatorSupport -Target Cpu, or change the operator's types", e);
        }
        bool malformed = e.Message.Contains("InvalidProtobuf", StringComparison.Ordinal) || e.Message.Contains("InvalidGraph", StringComparison.Ordinal)
            || e.Message.Contains("invalid model", StringComparison.OrdinalIgnoreCase) || e.Message.Contains("Type Error", StringComparison.Ordinal)
            || e.Message.Contains("No graph was found", StringComparison.Ordinal);
        return new TrtToolsException(malformed ? ErrorCode.ModelMalformed : ErrorCode.EvaluationFailed, subject, $"ONNX Runtime could not load the model: {text}", "",
            malformed ? "Run Test-OnnxGraph to see every fault of the model" : "Check the model with Test-OnnxGraph and Test-OperatorSupport -Target Cpu", e);
    }

    public static TrtToolsException Running(OnnxRuntimeException e, string subject)
    {
        string text = Sentence(e.Message);
        if (NodeFailure().Match(text) is { Success: true } node)
        {
            // A node inside a subgraph is named after the node around it; the innermost is the one that failed.
            while (NodeFailure().Match(node.Groups[3].Value) is { Success: true } inner) node = inner;
            string name = node.Groups[2].Value.Length > 0 ? $"node '{node.Groups[2].Value}' ({node.Groups[1].Value})" : $"a node {node.Groups[1].Value}";
            return new TrtToolsException(ErrorCode.EvaluationFailed, subject, $"{name} failed: {Sentence(node.Groups[3].Value)}", "", "Check the shapes and values of the inputs", e);
        }
        ErrorCode code = text.Contains("invalid dimensions for input", StringComparison.Ordinal) || text.Contains("Invalid rank for input", StringComparison.Ordinal) ? ErrorCode.ShapeMismatch
            : text.Contains("Unexpected input data type", StringComparison.Ordinal) ? ErrorCode.InputInvalid : ErrorCode.EvaluationFailed;
        return new TrtToolsException(code, subject, text, "", "Check the names, types and shapes of the inputs", e);
    }

    /// <summary>The library's own sentence, without error codes, source files and the model's bytes.</summary>
    internal static string Sentence(string message)
    {
        string text = message.ReplaceLineEndings(" ").Trim();
        for (string? before = null; before != text;)
        {
            before = text;
            text = Prefix().Replace(text, "", 1).Trim();
            text = SourceLocation().Replace(text, "").Trim();
        }
        if (text.Length > 600) text = text[..600] + "…";
        return text.Length == 0 ? "no reason was given" : text;
    }
}
