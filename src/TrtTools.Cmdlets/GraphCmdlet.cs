using System.Management.Automation;
using TrtTools.Ir;

namespace TrtTools.Cmdlets;

/// <summary>Takes graphs one by one.</summary>
public abstract class GraphCmdletBase : TrtCmdlet
{
    private protected abstract PSObject GivenGraph { get; }

    private protected abstract void ProcessGraph(OnnxGraph graph);

    private protected sealed override void ProcessItem()
    {
        Subject = GivenGraph.BaseObject is LiveObjectAttribute.WrongObject wrong ? wrong.Item : GivenGraph;
        OnnxGraph graph = LiveObjectAttribute.Get<OnnxGraph>(GivenGraph, "Graph", "Import-OnnxGraph");
        Subject = graph;
        ProcessGraph(graph);
    }
}

/// <summary>A cmdlet that takes graphs from the pipeline or as its first argument.</summary>
public abstract class GraphCmdlet : GraphCmdletBase
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [LiveObject("TrtTools.Ir.OnnxGraph")]
    [PSTypeName("TrtTools.Ir.OnnxGraph")]
    public PSObject Graph { get; set; } = null!;

    private protected sealed override PSObject GivenGraph => Graph;
}

/// <summary>A cmdlet that takes graphs from the pipeline; its first argument is something else: a path to write to, data.</summary>
public abstract class PipedGraphCmdlet : GraphCmdletBase
{
    [Parameter(Mandatory = true, ValueFromPipeline = true)]
    [LiveObject("TrtTools.Ir.OnnxGraph")]
    [PSTypeName("TrtTools.Ir.OnnxGraph")]
    public PSObject Graph { get; set; } = null!;

    private protected sealed override PSObject GivenGraph => Graph;
}
