using System.Diagnostics;
using System.Globalization;
using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;

namespace TrtTools.Benchmarks;

/// <summary>How much memory the import of a model of 1 GB takes, its weights inline or external: "memory [FOLDER]". Each import is a process of its own; the figure is its peak of
/// resident memory, pages of the mapped file included, less that of a process that imports a model of a few bytes.</summary>
internal static class ImportMemory
{
    private const long WeightBytes = 1L << 30;
    private const int Tensors = 64;

    public static void Run(IReadOnlyList<string> arguments)
    {
        if (arguments is ["import", var one])
        {
            using OnnxGraph graph = OnnxFile.Import(one, Report.None, CancellationToken.None);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{graph.Body.NodeCount} {Process.GetCurrentProcess().PeakWorkingSet64}"));
            return;
        }
        string folder = arguments.Count > 0 ? arguments[0] : Path.Combine(Path.GetTempPath(), $"trttools-memory-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        try
        {
            (string small, string inline, string external) = (Path.Combine(folder, "small.onnx"), Path.Combine(folder, "inline.onnx"), Path.Combine(folder, "external.onnx"));
            OnnxFile.Export(Model(1024), small, new ExportOptions { Force = true }, Report.None, CancellationToken.None);
            OnnxGraph large = Model(WeightBytes);
            OnnxFile.Export(large, inline, new ExportOptions { Force = true }, Report.None, CancellationToken.None);
            OnnxFile.Export(large, external, new ExportOptions { Force = true, ExternalData = true }, Report.None, CancellationToken.None);
            long baseline = Import(small);
            foreach ((string what, string file) in new[] { ("inline", inline), ("external", external) })
            {
                long bytes = Directory.GetFiles(folder, Path.GetFileNameWithoutExtension(file) + "*").Sum(f => new FileInfo(f).Length);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {bytes >> 20} MB of files; peak of resident memory {(Import(file) - baseline) / 1048576.0:F1} MB above the {baseline >> 20} MB of a small model"));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static OnnxGraph Model(long bytes)
    {
        Graph body = new("weights");
        Value value = body.AddInput("x", new TensorType(DataType.Float32, new SymbolicShape([DimExpr.Constant(1), DimExpr.Constant(bytes / Tensors / 4)])));
        byte[] content = new byte[bytes / Tensors];
        for (int i = 0; i < Tensors; i++)
        {
            new Random(i).NextBytes(content.AsSpan(0, Math.Min(4096, content.Length)));
            value = body.AddNode("Add", [value, body.AddInitializer($"w{i}", TensorData.FromBytes(DataType.Float32, [content.Length / 4], content.ToArray()))], [$"y{i}"]).Output()!;
        }
        body.AddOutput(value);
        return new OnnxGraph(body, "weights", null, 8, [new("", 17)]);
    }

    private static long Import(string file)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(ImportMemory).Assembly.Location);
        foreach (string argument in new[] { "memory", "import", file }) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        string[] words = process.StandardOutput.ReadToEnd().Split(' ', StringSplitOptions.TrimEntries);
        process.WaitForExit();
        return long.Parse(words[1], CultureInfo.InvariantCulture);
    }
}
