using TrtTools.Files;
using static System.FormattableString;

namespace TrtTools.Onnx;

/// <summary>One field of a protobuf message inside a mapped file.</summary>
/// <param name="Number">The field's number.</param>
/// <param name="IsMessage">True when it is length-delimited.</param>
/// <param name="Start">Where its tag stands.</param>
/// <param name="Content">Where its content begins (after tag and length).</param>
/// <param name="End">Where the next field begins.</param>
internal readonly record struct WireField(int Number, bool IsMessage, long Start, long Content, long End)
{
    public long Length => End - Content;
}

/// <summary>Steps from field to field of a protobuf message, by 64-bit offsets: Google.Protobuf itself ends at 2 GB.</summary>
internal sealed class WireScanner(MappedFile file, string subject)
{
    public IEnumerable<WireField> Fields(long start, long end)
    {
        for (long at = start; at < end;)
        {
            WireField field = Next(at, end);
            yield return field;
            at = field.End;
        }
    }

    private WireField Next(long start, long end)
    {
        long at = start;
        ulong tag = Varint(ref at, end);
        int number = (int)(tag >> 3);
        if (tag > uint.MaxValue || number == 0) throw Damaged(start);
        switch (tag & 7)
        {
            case 0:
                Varint(ref at, end);
                return Checked(number, start, at, at, end);
            case 1: return Checked(number, start, at, at + 8, end);
            case 5: return Checked(number, start, at, at + 4, end);
            case 2:
                ulong length = Varint(ref at, end);
                if (length > (ulong)(end - at)) throw Truncated(start, length, end - at);
                return new WireField(number, true, start, at, at + (long)length);
            default:
                // Groups (3 and 4) went out of use before ONNX began; 6 and 7 mean nothing.
                throw Damaged(start);
        }
    }

    private WireField Checked(int number, long start, long content, long after, long end) =>
        after <= end ? new WireField(number, false, start, content, after) : throw Truncated(start, (ulong)(after - content), end - content);

    private ulong Varint(ref long at, long end)
    {
        ReadOnlySpan<byte> bytes = file.Span(at, (int)Math.Min(10, end - at));
        ulong value = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                at += i + 1;
                return value;
            }
        }
        throw Damaged(at);
    }

    private TrtToolsException Truncated(long at, ulong length, long left) => Malformed.Model(subject,
        Invariant($"it is no ONNX model, or a truncated one: the field at byte {at:N0} claims {length:N0} bytes, but {left:N0} are left"), "A whole file in ONNX's protobuf format", "Copy or download it again");

    private TrtToolsException Damaged(long at) => Malformed.Model(subject, Invariant($"it is no ONNX model, or damaged at byte {at:N0}"), "A file in ONNX's protobuf format", "Copy or download it again");
}
