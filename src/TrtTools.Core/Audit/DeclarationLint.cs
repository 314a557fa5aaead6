using TrtTools.Ir;
using TrtTools.Onnx;
using TrtTools.Tensors;
using static System.FormattableString;

namespace TrtTools.Audit;

/// <summary>Checks what a body declares: inputs, outputs, initializers and their types.</summary>
internal static class DeclarationLint
{
    private const string DeclareType = "Declare element type and shape where the model is exported";

    /// <param name="readsContent">Looks through the weights for what is not finite, which takes time with their size.</param>
    public static void Check(LintBody body, LintLog log, bool readsContent = true)
    {
        if (body.IsMain) CheckMain(body, log);
        foreach (Value value in body.Graph.Initializers) CheckInitializer(value, body, log, readsContent);
        if (body.Graph.Outer is not { } outer) return;
        foreach (Value value in body.Graph.Values)
        {
            if (outer.Resolve(value.Name) is null) continue;
            string node = value.Producer?.DisplayName ?? body.Graph.Owner!.DisplayName;
            log.Warning("NameShadowed", node, $"'{value.Name}'{body.Where} hides a tensor of that name outside", "Give one of them another name: ONNX wants names that differ, and other tools refuse this model");
        }
    }

    private static void CheckMain(LintBody body, LintLog log)
    {
        if (body.Graph.Outputs.Count == 0) log.Error("OutputMissing", "", "The graph has no outputs, so nothing is computed", "Name the outputs where the model is exported");
        foreach (Value input in body.Graph.Inputs.Where(i => i.Data is null)) CheckType(input, "Input", log);
        HashSet<Value> seen = [];
        foreach (Value output in body.Graph.Outputs)
        {
            if (!seen.Add(output)) log.Warning("OutputDuplicate", output.Producer?.DisplayName ?? "", $"'{output.Name}' stands twice among the graph's outputs", "List it once");
            else if (output.Data is null && !output.IsGraphInput) CheckType(output, "Output", log);
        }
    }

    private static void CheckType(Value value, string what, LintLog log)
    {
        // Sequences, maps and optionals have no tensor type, but are declared.
        bool declared = value.Type is { DataType: not DataType.Undefined } || value.Remainder is ValueRemainder { Input.Type: not null } || (what == "Output" && value.Type is null && HasOtherType(value));
        if (!declared)
        {
            if (what == "Input") log.Error("InputTypeMissing", "", $"Input '{value.Name}' has no type", DeclareType);
            else log.Warning("OutputTypeMissing", value.Producer?.DisplayName ?? "", $"Output '{value.Name}' has no type", DeclareType);
        }
        else if (value.Type is { Shape: null })
        {
            log.Warning($"{what}ShapeMissing", value.Producer?.DisplayName ?? "", $"{what} '{value.Name}' has no shape, not even a number of dimensions", DeclareType);
        }
    }

    private static bool HasOtherType(Value output) =>
        output.Graph.Remainder is GraphRemainder remainder && remainder.Outputs.Any(o => o.Name == output.Name && o.Type is { TensorType: null, ValueCase: not Onnx.Proto.TypeProto.ValueOneofCase.None });

    private static void CheckInitializer(Value value, LintBody body, LintLog log, bool readsContent)
    {
        TensorData data = value.Data!;
        TensorType actual = TensorType.Of(data);
        ValueRemainder? remainder = value.Remainder as ValueRemainder;
        foreach (TensorType? declared in new[] { TypeCodec.Read(remainder?.Input?.Type), TypeCodec.Read(remainder?.Info?.Type), value.Type })
        {
            if (declared is null || Fits(actual, declared)) continue;
            log.Error("InitializerTypeContradiction", "", $"Initializer '{value.Name}'{body.Where} is declared {declared}, but holds {actual}", "Make declaration and content agree where the model is exported");
            break;
        }
        if (readsContent && CountNotFinite(data) is > 0 and long count)
        {
            log.Warning("WeightNotFinite", value.UseList.Count > 0 ? value.UseList[0].Node.DisplayName : "", Invariant($"Initializer '{value.Name}'{body.Where} holds {count:N0} NaN or infinite element(s)"), "Check the training, or the conversion to a smaller type");
        }
    }

    private static bool Fits(TensorType actual, TensorType declared)
    {
        if (declared.DataType != DataType.Undefined && declared.DataType != actual.DataType) return false;
        if (declared.Shape is not { } shape) return true;
        if (shape.Rank != actual.Shape!.Rank) return false;
        for (int i = 0; i < shape.Rank; i++)
        {
            if (shape[i] is { IsConstant: true } d && !d.Equals(actual.Shape[i])) return false;
        }
        return true;
    }

    /// <summary>NaN and infinite elements. Scalars are not looked at: a lone infinity is a mask or a bound.</summary>
    private static long CountNotFinite(TensorData data)
    {
        if (data.Type is not (DataType.Float32 or DataType.Float64 or DataType.Float16 or DataType.BFloat16) || data.ElementCount < 2) return 0;
        long count = 0;
        const int Chunk = 1 << 20;
        for (long at = 0; at < data.ByteCount; at += Chunk)
        {
            ReadOnlySpan<byte> bytes = data.Slice(at, (int)Math.Min(Chunk, data.ByteCount - at));
            count += data.Type switch
            {
                DataType.Float32 => Count(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(bytes), 0x7F800000u),
                DataType.Float64 => Count(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(bytes), 0x7FF0000000000000ul),
                DataType.Float16 => Count(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7C00),
                _ => Count(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7F80),
            };
        }
        return count;
    }

    private static long Count<T>(ReadOnlySpan<T> bits, T exponent) where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        long count = 0;
        foreach (T b in bits)
        {
            if ((b & exponent) == exponent) count++;
        }
        return count;
    }
}
