using System.Collections;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Export, "Tensor", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportTensorCommand : TrtCmdlet
{
    private readonly List<TensorSample> _samples = [];
    private readonly List<Tensor> _loose = [];

    [Parameter(Mandatory = true, ValueFromPipeline = true)]
    [ValidateNotNull]
    public object InputObject { get; set; } = "";

    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? RunnerName { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private protected override void ProcessItem()
    {
        Subject = InputObject;
        object value = Arguments.Bare(InputObject)!;
        if (value is Tensor tensor) _loose.Add(tensor);
        else if (value is IDictionary map) _samples.Add(new TensorSample([.. map.Cast<DictionaryEntry>().Select(e => Named(e))], RunnerName));
        else throw new TrtToolsException(ErrorCode.InputInvalid, "-InputObject", $"a {value.GetType().Name} was given", "It takes tensors, or dictionaries of them", "Pipe what Import-Tensor, New-InputData or Invoke-Engine gives");
    }

    private static Tensor Named(DictionaryEntry entry)
    {
        string name = Arguments.Bare(entry.Key)?.ToString() ?? "";
        return Arguments.Bare(entry.Value) switch
        {
            Tensor tensor => string.Equals(tensor.Name, name, StringComparison.Ordinal) ? tensor : TensorConversion.From(tensor, name, tensor.DataType, null),
            { } array when DataTypes.FromClrType(Element(array)) is not DataType.Undefined and DataType type => TensorConversion.From(array, name, type, null),
            var other => throw new TrtToolsException(ErrorCode.InputInvalid, $"-InputObject '{name}'", $"a {other?.GetType().Name ?? "null"} was given", "It takes a tensor or an array of numbers", "Convert it to an array such as [float[]]"),
        };
    }

    private static Type Element(object value) => value is Array ? value.GetType().GetElementType()! : value.GetType();

    private protected override void ProcessEnd()
    {
        Subject = Path;
        if (_loose.Count > 0) _samples.Add(new TensorSample(_loose, RunnerName));
        if (_samples.Count == 0) return;
        string full = InputPaths.Full(this, Path);
        OutputPaths paths = new(this);
        string extension = System.IO.Path.GetExtension(full).ToLowerInvariant();
        if (RunnerName is not null && extension != ".json") throw new TrtToolsException(ErrorCode.OptionInvalid, "-RunnerName", $"it was given for {extension} files", "Only a .json file names a runner", "Give a path that ends with .json");
        if (extension == ".json")
        {
            Write(paths, full, path => TensorFile.WriteSamples(path, _samples, Force));
            return;
        }
        if (_samples.Count > 1) throw new TrtToolsException(ErrorCode.OutputPathInvalid, full, $"{_samples.Count} samples are to be written", "A .json file holds many; any other holds one", "Give a path that ends with .json, or write one sample at a time");
        IReadOnlyList<Tensor> tensors = _samples[0].Tensors;
        if (Directory.Exists(full))
        {
            // One file for each tensor, as trtexec and numpy.save have them.
            foreach (Tensor tensor in tensors)
            {
                Guard(() => Write(paths, System.IO.Path.Combine(full, OutputPaths.SafeName(tensor.Name) + ".npy"), path => TensorFile.Write(path, [tensor], Force)));
            }
            return;
        }
        if (extension is not (".bin" or ".raw"))
        {
            Write(paths, full, path => TensorFile.Write(path, tensors, Force));
            return;
        }
        if (tensors.Count > 1) throw new TrtToolsException(ErrorCode.OutputPathInvalid, full, $"{tensors.Count} tensors are to be written", "A file of bare elements holds one", "Pick one by its name, or give a path that ends with .npz");
        Write(paths, full, path => TensorFile.WriteRaw(path, tensors[0], Force));
    }

    private void Write(OutputPaths paths, string full, Action<string> write)
    {
        string path = paths.Resolve(full, _samples, "tensors", ".npz", Force);
        if (!ShouldProcess(path, "Write tensors")) return;
        Run((report, stop) =>
        {
            write(path);
            return true;
        });
        if (PassThru) WriteObject(new FileInfo(path));
    }
}
