using System.Buffers;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using TrtTools.Tensors;

namespace TrtTools.Ort;

/// <summary>Tensors across the border to ONNX Runtime. Inputs are borrowed, not copied; outputs are copied into managed memory.</summary>
internal static class OrtTensors
{
    /// <summary>An OrtValue over the tensor's own bytes. The handle must outlive it.</summary>
    public static unsafe OrtValue Borrow(TensorData tensor, out MemoryHandle handle)
    {
        handle = default;
        long[] shape = tensor.Shape.ToArray();
        if (tensor.Type == DataType.String)
        {
            OrtValue strings = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
            for (int i = 0; i < tensor.Strings.Length; i++) strings.StringTensorSetElementAt(tensor.Strings[i].AsSpan(), i);
            return strings;
        }
        TensorElementType type = (TensorElementType)tensor.Type;
        if (tensor.ByteCount == 0) return OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type, shape);
        handle = tensor.Pin();
        // A slice of a file may start anywhere; kernels may assume whole elements.
        int alignment = Math.Max(1, Math.Min(8, tensor.Type.BitSize() / 8));
        if ((nuint)handle.Pointer % (nuint)alignment != 0)
        {
            handle.Dispose();
            handle = tensor.Bytes.ToArray().AsMemory().Pin();
        }
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, type, shape, (IntPtr)handle.Pointer, tensor.ByteCount);
    }

    public static TensorData Copy(OrtValue value, string name, string subject)
    {
        if (!value.IsTensor)
        {
            throw new TrtToolsException(ErrorCode.UnsupportedOperator, subject, $"the output '{name}' is {(value.OnnxType == OnnxValueType.ONNX_TYPE_MAP ? "a map" : value.OnnxType == OnnxValueType.ONNX_TYPE_SEQUENCE ? "a sequence" : "no tensor")}",
                "Outputs that are tensors", "Choose other outputs, or end the model before the node that makes it (a ZipMap can be dropped)");
        }
        OrtTensorTypeAndShapeInfo info = value.GetTensorTypeAndShape();
        long[] shape = info.Shape;
        if (info.IsString) return TensorData.FromStrings(shape, value.GetStringTensorAsArray());
        DataType type = (DataType)(int)info.ElementDataType;
        long bytes = type.ByteCount(TensorData.CountElements(shape));
        if (bytes == 0) return TensorData.FromBytes(type, shape, ReadOnlyMemory<byte>.Empty);
        if (bytes > Array.MaxLength)
        {
            throw new TrtToolsException(ErrorCode.EvaluationFailed, subject, $"the output '{name}' takes {bytes:N0} bytes", "At most 2 GB for one output", "Run a smaller batch");
        }
        return TensorData.FromBytes(type, shape, value.GetTensorMutableRawData()[..(int)bytes].ToArray());
    }
}
