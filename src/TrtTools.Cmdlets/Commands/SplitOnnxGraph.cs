using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Surgery;
using TrtTools.Tensors;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsCommon.Split, "OnnxGraph", DefaultParameterSetName = TensorSet)]
[OutputType(typeof(OnnxGraph))]
public sealed class SplitOnnxGraphCommand : PipedGraphCmdlet
{
    private const string TensorSet = "Tensor", CountSet = "PartCount";

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = TensorSet)]
    [ValidateNotNullOrEmpty]
    [Names]
    [ArgumentCompleter(typeof(TensorNameCompleter))]
    public string[] Tensor { get; set; } = [];

    [Parameter(ParameterSetName = TensorSet)]
    public SwitchParameter Complete { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = CountSet)]
    [ValidateRange(2, int.MaxValue)]
    public int PartCount { get; set; }

    private protected override void ProcessGraph(OnnxGraph graph) =>
        WriteObject(Run((report, stop) => ParameterSetName == CountSet ? GraphSplit.Into(graph, PartCount, report) : GraphSplit.At(graph, Tensor, Complete, report)), enumerateCollection: true);
}
