using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using TrtTools.Tensors;
using Attribute = TrtTools.Ir.Attribute;

namespace TrtTools.Passes;

/// <summary>Attributes as text that is equal exactly when they are.</summary>
internal static class AttributeText
{
    /// <summary>False for what has no such text (graphs, sparse tensors, types).</summary>
    public static bool Append(StringBuilder text, Attribute attribute)
    {
        text.Append(attribute.Name).Append('=');
        if (attribute.Reference is { } reference)
        {
            text.Append('@').Append(reference);
            return true;
        }
        switch (attribute.Content)
        {
            case float number: Append(text, number); return true;
            case long number: text.Append(number.ToString(CultureInfo.InvariantCulture)); return true;
            case byte[] bytes: text.Append(Convert.ToHexString(bytes)); return true;
            case long[] numbers: text.AppendJoin(',', numbers.Select(n => n.ToString(CultureInfo.InvariantCulture))).Append(']'); return true;
            case float[] numbers:
                foreach (float number in numbers) Append(text, number);
                text.Append(']');
                return true;
            case byte[][] texts: text.AppendJoin(',', texts.Select(Convert.ToHexString)).Append(']'); return true;
            case TensorData data: Append(text, data); return true;
            case TensorData[] many:
                foreach (TensorData data in many) Append(text, data);
                text.Append(']');
                return true;
            default: return false;
        }
    }

    private static void Append(StringBuilder text, float number) => text.Append(BitConverter.SingleToUInt32Bits(number).ToString("x8", CultureInfo.InvariantCulture)).Append(';');

    private static void Append(StringBuilder text, TensorData data)
    {
        text.Append(data).Append(':');
        if (data.Type == DataType.String)
        {
            foreach (string item in data.Strings) text.Append(item.Length).Append('#').Append(item);
            return;
        }
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        const int Chunk = 1 << 24;
        for (long at = 0; at < data.ByteCount; at += Chunk) hash.AppendData(data.Slice(at, (int)Math.Min(Chunk, data.ByteCount - at)));
        text.Append(Convert.ToHexString(hash.GetHashAndReset()));
    }
}
