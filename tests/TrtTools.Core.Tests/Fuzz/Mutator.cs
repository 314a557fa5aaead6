using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using TrtTools.Ops;

namespace TrtTools.Tests.Fuzz;

/// <summary>Damages bytes and messages. The same random numbers give the same damage.</summary>
internal sealed class Mutator(Random random)
{
    private static readonly long[] s_numbers = [0, 1, -1, 2, 3, 7, 16, 127, 128, 255, 4096, 65_536, int.MaxValue, int.MinValue, 1L << 31, 1L << 40, long.MaxValue, long.MinValue, -2];

    private static readonly float[] s_floats = [0, 1, -1, float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, float.Epsilon];

    private static readonly string[] s_texts = ["", "x", "y", "Constant", "If", "Loop", "Scan", "body", "then_branch", "Relu", "ai.onnx", "com.microsoft", "trt.tools", "../../etc/passwd", "/dev/zero", "\0", "ä€𝄞", "NOTSET", "SAME_UPPER", "axis", "axes", "perm", "value", "to", "pads", "-9223372036854775808"];

    private static readonly string[] s_operators = [.. OperatorCatalog.All.Select(o => o.OpType)];

    public Random Random => random;

    /// <summary>Bits flipped, parts cut out, doubled or overwritten, the end cut off.</summary>
    public byte[] Bytes(byte[] bytes)
    {
        List<byte> result = [.. bytes];
        for (int i = random.Next(1, 5); i > 0 && result.Count > 0; i--)
        {
            int at = random.Next(result.Count), length = Math.Min(random.Next(1, 32), result.Count - at);
            switch (random.Next(7))
            {
                case 0: result[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: result[at] = (byte)random.Next(256); break;
                case 2: result.RemoveRange(at, length); break;
                case 3: result.InsertRange(at, result.GetRange(at, length)); break;
                case 4: result.RemoveRange(at, result.Count - at); break;
                case 5: result.InsertRange(at, result.GetRange(random.Next(result.Count - length + 1), length)); break;
                default:
                    for (int k = 0; k < length; k++) result[at + k] = 0xff;
                    break;
            }
        }
        return [.. result];
    }

    /// <summary>Text: the same, and whole lines and tokens.</summary>
    public string Text(string text)
    {
        List<string> lines = [.. text.Split('\n')];
        for (int i = random.Next(1, 4); i > 0 && lines.Count > 0; i--)
        {
            int at = random.Next(lines.Count);
            switch (random.Next(8))
            {
                case 0: lines.RemoveAt(at); break;
                case 1: lines.Insert(at, lines[random.Next(lines.Count)]); break;
                case 2: lines[at] = lines[at][..random.Next(lines[at].Length + 1)]; break;
                case 3: lines[at] = lines[at].Replace(':', random.Next(2) == 0 ? '-' : '['); break;
                case 4: lines[at] = new string("[{- ("[random.Next(5)], random.Next(1, 3000)) + lines[at]; break;
                case 5: lines[at] += s_texts[random.Next(s_texts.Length)]; break;
                case 6: lines[at] = lines[at].Replace("(", random.Next(2) == 0 ? "((" : "", StringComparison.Ordinal); break;
                default: lines[at] = System.Text.Encoding.Latin1.GetString(Bytes(System.Text.Encoding.Latin1.GetBytes(lines[at]))); break;
            }
        }
        return string.Join('\n', lines);
    }

    /// <summary>A few fields of the message, or of messages in it, take other contents: extreme numbers, other names of the model, missing, doubled and swapped parts.</summary>
    public void Message(IMessage root)
    {
        List<IMessage> all = [];
        List<string> names = [];
        Collect(root, all, names, 0);
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            IMessage message = all[random.Next(all.Count)];
            IList<FieldDescriptor> fields = message.Descriptor.Fields.InDeclarationOrder();
            if (fields.Count == 0) continue;
            // Rather what is there than what is not.
            FieldDescriptor field = fields[random.Next(fields.Count)];
            for (int k = 0; k < 4 && !IsSet(message, field); k++) field = fields[random.Next(fields.Count)];
            if (field.IsMap) continue;
            if (field.IsRepeated) Repeated((IList)field.Accessor.GetValue(message), field, all, names);
            else Single(message, field, all, names);
        }
    }

    private static bool IsSet(IMessage message, FieldDescriptor field) => field.IsRepeated ? ((IEnumerable)field.Accessor.GetValue(message)).GetEnumerator().MoveNext() : field.HasPresence ? field.Accessor.HasValue(message) : true;

    private void Single(IMessage message, FieldDescriptor field, List<IMessage> all, List<string> names)
    {
        if (random.Next(6) == 0)
        {
            field.Accessor.Clear(message);
            return;
        }
        if (Value(field, all, names) is { } value) field.Accessor.SetValue(message, value);
    }

    private void Repeated(IList list, FieldDescriptor field, List<IMessage> all, List<string> names)
    {
        int at = list.Count == 0 ? 0 : random.Next(list.Count);
        switch (list.Count == 0 ? 3 : random.Next(6))
        {
            case 0: list.RemoveAt(at); break;
            case 1: list.Insert(at, Copy(list[random.Next(list.Count)]!)); break;
            case 2:
                int other = random.Next(list.Count);
                (object first, object second) = (Copy(list[at]!), Copy(list[other]!));
                list[at] = second;
                list[other] = first;
                break;
            case 3:
                if (Value(field, all, names) is { } added) list.Insert(at, added);
                break;
            case 4 when random.Next(8) == 0: list.Clear(); break;
            default:
                if (Value(field, all, names) is { } value) list[at] = value;
                break;
        }
    }

    private static object Copy(object item) => item is IMessage message ? message.Descriptor.Parser.ParseFrom(message.ToByteArray()) : item;

    private object? Value(FieldDescriptor field, List<IMessage> all, List<string> names)
    {
        long number = random.Next(3) == 0 ? s_numbers[random.Next(s_numbers.Length)] : random.Next(-2, 20);
        switch (field.FieldType)
        {
            case FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32: return unchecked((int)number);
            case FieldType.UInt32 or FieldType.Fixed32: return unchecked((uint)number);
            case FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64: return number;
            case FieldType.UInt64 or FieldType.Fixed64: return unchecked((ulong)number);
            case FieldType.Float: return s_floats[random.Next(s_floats.Length)];
            case FieldType.Double: return (double)s_floats[random.Next(s_floats.Length)];
            case FieldType.Bool: return random.Next(2) == 0;
            case FieldType.Enum: return Enum.ToObject(field.EnumType.ClrType, unchecked((int)number));
            case FieldType.String:
                if (field.Name == "op_type" && random.Next(2) == 0) return s_operators[random.Next(s_operators.Length)];
                return names.Count > 0 && random.Next(3) > 0 ? names[random.Next(names.Count)] : s_texts[random.Next(s_texts.Length)];
            case FieldType.Bytes:
                byte[] bytes = new byte[random.Next(0, 40)];
                random.NextBytes(bytes);
                return ByteString.CopyFrom(bytes);
            case FieldType.Message:
                // Another message of the type, from anywhere in the model.
                List<IMessage> like = [.. all.Where(m => m.Descriptor == field.MessageType)];
                return like.Count > 0 ? Copy(like[random.Next(like.Count)]) : field.MessageType.Parser.ParseFrom(ByteString.Empty);
            default: return null;
        }
    }

    private static void Collect(IMessage message, List<IMessage> all, List<string> names, int depth)
    {
        if (depth > 40 || all.Count > 5000) return;
        all.Add(message);
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (field.IsMap) continue;
            object? value = field.Accessor.GetValue(message);
            foreach (object item in field.IsRepeated ? ((IEnumerable)value!).Cast<object>() : value is null ? [] : [value])
            {
                if (item is IMessage inner) Collect(inner, all, names, depth + 1);
                else if (item is string { Length: > 0 } text && names.Count < 2000) names.Add(text);
            }
        }
    }
}
