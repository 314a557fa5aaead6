using TrtTools.Ir;
using TrtTools.Tensors;

namespace TrtTools.Passes.Simplify;

/// <summary>Initializers of equal content become one: the first of the body, or that of a body around it.</summary>
internal sealed class MergeDuplicateInitializers : GraphPass
{
    public override string Name => "merge-duplicate-initializers";

    public override int Apply(PassContext context)
    {
        int count = 0;
        Dictionary<ContentKey, List<Value>> known = [];
        foreach (Graph graph in context.Model.Body.WithSubgraphs)
        {
            foreach (Value value in graph.Initializers.Where(v => v is { IsConstant: true, IsGraphOutput: false }).ToList())
            {
                ContentKey key = ContentKey.Of(value.Data!);
                if (!known.TryGetValue(key, out List<Value>? same)) known.Add(key, same = []);
                Value? original = same.Find(v => Reaches(v.Graph, graph) && v.Data!.ContentEquals(value.Data!));
                if (original is null)
                {
                    same.Add(value);
                    continue;
                }
                if (value.UseList.Count == 0) continue;
                foreach (Use use in value.UseList) context.Touch(use.Node);
                graph.ReplaceUses(value, original);
                graph.RemoveInitializer(value);
                count++;
            }
        }
        return count;
    }

    private static bool Reaches(Graph outer, Graph inner)
    {
        for (Graph? at = inner; at is not null; at = at.Outer)
        {
            if (ReferenceEquals(at, outer)) return true;
        }
        return false;
    }

    /// <summary>What is cheap to compare: type, shape and some of the bytes. Weights of one shape need not be read in full to be told apart.</summary>
    private readonly record struct ContentKey(DataType Type, int Sample)
    {
        public static ContentKey Of(TensorData data)
        {
            HashCode hash = new();
            foreach (long extent in data.Shape) hash.Add(extent);
            if (data.Type == DataType.String)
            {
                foreach (string text in data.Strings[..Math.Min(16, data.Strings.Length)]) hash.Add(text, StringComparer.Ordinal);
            }
            else
            {
                const int Part = 256;
                hash.AddBytes(data.Slice(0, (int)Math.Min(Part, data.ByteCount)));
                if (data.ByteCount > Part) hash.AddBytes(data.Slice(data.ByteCount - Part, Part));
                if (data.ByteCount > 4 * Part) hash.AddBytes(data.Slice(data.ByteCount / 2, Part));
            }
            return new ContentKey(data.Type, hash.ToHashCode());
        }
    }
}
