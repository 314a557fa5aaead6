using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace TrtTools.Tests.Onnx;

/// <summary>Compares messages and says where the first difference is.</summary>
internal static class MessageComparison
{
    public static void Equal(IMessage expected, IMessage actual, string where)
    {
        if (expected.Equals(actual)) return;
        Assert.Fail(Difference(expected, actual, where) ?? $"{where}: unknown fields differ");
    }

    private static string? Difference(IMessage expected, IMessage actual, string where)
    {
        if (expected.Equals(actual)) return null;
        foreach (FieldDescriptor field in expected.Descriptor.Fields.InFieldNumberOrder())
        {
            string at = $"{where}.{field.Name}";
            object? a = field.Accessor.GetValue(expected);
            object? b = field.Accessor.GetValue(actual);
            if (field.IsRepeated)
            {
                IList left = (IList)a!, right = (IList)b!;
                if (left.Count != right.Count) return $"{at}: {left.Count} entries, now {right.Count}";
                for (int i = 0; i < left.Count; i++)
                {
                    if (DifferenceOfValues(left[i], right[i], $"{at}[{i}]") is { } found) return found;
                }
                continue;
            }
            if (field.HasPresence && field.Accessor.HasValue(expected) != field.Accessor.HasValue(actual)) return $"{at}: set {field.Accessor.HasValue(expected)}, now {field.Accessor.HasValue(actual)}";
            if (DifferenceOfValues(a, b, at) is { } difference) return difference;
        }
        return $"{where}: unknown fields differ";
    }

    private static string? DifferenceOfValues(object? a, object? b, string where)
    {
        if (Equals(a, b)) return null;
        return a is IMessage left && b is IMessage right ? Difference(left, right, where) : $"{where}: {a}, now {b}";
    }
}
