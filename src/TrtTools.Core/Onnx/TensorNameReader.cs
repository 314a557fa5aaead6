using System.Text;
using TrtTools.Files;
using TrtTools.Onnx.Proto;

namespace TrtTools.Onnx;

/// <summary>Walks a model for the names of the main graph's tensors, past everything else.</summary>
internal static class TensorNameReader
{
    public static IReadOnlyList<string> Read(string path)
    {
        using MappedFile file = ModelImport.Open(path);
        WireScanner scanner = new(file, path);
        HashSet<string> seen = new(StringComparer.Ordinal);
        List<string> names = [];
        void Add(WireField field)
        {
            if (!field.IsMessage || field.Length is 0 or > 1 << 16) return;
            string name = Encoding.UTF8.GetString(file.Span(field.Content, (int)field.Length));
            if (seen.Add(name)) names.Add(name);
        }
        void AddFields(WireField message, int number)
        {
            foreach (WireField field in scanner.Fields(message.Content, message.End))
            {
                if (field.Number == number) Add(field);
            }
        }
        foreach (WireField graph in scanner.Fields(0, file.Length))
        {
            if (graph is not { Number: ModelProto.GraphFieldNumber, IsMessage: true }) continue;
            foreach (WireField part in scanner.Fields(graph.Content, graph.End))
            {
                if (!part.IsMessage) continue;
                switch (part.Number)
                {
                    case GraphProto.InputFieldNumber: AddFields(part, ValueInfoProto.NameFieldNumber); break;
                    case GraphProto.InitializerFieldNumber: AddFields(part, TensorProto.NameFieldNumber); break;
                    case GraphProto.NodeFieldNumber: AddFields(part, NodeProto.OutputFieldNumber); break;
                }
            }
        }
        return names;
    }
}
