using TrtTools.Files;

namespace TrtTools.Onnx;

/// <summary>Tells what a file is that people take for an ONNX model.</summary>
internal static class ModelFormat
{
    private static readonly (int Offset, byte[] Magic, string What, string Next)[] s_known =
    [
        (0, [0x89, (byte)'P', (byte)'N', (byte)'G'], "a PNG image", "Give the model's file"),
        (0, [0xFF, 0xD8, 0xFF], "a JPEG image", "Give the model's file"),
        (0, [(byte)'P', (byte)'K', 3, 4], "a ZIP archive (PyTorch's .pt and .pth files are such archives)", "Unpack it, or export the PyTorch model with torch.onnx.export"),
        (0, [0x1F, 0x8B], "compressed by gzip", "Unpack it first"),
        (0, [0x89, (byte)'H', (byte)'D', (byte)'F'], "an HDF5 file (Keras)", "Convert it with tf2onnx"),
        (4, "TFL3"u8.ToArray(), "a TensorFlow Lite model", "Convert it with tf2onnx"),
        (4, "ORTM"u8.ToArray(), "a model in ONNX Runtime's own format (.ort)", "Give the .onnx file that it was made from"),
        (0, "version https://git-lfs"u8.ToArray(), "a Git LFS pointer, not the file itself", "Fetch the file with 'git lfs pull'"),
        (0, "<!DOCTYPE"u8.ToArray(), "a web page", "Download the file itself"),
        (0, "<html"u8.ToArray(), "a web page", "Download the file itself"),
        (0, "TRTTOOLS"u8.ToArray(), "a TrtTools engine", "Use Import-Engine"),
        (0, "ftrt"u8.ToArray(), "a TensorRT engine", "Give the .onnx file that it was built from"),
    ];

    public static void Check(MappedFile file, string subject)
    {
        if (file.Length == 0) throw Malformed.Model(subject, "the file is empty", "An ONNX model", "Copy or download it again");
        ReadOnlySpan<byte> head = file.Span(0, (int)Math.Min(64, file.Length));
        foreach ((int offset, byte[] magic, string what, string next) in s_known)
        {
            if (head.Length >= offset + magic.Length && head.Slice(offset, magic.Length).SequenceEqual(magic)) throw Malformed.Model(subject, $"it is {what}", "An ONNX model", next);
        }
    }
}
