namespace TrtTools.Onnx;

/// <summary>Errors about a model's content.</summary>
internal static class Malformed
{
    public const string CheckExporter = "Export the model again, or check it with the tool that made it";

    public static TrtToolsException Model(string subject, string found, string expected, string next = CheckExporter, Exception? inner = null) =>
        new(ErrorCode.ModelMalformed, subject, found, expected, next, inner);
}
