using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Rename, "GraphTensor", DefaultParameterSetName = NameSet)]
[OutputType(typeof(OnnxGraph))]
public sealed class RenameGraphTensorCommand : PipedGraphCmdlet
{
    private const string NameSet = "Name", MapSet = "Map";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[] Name { get; set; } = [];

    [Parameter(Mandatory = true, Position = 1, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    public object NewName { get; set; } = "";

    [Parameter(Mandatory = true, ParameterSetName = MapSet)]
    [ValidateNotNullOrEmpty]
    public IDictionary Map { get; set; } = new Hashtable();

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        IReadOnlyList<KeyValuePair<string, string>> names = ParameterSetName == MapSet ? SurgeryArguments.Pairs(Map)! : Named(graph);
        WriteObject(Run((report, stop) => TensorRenaming.Rename(graph, names)));
    }

    private List<KeyValuePair<string, string>> Named(OnnxGraph graph)
    {
        IReadOnlyList<string> old = Run((report, stop) => TensorRenaming.Match(graph, Name));
        if (Arguments.Bare(NewName) is ScriptBlock block) return [.. old.Select(n => KeyValuePair.Create(n, SurgeryArguments.Text(SurgeryArguments.Call(block, n, $"-NewName for '{n}'"))))];
        if (old.Count > 1) throw new TrtToolsException(ErrorCode.OptionInvalid, "-NewName", $"{old.Count} tensors match", "Several need a script block that gives each its name", "Write -NewName { $_ -replace 'old', 'new' }");
        return [KeyValuePair.Create(old[0], SurgeryArguments.Text(NewName))];
    }
}
