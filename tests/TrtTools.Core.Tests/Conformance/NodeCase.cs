using Google.Protobuf;
using TrtTools.Onnx;
using TrtTools.Onnx.Proto;
using TrtTools.Tensors;

namespace TrtTools.Tests.Conformance;

/// <summary>One of ONNX's backend test cases: a model and its inputs. They are no part of this repository: Debian's package libonnx-testdata brings them, TRTTOOLS_ONNX_TESTDATA names another folder.</summary>
internal sealed record NodeCase(string Name, string Folder)
{
    private const string DebianFolder = "/usr/share/libonnx-testdata/data";

    public string ModelPath => Path.Combine(Folder, "model.onnx");

    /// <summary>All cases of one kind (node, simple, pytorch-operator, pytorch-converted), or a skipped test.</summary>
    public static IReadOnlyList<NodeCase> All(string kind)
    {
        string root = Environment.GetEnvironmentVariable("TRTTOOLS_ONNX_TESTDATA") is { Length: > 0 } given ? given : DebianFolder;
        string folder = Path.Combine(root, kind);
        Assert.SkipUnless(Directory.Exists(folder), $"No {folder}: install Debian's libonnx-testdata, or set TRTTOOLS_ONNX_TESTDATA to the folder that holds 'node'.");
        return [.. Directory.GetDirectories(folder).Select(d => new NodeCase(Path.GetFileName(d), d)).Where(c => File.Exists(c.ModelPath)).OrderBy(c => c.Name, StringComparer.Ordinal)];
    }

    /// <summary>The first data set's inputs, by the model's input names: a tensor or a sequence of tensors each. Null when one is of another kind (an optional of nothing, a map).</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<TensorData>>? ReadInputs(ModelProto model, out IReadOnlySet<string> sequences)
    {
        string set = Path.Combine(Folder, "test_data_set_0");
        Dictionary<string, IReadOnlyList<TensorData>> inputs = new(StringComparer.Ordinal);
        HashSet<string> isSequence = new(StringComparer.Ordinal);
        sequences = isSequence;
        HashSet<string> constants = [.. model.Graph.Initializer.Select(i => i.Name)];
        string[] names = [.. model.Graph.Input.Select(i => i.Name).Where(n => !constants.Contains(n))];
        for (int i = 0; i < names.Length; i++)
        {
            string path = Path.Combine(set, $"input_{i}.pb");
            ValueInfoProto declared = model.Graph.Input.First(v => v.Name == names[i]);
            if (!File.Exists(path)) continue;
            byte[] bytes = File.ReadAllBytes(path);
            switch (declared.Type.ValueCase)
            {
                case TypeProto.ValueOneofCase.TensorType:
                    inputs.Add(names[i], [AsDeclared(OnnxFile.ReadTensor(bytes, out _), (DataType)declared.Type.TensorType.ElemType)]);
                    break;
                case TypeProto.ValueOneofCase.SequenceType:
                    inputs.Add(names[i], ReadSequence(bytes));
                    isSequence.Add(names[i]);
                    break;
                case TypeProto.ValueOneofCase.OptionalType:
                    // OptionalProto: tensor_value = 3, sequence_value = 5. Nothing cannot be given to ONNX Runtime from .NET.
                    if (Field(bytes, 3) is { } tensor)
                    {
                        inputs.Add(names[i], [OnnxFile.ReadTensor(tensor, out _)]);
                    }
                    else if (Field(bytes, 5) is { } sequence)
                    {
                        inputs.Add(names[i], ReadSequence(sequence));
                        isSequence.Add(names[i]);
                    }
                    else
                    {
                        return null;
                    }
                    break;
                default:
                    return null;
            }
        }
        return inputs;
    }

    /// <summary>Older cases give the bits of BFloat16 as UInt16.</summary>
    private static TensorData AsDeclared(TensorData data, DataType type) =>
        data.Type == DataType.UInt16 && type == DataType.BFloat16 ? TensorData.FromBytes(type, data.Shape, data.Bytes.ToArray()) : data;

    /// <summary>SequenceProto: name = 1, elem_type = 2, tensor_values = 3.</summary>
    private static List<TensorData> ReadSequence(byte[] bytes)
    {
        List<TensorData> tensors = [];
        CodedInputStream input = new(bytes);
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) == 3) tensors.Add(OnnxFile.ReadTensor(input.ReadBytes().Span, out _));
            else input.SkipLastField();
        }
        return tensors;
    }

    private static byte[]? Field(byte[] bytes, int number)
    {
        CodedInputStream input = new(bytes);
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) == number) return input.ReadBytes().ToByteArray();
            input.SkipLastField();
        }
        return null;
    }
}
