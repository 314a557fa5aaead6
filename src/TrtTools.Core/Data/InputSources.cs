using System.Collections;
using System.Globalization;
using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>Makes an <see cref="InputSource"/> of what a user has.</summary>
public static class InputSources
{
    /// <param name="path">A folder of images, of .npy or .npz files, or in the ONNX backend-test form; an .npy, .npz, .pb or image file.
    /// Arrays of an .npz are named after the inputs; those that are not are ignored.</param>
    /// <param name="inputs">The inputs to fill.</param>
    /// <param name="preprocessing">How images become inputs.</param>
    /// <param name="splitSamples">Whether an array along a dynamic batch axis holds one sample per index (calibration) or makes one call (inference).</param>
    public static InputSource FromPath(string path, IReadOnlyList<InputInfo> inputs, Preprocessing? preprocessing = null, bool splitSamples = true, Report? report = null)
    {
        report ??= Report.None;
        string full = Path.GetFullPath(path);
        if (inputs.Count == 0) throw new TrtToolsException(ErrorCode.InputInvalid, full, "the model has no inputs", "", "No data is needed");
        if (Directory.Exists(full)) return FromFolder(full, inputs, preprocessing, splitSamples, report);
        if (!File.Exists(full)) throw new TrtToolsException(ErrorCode.DataNotFound, full, "there is no such file or folder", "", "Check the path");
        return FromFiles([full], full, inputs, preprocessing, splitSamples, report);
    }

    public static InputSource FromPath(string path, OnnxGraph graph, Preprocessing? preprocessing = null, bool splitSamples = true, Report? report = null) =>
        FromPath(path, InputInfo.Of(graph), preprocessing, splitSamples, report);

    /// <summary>Each dictionary (input name → value) is one sample. Entries that are no inputs are ignored while no input is missing.</summary>
    public static InputSource FromDictionaries(IEnumerable<IDictionary> samples, IReadOnlyList<InputInfo> inputs, Report? report = null)
    {
        ArgumentNullException.ThrowIfNull(samples);
        long? count = samples is ICollection<IDictionary> known ? known.Count : null;
        return new StreamInputSource(count, "dictionaries", stop => Convert(stop));

        IEnumerable<IReadOnlyDictionary<string, Tensor>> Convert(CancellationToken stop)
        {
            foreach (IDictionary sample in samples)
            {
                stop.ThrowIfCancellationRequested();
                yield return FromDictionary(sample, inputs, report);
            }
        }
    }

    /// <summary>One call's inputs.</summary>
    public static IReadOnlyDictionary<string, Tensor> FromDictionary(IDictionary sample, IReadOnlyList<InputInfo> inputs, Report? report = null)
    {
        ArgumentNullException.ThrowIfNull(sample);
        Dictionary<string, object?> given = new(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in sample) given[TensorConversion.Unwrap(entry.Key) as string ?? System.Convert.ToString(entry.Key, CultureInfo.InvariantCulture)!] = entry.Value;
        Dictionary<string, Tensor> result = new(StringComparer.Ordinal);
        foreach (InputInfo input in inputs)
        {
            if (!given.Remove(input.Name, out object? value)) throw Missing("The dictionary", input, [.. given.Keys], inputs);
            result.Add(input.Name, TensorConversion.From(value!, input.Name, input.DataType, input.Shape));
        }
        foreach (string extra in given.Keys.Order(StringComparer.Ordinal)) report?.Verbose($"'{extra}' is no input and is ignored.");
        return result;
    }

    /// <summary>Made-up inputs; dynamic extents become 1.</summary>
    public static InputSource Synthetic(IReadOnlyList<InputInfo> inputs, int count, int seed = 1)
    {
        foreach (InputInfo input in inputs)
        {
            if (input.Shape is null) throw new TrtToolsException(ErrorCode.ShapeUnknown, $"Input '{input.Name}'", "its number of dimensions is unknown", "", "Give data, or its shape");
        }
        return new IndexedInputSource(count, string.Create(CultureInfo.InvariantCulture, $"synthetic data ({count} samples, seed {seed})"), i =>
            inputs.ToDictionary(input => input.Name, input => SyntheticData.Create(input.Name, input.DataType, [.. input.Shape!.Select(d => d < 0 ? 1 : d)],
                ((ulong)(uint)seed << 32) + (uint)i), StringComparer.Ordinal), isSynthetic: true);
    }

    private static InputSource FromFolder(string folder, IReadOnlyList<InputInfo> inputs, Preprocessing? preprocessing, bool split, Report report)
    {
        if (BackendTestFolders(folder) is { Count: > 0 } tests)
            return new IndexedInputSource(tests.Count, $"{folder} ({tests.Count} test data sets)", i => ReadBackendTest(tests[i], inputs));
        List<string> files = [.. TensorFile.Reading(folder, () => Directory.GetFiles(folder)).Order(StringComparer.Ordinal)];
        List<string> images = files.FindAll(ImageFile.IsImage), arrays = files.FindAll(f => TensorFile.Extension(f) is ".npy" or ".npz");
        if (images.Count > 0 && arrays.Count > 0)
            throw new TrtToolsException(ErrorCode.DataInvalid, folder, $"it holds {images.Count} images and {arrays.Count} arrays", "One or the other", "Move one kind to a folder of its own");
        if (images.Count + arrays.Count == 0)
            throw new TrtToolsException(ErrorCode.DataNotFound, folder, "the folder holds no data", "Expected images, .npy or .npz files, or input_0.pb", "Check the path");
        return FromFiles(images.Count > 0 ? images : arrays, folder, inputs, preprocessing, split, report);
    }

    private static InputSource FromFiles(List<string> files, string path, IReadOnlyList<InputInfo> inputs, Preprocessing? preprocessing, bool split, Report report)
    {
        if (ImageFile.IsImage(files[0]))
        {
            InputInfo input = ImageInput(path, inputs, preprocessing);
            ResolvedPreprocessing how = input.Inside is { } inside ? inside.Raw(preprocessing) : (preprocessing ?? new Preprocessing()).Resolve(input);
            return new IndexedInputSource(files.Count, $"{path} ({files.Count} image{(files.Count == 1 ? "" : "s")})",
                i => new Dictionary<string, Tensor>(StringComparer.Ordinal) { [input.Name] = ImageFile.Read(files[i], how) });
        }
        if (files.Count == 1 && TensorFile.Extension(files[0]) == ".pb" && inputs.Count == 1)
        {
            return new IndexedInputSource(1, path, _ => new Dictionary<string, Tensor>(StringComparer.Ordinal)
                { [inputs[0].Name] = TensorConversion.From(TensorFile.Read(files[0])[0], inputs[0].Name, inputs[0].DataType, inputs[0].Shape) });
        }
        if (files.Count == 1 && TensorFile.Extension(files[0]) == ".json")
        {
            IReadOnlyList<TensorSample> samples = TensorFile.ReadSamples(files[0]);
            return new IndexedInputSource(samples.Count, $"{path} ({samples.Count.ToString(CultureInfo.InvariantCulture)} sample{(samples.Count == 1 ? "" : "s")})",
                i => FromDictionary(samples[i].Tensors.ToDictionary(t => t.Name, t => (object?)t, StringComparer.Ordinal), inputs, report));
        }
        if (TensorFile.Extension(files[0]) is not (".npy" or ".npz"))
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, path, inputs.Count > 1 && TensorFile.Extension(path) == ".pb" ? $"one .pb file cannot fill {inputs.Count} inputs" : "the file is of no kind that holds data",
                "Expected an image, .npy, .npz, .pb or .json", "Give a file of one of these kinds, or a folder of them");
        }
        List<ArraySet> sets = TensorFile.Reading(path, () => ArraySets(files, path, inputs, split, report));
        long count = sets.Sum(s => s.Count);
        return new StreamInputSource(count, $"{path} ({count.ToString(CultureInfo.InvariantCulture)} sample{(count == 1 ? "" : "s")})", stop => sets.SelectMany(s => s.Read(stop)));
    }

    private static List<ArraySet> ArraySets(List<string> files, string path, IReadOnlyList<InputInfo> inputs, bool split, Report report)
    {
        // A folder of .npy files named after the inputs is an .npz unpacked; else each file holds samples of its own.
        Dictionary<string, string> byStem = files.Where(f => TensorFile.Extension(f) == ".npy").ToDictionary(f => Path.GetFileNameWithoutExtension(f), StringComparer.Ordinal);
        if (byStem.Count > 0 && inputs.All(i => byStem.ContainsKey(i.Name)))
            return [Assign([.. byStem.Select(p => StoredArray.OfNpy(p.Value, p.Key))], path, inputs, split, report)];
        return [.. files.Select(f => TensorFile.Extension(f) == ".npz" ? Assign(StoredArray.OfNpz(f), f, inputs, split, report)
            : inputs.Count == 1 ? new ArraySet([(inputs[0], StoredArray.OfNpy(f, inputs[0].Name))], split)
            : throw new TrtToolsException(ErrorCode.InputNotFound, f, $"one array cannot fill the {inputs.Count} inputs {string.Join(", ", inputs.Select(i => $"'{i.Name}'"))}", "", "Save an .npz with one array per input"))];
    }

    private static ArraySet Assign(IReadOnlyList<StoredArray> arrays, string path, IReadOnlyList<InputInfo> inputs, bool split, Report report)
    {
        Dictionary<string, StoredArray> byName = arrays.ToDictionary(a => a.Name, StringComparer.Ordinal);
        // numpy.savez(file, array) calls it arr_0.
        if (inputs.Count == 1 && arrays.Count == 1 && arrays[0].Name == "arr_0") return new ArraySet([(inputs[0], arrays[0])], split);
        List<(InputInfo, StoredArray)> chosen = [];
        foreach (InputInfo input in inputs)
        {
            if (!byName.Remove(input.Name, out StoredArray? array)) throw Missing(path, input, [.. byName.Keys], inputs);
            chosen.Add((input, array));
        }
        foreach (string extra in byName.Keys.Order(StringComparer.Ordinal)) report.Verbose($"{path}: '{extra}' is no input and is ignored.");
        return new ArraySet(chosen, split);
    }

    private static InputInfo ImageInput(string path, IReadOnlyList<InputInfo> inputs, Preprocessing? preprocessing)
    {
        if (preprocessing?.Input is { } wanted)
        {
            return inputs.FirstOrDefault(i => string.Equals(i.Name, wanted, StringComparison.Ordinal) || string.Equals(i.Inside?.Tensor, wanted, StringComparison.Ordinal)) is { } named && inputs.Count == 1 ? named
                : throw new TrtToolsException(ErrorCode.InputNotFound, path, inputs.Count > 1 ? $"images fill one input, and the model has {inputs.Count}" : $"the preprocessing names the input '{wanted}'",
                    NearestName.Advice(wanted, [.. inputs.Select(i => i.Name)], "input"), inputs.Count > 1 ? "Give .npz files with one array per input" : "Mend 'input' in the preprocessing file");
        }
        return inputs.Count == 1 ? inputs[0] : throw new TrtToolsException(ErrorCode.InputNotFound, path, $"images fill one input, and the model has {inputs.Count}", "", "Give .npz files with one array per input");
    }

    /// <summary>The folder itself if it holds input_0.pb, else its sub-folders that do, test_data_set_2 before test_data_set_10.</summary>
    internal static List<string> BackendTestFolders(string folder)
    {
        if (File.Exists(Path.Combine(folder, "input_0.pb"))) return [folder];
        return [.. TensorFile.Reading(folder, () => Directory.GetDirectories(folder, "test_data_set_*")).Where(d => File.Exists(Path.Combine(d, "input_0.pb")))
            .OrderBy(d => int.TryParse(Path.GetFileName(d).AsSpan("test_data_set_".Length), NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : int.MaxValue).ThenBy(d => d, StringComparer.Ordinal)];
    }

    private static IReadOnlyDictionary<string, Tensor> ReadBackendTest(string folder, IReadOnlyList<InputInfo> inputs)
    {
        List<Tensor> tensors = [];
        for (int i = 0; File.Exists(Path.Combine(folder, $"input_{i.ToString(CultureInfo.InvariantCulture)}.pb")); i++)
            tensors.Add(TensorFile.Read(Path.Combine(folder, $"input_{i.ToString(CultureInfo.InvariantCulture)}.pb"))[0]);
        Dictionary<string, Tensor> result = new(StringComparer.Ordinal);
        for (int i = 0; i < inputs.Count; i++)
        {
            // By name where the file gives one, else by order.
            Tensor tensor = tensors.Find(t => string.Equals(t.Name, inputs[i].Name, StringComparison.Ordinal)) ?? (i < tensors.Count ? tensors[i]
                : throw new TrtToolsException(ErrorCode.DataNotFound, folder, $"it holds {tensors.Count} inputs", $"The model takes {inputs.Count}: {string.Join(", ", inputs.Select(x => $"'{x.Name}'"))}", "Add the missing input files"));
            result.Add(inputs[i].Name, TensorConversion.From(tensor, inputs[i].Name, inputs[i].DataType, inputs[i].Shape));
        }
        return result;
    }

    private static TrtToolsException Missing(string subject, InputInfo input, IReadOnlyCollection<string> given, IReadOnlyList<InputInfo> inputs)
    {
        string near = NearestName.Find(input.Name, given) is { } name ? $"'{name}' was given, which is no input" : given.Count == 0 ? "" : $"Given: {string.Join(", ", given.Order(StringComparer.Ordinal).Take(8).Select(g => $"'{g}'"))}";
        return new TrtToolsException(ErrorCode.InputNotFound, subject, $"there is nothing for input '{input.Name}'", near.Length > 0 ? near : $"Expected {input}",
            $"Name the data after the inputs: {string.Join(", ", inputs.Select(i => $"'{i.Name}'"))}");
    }
}
