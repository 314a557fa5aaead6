using System.Collections;
using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Set, "GraphMetadata")]
[OutputType(typeof(OnnxGraph))]
public sealed class SetGraphMetadataCommand : PipedGraphCmdlet
{
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public IDictionary Metadata { get; set; } = new Hashtable();

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        Dictionary<string, string?> entries = SurgeryArguments.Attributes(Metadata).ToDictionary(e => e.Key, e => e.Value is null ? null : SurgeryArguments.Text(e.Value), StringComparer.Ordinal);
        WriteObject(Run((report, stop) => MetadataChange.Set(graph, entries)));
    }
}
