using System.Diagnostics;
using TrtTools.Files;
using TrtTools.Ir;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>From a model to a file. What changes on the way is what product.md and <see cref="ExportOptions"/> say, and: external data is read in and, unless asked
/// for again, stored in the file; nodes stand in topological order; value_info, annotations and opset imports of what is gone are dropped.</summary>
internal static class ModelExport
{
    public static void Export(OnnxGraph graph, string path, ExportOptions options, Report report, CancellationToken stop)
    {
        string full = Path.GetFullPath(path);
        if (!options.Force && File.Exists(full)) throw AtomicFile.Exists(full);
        if (options.ExpandFunction && graph.FunctionTable.Count > 0) graph = Expand(graph, report);
        GraphExporter exporter = new(graph, options.KeepOverridableInput, inferredTypes: true) { StoredOutsideFrom = options.ExternalData ? ExternalDataWriter.StoredFrom : long.MaxValue };
        ModelProto model = exporter.Write();
        if (exporter.DroppedInputs.Count > 0)
        {
            string names = string.Join(", ", exporter.DroppedInputs.Take(3)) + (exporter.DroppedInputs.Count > 3 ? ", …" : "");
            report.Warning($"{graph.Name}: {exporter.DroppedInputs.Count} initializer(s) left the graph's inputs, so that callers can't replace them any more ({names}). -KeepOverridableInput keeps them.");
        }
        Copier copier = new(report, Path.GetFileName(full), exporter.Deferred.Values.Sum(d => d.ByteCount), stop);
        if (!options.ExternalData)
        {
            if (ModelWriter.Size(model, exporter.Deferred) is > ModelWriter.Limit and long size) throw TooLarge(full, size);
            AtomicFile.Write(full, options.Force, stream => ModelWriter.Write(model, exporter.Deferred, stream, graph.Name, copier.Copy));
            return;
        }
        IReadOnlyList<string> old = ExternalDataWriter.Locations(full);
        ExternalDataWriter data = new(full);
        try
        {
            data.Write(exporter.Deferred, copier.Copy);
            if (ModelWriter.Size(model, exporter.Deferred) is > ModelWriter.Limit and long size) throw TooLarge(full, size);
            AtomicFile.Write(full, options.Force, stream => ModelWriter.Write(model, exporter.Deferred, stream, graph.Name, copier.Copy));
        }
        catch
        {
            data.Abandon();
            throw;
        }
        data.DeleteReplaced(old);
    }

    private static OnnxGraph Expand(OnnxGraph graph, Report report)
    {
        OnnxGraph expanded = graph.Copy();
        FunctionInliner.Inline(expanded, static _ => true);
        if (!expanded.FunctionTable.Keys.Any(k => k.Domain == OnnxGraph.FusionDomain)) expanded.OpsetImports.Remove(OnnxGraph.FusionDomain);
        if (expanded.FunctionTable.Count > 0)
        {
            string names = string.Join(", ", expanded.FunctionTable.Values.Take(3).Select(f => $"'{f.Domain}::{f.Name}'")) + (expanded.FunctionTable.Count > 3 ? ", …" : "");
            report.Warning($"{graph.Name}: {expanded.FunctionTable.Count} function(s) stay, since they are written for other operator sets than the model ({names}).");
        }
        return expanded;
    }

    private static TrtToolsException TooLarge(string path, long size) => new(ErrorCode.OptionInvalid, path, Invariant($"the model would take {size:N0} bytes"),
        Invariant($"A protobuf file holds at most {ModelWriter.Limit:N0}"), "Export with -ExternalData, which stores the weights in a second file");

    /// <summary>Copies weights a chunk at a time, with progress and cancellation.</summary>
    private sealed class Copier(Report report, string name, long total, CancellationToken stop)
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private long _done;
        private long _reported = -1000;

        public void Copy(TensorData data, Stream stream)
        {
            const int Chunk = 1 << 22;
            for (long at = 0; at < data.ByteCount; at += Chunk)
            {
                stop.ThrowIfCancellationRequested();
                int length = (int)Math.Min(Chunk, data.ByteCount - at);
                stream.Write(data.Slice(at, length));
                _done += length;
                if (_clock.ElapsedMilliseconds - _reported < 100) continue;
                _reported = _clock.ElapsedMilliseconds;
                report.Progress("Exporting", name, total == 0 ? 1 : (double)_done / total);
            }
        }
    }
}
