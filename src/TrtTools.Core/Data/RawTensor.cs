using System.Globalization;
using TrtTools.Tensors;

namespace TrtTools.Data;

/// <summary>Bare elements, little-endian and row-major, as trtexec's --loadInputs reads them.</summary>
internal static class RawTensor
{
    /// <param name="shape">Extents; one of them may be -1, and comes from the file's length. Null for a vector.</param>
    public static Tensor Read(string path, string name, DataType type, long[]? shape)
    {
        if (type.BitSize() < 8) throw new TrtToolsException(ErrorCode.OptionInvalid, "DataType", $"it is {type}", "A type whose elements are whole bytes", "Give -DataType Float32, for instance");
        long size = new FileInfo(path).Length;
        if (size > Array.MaxLength) throw new TrtToolsException(ErrorCode.DataInvalid, path, string.Create(CultureInfo.InvariantCulture, $"it holds {size:N0} bytes"), "At most 2 GB", "Split the file");
        long[] extents = Extents(path, shape ?? [-1], size, type);
        return new Tensor(name, TensorData.FromBytes(type, extents, File.ReadAllBytes(path)));
    }

    private static long[] Extents(string path, long[] shape, long size, DataType type)
    {
        long known = TensorData.CountElements([.. shape.Where(d => d >= 0)]), element = type.BitSize() / 8;
        int open = shape.Count(d => d < 0);
        bool fits = open == 0 ? known * element == size : open == 1 && known > 0 && size % (known * element) == 0;
        if (!fits)
        {
            throw new TrtToolsException(ErrorCode.DataInvalid, path, string.Create(CultureInfo.InvariantCulture, $"it holds {size:N0} bytes"), string.Create(CultureInfo.InvariantCulture, $"{type} {InputInfo.ShapeText(shape)} takes {(open == 0 ? "" : "a multiple of ")}{known * element:N0} bytes"), "Correct -DataType or -Shape");
        }
        return [.. shape.Select(d => d >= 0 ? d : size / (known * element))];
    }
}
