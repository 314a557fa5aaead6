using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tactics;
using TrtTools.Tensors;

namespace TrtTools.Tests.Kernels;

/// <summary>What hand-made kernels offer for regions, as files for a machine with a GPU and no .NET: bench/kernels/run_dump.py launches them and compares with what the Reference device computes.</summary>
internal static class HandMadeDump
{
    public static void Write(string folder, IEnumerable<HandMadeCases.Made> cases, TacticContext context)
    {
        Directory.CreateDirectory(folder);
        JsonArray all = [];
        Dictionary<string, string> texts = new(StringComparer.Ordinal);
        using FileStream data = File.Create(Path.Combine(folder, "data.bin"));
        foreach ((KernelCase made, Region region) in cases)
        {
            TacticContext own = context with { Symbols = made.Symbols };
            Tactic[] tactics = [.. new HandMadeTactics().Offers(region, own).Select(o => o.Tactic).OfType<Tactic>()];
            if (tactics.Length == 0) continue;
            TensorData expected = made.Expected();
            JsonArray content = Append(data, expected);
            Dictionary<Storage, JsonArray> written = [];
            long Value(DimExpr extent) => extent.Evaluate(made.Symbols)!.Value;
            JsonArray Numbers(IEnumerable<DimExpr> extents) => new([.. extents.Select(e => (JsonNode)Value(e))]);
            foreach (Tactic tactic in tactics)
            {
                KernelLaunch launch = ((KernelTacticLaunch)tactic.Launches.Single()).Launch;
                Dictionary<Storage, int> buffers = [];
                JsonArray bufferList = [];
                int BufferOf(Storage storage)
                {
                    if (buffers.TryGetValue(storage, out int known)) return known;
                    buffers.Add(storage, known = buffers.Count);
                    JsonObject buffer = new() { ["bytes"] = storage.Type.ByteCount(Value(storage.ElementCount)) };
                    if ((storage.Data ?? made.Inputs.FirstOrDefault(i => ReferenceEquals(i.Storage, storage)).Data) is { } held)
                    {
                        if (!written.TryGetValue(storage, out JsonArray? at)) written.Add(storage, at = Append(data, held));
                        buffer["content"] = at.DeepClone();
                    }
                    bufferList.Add(buffer);
                    return known;
                }
                if (!texts.TryGetValue(launch.Source.Text, out string? text)) texts.Add(launch.Source.Text, text = "k" + texts.Count.ToString(CultureInfo.InvariantCulture));
                JsonArray arguments = [];
                foreach (KernelArgument argument in launch.Arguments)
                {
                    arguments.Add(argument switch
                    {
                        PointerArgument pointer => new JsonObject { ["buffer"] = BufferOf(pointer.Storage), ["offset"] = Value(pointer.Offset) * pointer.Storage.Type.BitSize() / 8 },
                        ExtentArgument extent => new JsonObject { [extent.Wide ? "int64" : "int32"] = Value(extent.Value) },
                        FloatArgument number => new JsonObject { ["float32"] = number.Value },
                        TensorMapArgument map => new JsonObject
                        {
                            ["map"] = BufferOf(map.Storage), ["offset"] = Value(map.Offset) * map.Storage.Type.BitSize() / 8, ["type"] = map.Type.ToString(), ["extents"] = Numbers(map.Extents), ["strides"] = Numbers(map.Strides),
                            ["box"] = new JsonArray([.. map.Box.Select(b => (JsonNode)b)]), ["swizzle"] = map.SwizzleBytes, ["steps"] = new JsonArray([.. map.ElementStrides.Select(b => (JsonNode)b)]),
                            ["window"] = map.Im2Col is { } window ? new JsonArray([.. window.LowerCorner.Concat(window.UpperCorner).Append(window.ChannelsPerPixel).Append(window.PixelsPerColumn).Select(b => (JsonNode)b)]) : null,
                        },
                        _ => throw new NotSupportedException(argument.GetType().Name),
                    });
                }
                all.Add(new JsonObject
                {
                    ["name"] = made.Name, ["tactic"] = tactic.Name, ["tolerance"] = made.Tolerance, ["text"] = text, ["function"] = launch.Source.Function, ["grid"] = Numbers(launch.Grid), ["block"] = launch.Block[0],
                    ["cluster"] = launch.Cluster.Count > 0 ? launch.Cluster[0] : 1, ["shared"] = launch.SharedBytes, ["programmatic"] = launch.Programmatic, ["arguments"] = arguments,
                    ["output"] = new JsonObject
                    {
                        ["buffer"] = BufferOf(made.Output.Storage), ["type"] = expected.Type.ToString(), ["shape"] = Numbers(made.Output.Shape), ["strides"] = Numbers(made.Output.Strides), ["offset"] = Value(made.Output.Offset),
                        ["content"] = content.DeepClone(),
                    },
                    ["buffers"] = bufferList,
                });
            }
        }
        File.WriteAllText(Path.Combine(folder, "cases.json"), all.ToJsonString());
        foreach ((string text, string name) in texts) File.WriteAllText(Path.Combine(folder, name + ".cu"), text);
        foreach ((string name, string text) in KernelHeaders.All) File.WriteAllText(Path.Combine(folder, name), text);
    }

    private static JsonArray Append(FileStream data, TensorData content)
    {
        long at = data.Position;
        data.Write(content.Bytes);
        return [at, content.ByteCount];
    }
}
