using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>Cases as files, for a machine with a GPU and no .NET: bench/kernels.py compiles and launches them and compares.</summary>
internal static class KernelDump
{
    public static void Write(string folder, IEnumerable<KernelCase> cases, GeneratorOptions? options = null)
    {
        Directory.CreateDirectory(folder);
        JsonArray all = [];
        Dictionary<string, string> texts = new(StringComparer.Ordinal);
        using FileStream data = File.Create(Path.Combine(folder, "data.bin"));
        foreach (KernelCase made in cases)
        {
            Dictionary<Storage, int> buffers = [];
            JsonArray bufferList = [];
            int BufferOf(Storage storage)
            {
                if (buffers.TryGetValue(storage, out int known)) return known;
                buffers.Add(storage, known = buffers.Count);
                long bytes = storage.Type.ByteCount(storage.ElementCount.Evaluate(made.Symbols)!.Value);
                JsonObject buffer = new() { ["bytes"] = bytes };
                TensorData? content = storage.Data ?? made.Inputs.FirstOrDefault(i => ReferenceEquals(i.Storage, storage)).Data;
                if (content is not null && CaseRandom.Origin(content) is { } state) buffer["random"] = new JsonArray(state.ToString(CultureInfo.InvariantCulture), content.Type.ToString(), content.ElementCount);
                else if (content is not null) buffer["content"] = Append(data, content.Bytes);
                bufferList.Add(buffer);
                return known;
            }
            JsonArray launches = [];
            foreach (KernelLaunch launch in made.Launches(options))
            {
                if (!texts.TryGetValue(launch.Source.Text, out string? name)) texts.Add(launch.Source.Text, name = $"k{texts.Count.ToString(CultureInfo.InvariantCulture)}");
                JsonArray arguments = [];
                foreach (KernelArgument argument in launch.Arguments)
                {
                    arguments.Add(argument switch
                    {
                        PointerArgument pointer => new JsonObject { ["buffer"] = BufferOf(pointer.Storage), ["offset"] = pointer.Offset.Evaluate(made.Symbols)!.Value * pointer.Storage.Type.BitSize() / 8 },
                        ExtentArgument extent => new JsonObject { [extent.Wide ? "int64" : "int32"] = extent.Value.Evaluate(made.Symbols)!.Value },
                        FloatArgument number => new JsonObject { ["float32"] = number.Value },
                        _ => throw new NotSupportedException(argument.GetType().Name),
                    });
                }
                launches.Add(new JsonObject
                {
                    ["text"] = name, ["function"] = launch.Source.Function, ["grid"] = new JsonArray([.. launch.Grid.Select(g => (JsonNode)g.Evaluate(made.Symbols)!.Value)]),
                    ["block"] = new JsonArray([.. launch.Block.Select(b => (JsonNode)b)]), ["shared"] = launch.SharedBytes, ["arguments"] = arguments,
                });
            }
            if (made.IsTimed)
            {
                all.Add(new JsonObject { ["name"] = made.Name, ["launches"] = launches, ["buffers"] = bufferList });
                continue;
            }
            TensorData expected = made.Expected();
            long[] places = Sample(expected.ElementCount);
            long Value(DimExpr extent) => extent.Evaluate(made.Symbols)!.Value;
            JsonArray Numbers(IEnumerable<DimExpr> extents) => new([.. extents.Select(e => (JsonNode)Value(e))]);
            all.Add(new JsonObject
            {
                ["name"] = made.Name, ["tolerance"] = made.Tolerance, ["launches"] = launches,
                ["output"] = new JsonObject
                {
                    ["buffer"] = BufferOf(made.Output.Storage), ["type"] = expected.Type.ToString(), ["shape"] = Numbers(made.Output.Shape), ["strides"] = Numbers(made.Output.Strides), ["offset"] = Value(made.Output.Offset), 
                    ["places"] = new JsonArray([.. places.Select(p => (JsonNode)p)]), ["content"] = Append(data, Elements(expected, places)),
                },
                ["buffers"] = bufferList,
            });
        }
        File.WriteAllText(Path.Combine(folder, "cases.json"), all.ToJsonString());
        foreach ((string text, string name) in texts) File.WriteAllText(Path.Combine(folder, name + ".cu"), text);
        foreach ((string name, string text) in KernelHeaders.All) File.WriteAllText(Path.Combine(folder, name), text);
    }

    /// <summary>Where outputs are compared: all of a small one; of others both ends and places spread between, no two of which are one block apart. TRTTOOLS_DUMP_ALL=1 takes every place.</summary>
    private static long[] Sample(long count)
    {
        if (count <= 512 || Environment.GetEnvironmentVariable("TRTTOOLS_DUMP_ALL") == "1") return [.. Enumerable.Range(0, (int)count).Select(i => (long)i)];
        return [.. Enumerable.Range(0, 64).SelectMany(i => new[] { i, count - 1 - i }).Concat(Enumerable.Range(0, 384).Select(i => 64 + (i * (count - 128) / 384))).Distinct().Order()];
    }

    /// <summary>Chosen elements as doubles.</summary>
    private static byte[] Elements(TensorData tensor, long[] places)
    {
        double[] all = tensor.Type switch
        {
            DataType.Int4 or DataType.UInt4 => [.. Enumerable.Range(0, (int)tensor.ElementCount).Select(i => (double)Nibble(tensor.Bytes[i / 2] >> (i % 2 * 4), tensor.Type))],
            DataType.UInt64 => [.. tensor.AsSpan<ulong>().ToArray().Select(v => (double)v)],
            _ => tensor.ToDouble(),
        };
        return MemoryMarshal.AsBytes<double>(places.Select(p => all[p]).ToArray()).ToArray();
    }

    private static int Nibble(int bits, DataType type) => type == DataType.Int4 ? ((bits & 15) ^ 8) - 8 : bits & 15;

    private static JsonArray Append(FileStream data, ReadOnlySpan<byte> content)
    {
        long at = data.Position;
        data.Write(content);
        return [at, content.Length];
    }
}
