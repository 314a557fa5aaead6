using System.Management.Automation;
using TrtTools.Ir;
using TrtTools.Onnx;

namespace TrtTools.Cmdlets;

/// <summary>A second graph given as an object or by path. What was read from a file is kept for the next item.</summary>
internal sealed class GraphArgument : IDisposable
{
    private readonly Dictionary<string, OnnxGraph> _read = new(StringComparer.Ordinal);

    public OnnxGraph Get(TrtCmdlet cmdlet, object given, string parameter)
    {
        PSObject argument = PSObject.AsPSObject(given);
        return argument.BaseObject switch
        {
            string text => File(cmdlet, text),
            FileInfo file => File(cmdlet, file.FullName),
            _ => LiveObjectAttribute.Get<OnnxGraph>(argument, parameter, "Import-OnnxGraph"),
        };
    }

    private OnnxGraph File(TrtCmdlet cmdlet, string path)
    {
        string full = InputPaths.Resolve(cmdlet, path, literal: true, ErrorCode.ModelNotFound)[0];
        if (!_read.TryGetValue(full, out OnnxGraph? graph)) _read[full] = graph = OnnxFile.Import(full, Report.None, CancellationToken.None);
        return graph;
    }

    public void Dispose()
    {
        foreach (OnnxGraph graph in _read.Values) graph.Dispose();
    }
}
