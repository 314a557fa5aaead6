using System.Collections.Specialized;
using System.Management.Automation;
using TrtTools.Data;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Import, "Tensor", DefaultParameterSetName = "Path")]
[OutputType(typeof(Tensor), typeof(OrderedDictionary))]
public sealed class ImportTensorCommand : PathCmdlet
{
    // An int: see BuildEngineCommand.
    private int? _type;

    [Parameter]
    public DataType DataType { get => (DataType)(_type ?? 0); set => _type = (int)value; }

    [Parameter]
    [ValidateNotNull]
    public object? Shape { get; set; }

    [Parameter]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Name { get; set; }

    [Parameter]
    public SwitchParameter AsDictionary { get; set; }

    private protected override ErrorCode Missing => ErrorCode.DataNotFound;

    private protected override void ProcessFile(string path)
    {
        Func<string, bool> wanted = NamePatterns.Matcher(Name);
        foreach (TensorSample sample in Run((report, stop) => Read(path)))
        {
            List<Tensor> tensors = [.. sample.Tensors.Where(t => wanted(t.Name))];
            if (!AsDictionary)
            {
                WriteObject(tensors, enumerateCollection: true);
                continue;
            }
            OrderedDictionary named = new(StringComparer.Ordinal);
            foreach (Tensor tensor in tensors) named[tensor.Name] = tensor;
            WriteObject(named);
        }
    }

    private IReadOnlyList<TensorSample> Read(string path)
    {
        if (_type is null)
        {
            if (Shape is not null) throw new TrtToolsException(ErrorCode.OptionInvalid, "-Shape", "it was given without -DataType", "Bare elements need both", "Add -DataType Float32, for instance");
            return TensorFile.ReadSamples(path);
        }
        return [new TensorSample([TensorFile.ReadRaw(path, DataType, Shape is null ? null : Arguments.Shape(Shape, "-Shape"))])];
    }
}
