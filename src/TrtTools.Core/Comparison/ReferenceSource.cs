using System.Globalization;
using TrtTools.Data;
using TrtTools.Engines;
using TrtTools.Execution;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Comparison;

/// <summary>Where the expected outputs come from.</summary>
internal interface IReferenceSource : IDisposable
{
    string Description { get; }

    /// <summary>The inputs that belong to the expected outputs; null when any will do.</summary>
    InputSource? Inputs { get; }

    IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, Tensor> inputs, int sample, CancellationToken stop);
}

internal static class ReferenceSource
{
    public static IReferenceSource Of(Engine engine, CompareOptions options, Report report, CancellationToken stop)
    {
        if (options.ReferenceEngine is { } other) return new EngineReference(other, engine);
        if (options.Expected is { } values) return ExpectedOutputs.Of(values);
        if (options.ReferenceGraph is { } graph) return new ModelReference(OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Subject = graph.Name }, stop), engine, graph.Name);
        if (options.ExpectedPath is { } expected) return ExpectedOutputs.Open(expected, engine, options);
        string path = options.ModelPath ?? engine.Provenance.ModelPath ?? throw NoModel(engine, "it was built from a graph that came from no file");
        if (!File.Exists(path)) throw NoModel(engine, $"its original model {path} is not there");
        if (options.ModelPath is null && engine.Provenance.ModelFileHash is { Length: > 0 } hash && !string.Equals(hash, EngineComparison.HashFile(path), StringComparison.Ordinal))
        {
            report.Warning($"{engine.Name}: {path} has changed since the engine was built from it.");
        }
        return new ModelReference(OrtSession.FromFile(path, new OrtOptions { Subject = path }, stop), engine, path);
    }

    private static TrtToolsException NoModel(Engine engine, string found) => new(ErrorCode.ModelNotFound, $"The engine '{engine.Name}'", found, "The ONNX file that it was built from",
        "Give the model's path, another engine, or a file of expected outputs as the reference");

    /// <summary>The original model as it was written, every operator by itself.</summary>
    private sealed class ModelReference(OrtSession session, Engine engine, string path) : IReferenceSource
    {
        public string Description => $"ONNX Runtime on {Path.GetFileName(path)}";

        public InputSource? Inputs => null;

        public IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, Tensor> inputs, int sample, CancellationToken stop)
        {
            Dictionary<string, TensorData> given = new(StringComparer.Ordinal);
            inputs = PreprocessingInside.Outside(inputs, InputInfo.Of(engine), [.. session.Inputs.Select(i => i.Name)]);
            // Inputs that the build turned into constants are not the engine's any more; the model needs them, and only its owner knows them.
            foreach (OrtTensorInfo input in session.Inputs)
            {
                if (!inputs.TryGetValue(input.Name, out Tensor? tensor))
                {
                    throw new TrtToolsException(ErrorCode.InputNotFound, $"The engine '{engine.Name}'", $"the original model has an input '{input.Name}' that the engine has not", "Both must take the same inputs",
                        "Give the graph that the engine was built from as -Reference, or its file");
                }
                given[input.Name] = FormatConversion.ToModel(tensor.Content, input);
            }
            return session.Run(given, [.. session.OutputNames.Where(n => engine.Outputs.Any(o => string.Equals(o.Name, n, StringComparison.Ordinal)))], stop)
                .ToDictionary(p => p.Key, p => FormatConversion.ToEngine(p.Value, engine.Outputs.First(o => string.Equals(o.Name, p.Key, StringComparison.Ordinal))), StringComparer.Ordinal);
        }

        public void Dispose() => session.Dispose();
    }

    private sealed class EngineReference : IReferenceSource
    {
        private readonly Execution.ExecutionContext _context;
        private readonly IReadOnlyList<InputInfo> _compared;
        private readonly string[] _wanted;

        public EngineReference(Engine engine, Engine compared)
        {
            _context = engine.CreateContext();
            _compared = InputInfo.Of(compared);
            _wanted = [.. engine.Inputs.Select(i => i.Name)];
            Description = $"engine {engine.Name} ({engine.Precision})";
        }

        public string Description { get; }

        public InputSource? Inputs => null;

        public IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, Tensor> inputs, int sample, CancellationToken stop)
        {
            Dictionary<string, TensorData> results = new(StringComparer.Ordinal);
            foreach (System.Collections.DictionaryEntry entry in _context.Run(PreprocessingInside.Outside(inputs, _compared, _wanted), stop)) results[(string)entry.Key] = ((Tensor)entry.Value!).Content;
            return results;
        }

        public void Dispose() => _context.Dispose();
    }
}

/// <summary>Expected outputs, in files or given.</summary>
internal sealed class ExpectedOutputs : IReferenceSource
{
    private readonly IReadOnlyList<Func<IReadOnlyDictionary<string, TensorData>>> _samples;

    private ExpectedOutputs(string description, InputSource? inputs, IReadOnlyList<Func<IReadOnlyDictionary<string, TensorData>>> samples)
    {
        Description = description;
        Inputs = inputs;
        _samples = samples;
    }

    public string Description { get; }

    public InputSource? Inputs { get; }

    public static ExpectedOutputs Of(IReadOnlyDictionary<string, Tensor> values) => new("the expected outputs given", null, [() => values.ToDictionary(v => v.Key, v => v.Value.Content, StringComparer.Ordinal)]);

    public static ExpectedOutputs Open(string path, Engine engine, CompareOptions options)
    {
        string full = Path.GetFullPath(path);
        if (File.Exists(full) && TensorFile.Extension(full) == ".json")
        {
            IReadOnlyList<TensorSample> all = TensorFile.ReadSamples(full);
            // Of several runners the first is the reference.
            List<TensorSample> samples = [.. all.Where(s => string.Equals(s.Runner, all[0].Runner, StringComparison.Ordinal))];
            return new ExpectedOutputs(samples.Count > 0 && samples[0].Runner is { } runner ? $"{full} ({runner})" : full, null, [.. samples.Select(s => (Func<IReadOnlyDictionary<string, TensorData>>)(() => ByName(s.Tensors, engine)))]);
        }
        if (File.Exists(full)) return new ExpectedOutputs(full, null, [() => ByName(TensorFile.Read(full), engine)]);
        if (!Directory.Exists(full)) throw new TrtToolsException(ErrorCode.DataNotFound, full, "there is no such file or folder", "Expected outputs as .npz, .npy or .pb, or a folder in the ONNX backend-test form", "Check the path");
        List<string> folders = InputSources.BackendTestFolders(full);
        if (folders.Count > 0)
        {
            InputSource inputs = options.InputData ?? InputSources.FromPath(full, InputInfo.Of(engine), null, splitSamples: false);
            return new ExpectedOutputs(full, inputs, [.. folders.Select(f => (Func<IReadOnlyDictionary<string, TensorData>>)(() => Numbered(f, engine)))]);
        }
        string[] files = [.. Directory.GetFiles(full).Where(TensorFile.IsTensorFile).Order(StringComparer.Ordinal)];
        if (files.Length == 0) throw new TrtToolsException(ErrorCode.DataNotFound, full, "the folder holds no expected outputs", "output_0.pb with input_0.pb, or .npz or .npy files", "Check the path");
        // .npz files: one sample each. .npy files: one output each, named after the file.
        return files.All(f => f.EndsWith(".npz", StringComparison.OrdinalIgnoreCase))
            ? new ExpectedOutputs(full, null, [.. files.Select(f => (Func<IReadOnlyDictionary<string, TensorData>>)(() => ByName(TensorFile.Read(f), engine)))])
            : new ExpectedOutputs(full, null, [() => ByName([.. files.SelectMany(TensorFile.Read)], engine)]);
    }

    public IReadOnlyDictionary<string, TensorData> Run(IReadOnlyDictionary<string, Tensor> inputs, int sample, CancellationToken stop) => sample < _samples.Count ? _samples[sample]()
        : throw new TrtToolsException(ErrorCode.DataInvalid, Description, $"it has expected outputs for {_samples.Count} samples", $"As many as there are input samples; this is number {sample + 1}", "Give the input data that belongs to these outputs");

    private static Dictionary<string, TensorData> ByName(IReadOnlyList<Tensor> tensors, Engine engine)
    {
        if (tensors.Count == 1 && engine.Outputs.Count == 1) return new(StringComparer.Ordinal) { [engine.Outputs[0].Name] = tensors[0].Content };
        return tensors.ToDictionary(t => t.Name, t => t.Content, StringComparer.Ordinal);
    }

    private static Dictionary<string, TensorData> Numbered(string folder, Engine engine)
    {
        List<Tensor> tensors = [];
        for (int i = 0; File.Exists(At(i)); i++) tensors.Add(TensorFile.Read(At(i))[0]);
        Dictionary<string, TensorData> named = new(StringComparer.Ordinal);
        // By name where the file gives one, else by order.
        for (int i = 0; i < engine.Outputs.Count; i++)
        {
            string name = engine.Outputs[i].Name;
            Tensor? tensor = tensors.Find(t => string.Equals(t.Name, name, StringComparison.Ordinal)) ?? tensors.ElementAtOrDefault(i);
            if (tensor is not null) named[name] = FormatConversion.ToEngine(tensor.Content, engine.Outputs[i]);
        }
        return named;

        string At(int i) => Path.Combine(folder, $"output_{i.ToString(CultureInfo.InvariantCulture)}.pb");
    }

    public void Dispose() { }
}
