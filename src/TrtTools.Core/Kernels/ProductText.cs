using System.Globalization;
using System.Text;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Kernels;

/// <summary>What the hand-made product kernels have in common: definitions before the text, arguments behind it.</summary>
internal static class ProductText
{
    public static int Size(DataType type) => type switch { DataType.Float32 => 4, DataType.Int8 => 1, _ => 2 };

    public static string Name(DataType type) => EpilogueText.ElementName(type) ?? throw new InvalidOperationException($"{type} is no element of a product.");

    /// <summary>As TRT_IN_KIND numbers them.</summary>
    public static int Kind(DataType type) => type switch { DataType.Float16 => 0, DataType.BFloat16 => 1, DataType.Float32 => 2, _ => 3 };

    public static bool IsDense(DimExpr stride) => GeneratorOptions.Is(stride, 1);

    public static bool IsZero(DimExpr value) => GeneratorOptions.Is(value, 0);

    /// <summary>Whether every row of an operand starts at a multiple of so many elements.</summary>
    public static bool IsAligned(ProductOperand operand, long elements) => new[] { operand.Offset, operand.Row, operand.Batch0, operand.Batch1 }.All(e => GeneratorOptions.IsDivisible(e, elements));

    /// <summary>Full: like the result; Column, Row: along one of its axes; Scalar. Null: along the columns with gaps.</summary>
    public static string? OperandKind(ProductOperand operand, ProductView view)
    {
        bool along = IsDense(operand.Inner), still = IsZero(operand.Inner);
        if (!along && !still && !GeneratorOptions.Is(view.Cols, 1)) return null;
        bool moves = !IsZero(operand.Row);
        if (still) return moves || !IsZero(operand.Batch0) || !IsZero(operand.Batch1) ? "Row" : "Scalar";
        return moves ? "Full" : "Column";
    }

    /// <summary>How many neighbouring columns of the result and of what is like it may be accessed at once.</summary>
    public static int Vector(ProductView view, int most = 8)
    {
        for (int v = most; v > 1; v /= 2)
        {
            int width = v;
            if (GeneratorOptions.IsDivisible(view.Cols, v) && view.Operands.Where(o => IsDense(o.Inner)).Append(view.Y).All(o => IsAligned(o, width))) return v;
        }
        return 1;
    }

    public static string Defines(IEnumerable<(string Name, object Value)> definitions)
    {
        StringBuilder text = new();
        foreach ((string name, object value) in definitions) text.Append(CultureInfo.InvariantCulture, $"#define TRT_{name} {value}\n");
        return text.ToString();
    }

    public static IEnumerable<(string, object)> OperandDefines(ProductView view)
    {
        for (int i = 0; i < view.Operands.Count; i++)
        {
            yield return (string.Create(CultureInfo.InvariantCulture, $"OP{i}_TYPE"), Name(view.Operands[i].Type));
            yield return (string.Create(CultureInfo.InvariantCulture, $"OP{i}_KIND"), "tc::Operand" + OperandKind(view.Operands[i], view));
        }
    }

    /// <summary>The result's address and strides, then those of the four operands of the epilogue.</summary>
    public static IEnumerable<KernelArgument> Results(ProductView view)
    {
        foreach (KernelArgument argument in Of(view.Y, Access.Write)) yield return argument;
        for (int i = 0; i < EpilogueText.MaxLoads; i++)
        {
            foreach (KernelArgument argument in i < view.Operands.Count ? Of(view.Operands[i], Access.Read) : [Wide(0), Wide(0), Wide(0), Wide(0)]) yield return argument;
        }
    }

    public static IEnumerable<KernelArgument> Of(ProductOperand operand, Access access) => [new PointerArgument(operand.Storage, operand.Offset, access), Wide(operand.Batch0), Wide(operand.Batch1), Wide(operand.Row)];

    public static KernelArgument Wide(DimExpr value) => new ExtentArgument(value, Wide: true);

    public static KernelArgument Int(DimExpr value) => new ExtentArgument(value, Wide: false);

    /// <summary>The whole text: types, definitions, the epilogue, the kernel.</summary>
    public static string Assemble(IEnumerable<(string, object)> definitions, string function, string file) =>
        $"#include \"scalar.cuh\"\n#include \"types.cuh\"\n{Defines(definitions)}{function}#include \"{file}\"\n";
}
