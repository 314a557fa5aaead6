using System.Text;
using TrtTools.Onnx;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Evaluation;

/// <summary>What passes between <see cref="EvaluationProcess"/> and the process that runs graphs for it. A request is the subject, the model and the inputs; an
/// answer is the outputs, or an error.</summary>
internal static class EvaluationServer
{
    private const byte Success = 0, Failure = 1;

    public static void Serve(Stream input, Stream output)
    {
        using BinaryReader reader = new(input, Encoding.UTF8, leaveOpen: true);
        using BinaryWriter writer = new(output, Encoding.UTF8, leaveOpen: true);
        while (true)
        {
            string subject;
            try
            {
                subject = reader.ReadString();
            }
            catch (EndOfStreamException)
            {
                return;
            }
            byte[] model = ReadBytes(reader);
            Dictionary<string, TensorData> inputs = ReadTensors(reader);
            try
            {
                using OrtSession session = OrtSession.Create(model, new OrtOptions { Optimization = OrtOptimization.None, Subject = subject });
                IReadOnlyDictionary<string, TensorData> results = session.Run(session.InputNames.Where(inputs.ContainsKey).ToDictionary(n => n, n => inputs[n], StringComparer.Ordinal));
                writer.Write(Success);
                WriteTensors(writer, results);
            }
            catch (TrtToolsException e)
            {
                writer.Write(Failure);
                writer.Write(e.Code.ToString());
                writer.Write(e.Message.StartsWith(subject + ": ", StringComparison.Ordinal) ? e.Message[(subject.Length + 2)..] : e.Message);
            }
            writer.Flush();
        }
    }

    public static void WriteRequest(Stream stream, string subject, byte[] model, IReadOnlyDictionary<string, TensorData> inputs)
    {
        using BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(subject);
        writer.Write(model.Length);
        writer.Write(model);
        WriteTensors(writer, inputs);
        writer.Flush();
    }

    public static IReadOnlyDictionary<string, TensorData> ReadAnswer(Stream stream, string subject)
    {
        using BinaryReader reader = new(stream, Encoding.UTF8, leaveOpen: true);
        if (reader.ReadByte() == Success) return ReadTensors(reader);
        string code = reader.ReadString(), found = reader.ReadString();
        throw new TrtToolsException(Enum.TryParse(code, out ErrorCode known) ? known : ErrorCode.EvaluationFailed, subject, found, "", "");
    }

    private static void WriteTensors(BinaryWriter writer, IReadOnlyDictionary<string, TensorData> tensors)
    {
        writer.Write(tensors.Count);
        foreach ((string name, TensorData data) in tensors)
        {
            byte[] bytes = OnnxFile.WriteTensor(name, data);
            writer.Write(name);
            writer.Write(bytes.Length);
            writer.Write(bytes);
        }
    }

    private static Dictionary<string, TensorData> ReadTensors(BinaryReader reader)
    {
        Dictionary<string, TensorData> tensors = new(StringComparer.Ordinal);
        int count = reader.ReadInt32();
        for (int i = 0; i < count; i++)
        {
            string name = reader.ReadString();
            tensors[name] = OnnxFile.ReadTensor(ReadBytes(reader), out _);
        }
        return tensors;
    }

    private static byte[] ReadBytes(BinaryReader reader)
    {
        int length = reader.ReadInt32();
        byte[] bytes = reader.ReadBytes(length);
        return bytes.Length == length ? bytes : throw new EndOfStreamException();
    }
}
