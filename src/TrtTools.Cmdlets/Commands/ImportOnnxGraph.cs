using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Onnx;

namespace TrtTools.Cmdlets;

[Cmdlet(VerbsData.Import, "OnnxGraph", DefaultParameterSetName = "Path")]
[OutputType(typeof(OnnxGraph))]
public sealed class ImportOnnxGraphCommand : PathCmdlet
{
    private protected override ErrorCode Missing => ErrorCode.ModelNotFound;

    private protected override void ProcessFile(string path) =>
        WriteObject(Run((report, stop) => OnnxFile.Import(path, report, stop)));
}
