using System.Management.Automation;
using TrtTools.Audit;
using TrtTools.Build;
using TrtTools.Inspection;
using TrtTools.Ir;
using TrtTools.Onnx;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsDiagnostic.Test, "OperatorSupport", DefaultParameterSetName = RecordSet, SupportsShouldProcess = true)]
[OutputType(typeof(OperatorSupport), typeof(bool), typeof(GraphPartition))]
public sealed class TestOperatorSupportCommand : GraphCmdlet
{
    private const string RecordSet = "Record", PartitionSet = "Partition";

    // An int: see BuildEngineCommand.
    private int _target = (int)SupportTarget.Cpu;

    [Parameter(Position = 1)]
    public SupportTarget Target { get => (SupportTarget)_target; set => _target = (int)value; }

    [Parameter(ParameterSetName = RecordSet)]
    public SwitchParameter Detailed { get; set; }

    [Parameter(ParameterSetName = RecordSet)]
    public SwitchParameter Quiet { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = PartitionSet)]
    public SwitchParameter Partition { get; set; }

    [Parameter(ParameterSetName = PartitionSet)]
    [ValidateNotNullOrEmpty]
    public string? OutputPath { get; set; }

    [Parameter(ParameterSetName = PartitionSet)]
    public SwitchParameter Force { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph)
    {
        if (ParameterSetName == PartitionSet)
        {
            WritePartitions(graph);
            return;
        }
        IReadOnlyList<OperatorSupport> records = Run((report, stop) => SupportCheck.Check(graph, Target, Detailed, stop));
        if (Quiet) WriteObject(records.All(r => r.Supported));
        else WriteObject(records, enumerateCollection: true);
    }

    private void WritePartitions(OnnxGraph graph)
    {
        IReadOnlyList<(GraphPartition Part, OnnxGraph Graph)> parts = Run((report, stop) => GraphPartitioner.Split(graph, Target, report, stop));
        string? folder = OutputPath is null ? null : InputPaths.Full(this, OutputPath);
        OutputPaths paths = new(this);
        foreach ((GraphPartition part, OnnxGraph piece) in parts)
        {
            using OnnxGraph owned = piece;
            string? path = null;
            if (folder is not null)
            {
                path = paths.Resolve(System.IO.Path.Combine(folder, $"{OutputPaths.SafeName(graph.Name)}-{(part.Supported ? "supported" : "unsupported")}-{part.Index.ToString(System.Globalization.CultureInfo.InvariantCulture)}.onnx"), graph, graph.Name, ".onnx", Force);
                if (!ShouldProcess(path, "Export ONNX model")) continue;
                Run((report, stop) =>
                {
                    OnnxFile.Export(owned, path, new ExportOptions { Force = Force }, report, stop);
                    return true;
                });
            }
            WriteObject(part with { Path = path });
        }
    }
}
