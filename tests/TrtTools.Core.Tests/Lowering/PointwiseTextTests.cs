using System.Globalization;
using TrtTools.Ir;
using TrtTools.Lowering;
using TrtTools.Onnx;
using TrtTools.Ops;
using TrtTools.Ort;
using TrtTools.Tensors;

namespace TrtTools.Tests.Lowering;

/// <summary>What operators' scalar texts compute, against ONNX Runtime's kernels.</summary>
public sealed class PointwiseTextTests
{
    private const string Real = "Float32 Float64", Signed = "Float32 Float64 Int32 Int64 Int8", Integers = "UInt8 UInt16 UInt32 UInt64";

    private static readonly double[] s_floats =
    [
        double.NaN, double.PositiveInfinity, double.NegativeInfinity, 0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.25, -3.25, 1e-7, -1e-7, 0.1, -0.2, 0.999, 2, -2, 7, 10.5, -10.5, 20, -20, 88, -88, 120, -120, 1e6, -1e6, 3e38, -3e38,
    ];

    /// <summary>Operator, types, number of inputs, attributes.</summary>
    public static TheoryData<string, string, int, string> Rows()
    {
        TheoryData<string, string, int, string> rows = [];
        foreach (string row in (string[])
        [
            "Abs|Float32 Float64 Int8 Int32 Int64 UInt8|1", "Relu|Float32 Float64 Int32 Int8|1", "Ceil|Float32 Float64|1", "Floor|Float32 Float64|1", "Round|Float32 Float64|1",
            "Sign|Float32 Float64 Int8 Int32 Int64 UInt8|1", "Neg|Float32 Float64 Int8 Int32 Int64|1", "Reciprocal|Float32 Float64|1", "Sqrt|Float32 Float64|1", "Exp|Float32 Float64|1", "Log|Float32 Float64|1",
            "Erf|Float32|1", "Sin|Float32 Float64|1", "Cos|Float32 Float64|1", "Tan|Float32|1", "Asin|Float32|1", "Acos|Float32|1", "Atan|Float32|1", "Sinh|Float32|1", "Cosh|Float32|1", "Tanh|Float32 Float64|1",
            "Asinh|Float32|1", "Acosh|Float32|1", "Atanh|Float32|1", "Sigmoid|Float32 Float64|1", "HardSigmoid|Float32|1", "HardSigmoid|Float32|1|alpha=0.3,beta=0.4", "HardSwish|Float32|1",
            "Elu|Float32|1", "Elu|Float32|1|alpha=2.0", "Celu|Float32|1", "Celu|Float32|1|alpha=0.5", "Selu|Float32|1", "LeakyRelu|Float32|1", "LeakyRelu|Float32|1|alpha=0.3",
            "ThresholdedRelu|Float32|1", "ThresholdedRelu|Float32|1|alpha=-0.7", "Softplus|Float32|1", "Softsign|Float32|1", "Mish|Float32|1", "Gelu|Float32|1", "Gelu|Float32|1|approximate=\"tanh\"",
            "Shrink|Float32 Int8 UInt8|1", "Shrink|Float32 Int8|1|bias=1.5,lambd=1.0", "BitwiseNot|Int8 UInt8 Int32 UInt64|1", "Not|Bool|1",
            "Clip|Float32 Float64 Int8 UInt8 Int32 Int64|1", "Clip|Float32 Float64 Int8 Int32|2", "Clip|Float32 Float64 UInt8 Int64|3",
            "Add|Float32 Float64 Int32 Int64|2", "Mul|Float32 Float64 Int32 Int64|2", "Sub|Float32 Float64 Int32 Int64|2", "Div|Float32 Float64 Int32 Int64|2",
            "Mod|Int8 UInt8 Int32 Int64|2", "Mod|Float32 Float64 Int32 Int64|2|fmod=1", "Pow|Float32 Float64 Int32 Int64|2", "BitShift|UInt8 UInt32 UInt64|2|direction=\"LEFT\"", "BitShift|UInt8 UInt32 UInt64|2|direction=\"RIGHT\"",
            "BitwiseAnd|Int8 UInt8 Int64|2", "BitwiseOr|Int8 UInt8 Int64|2", "BitwiseXor|Int8 UInt8 Int64|2", "Max|Float32 Float64 Int32 Int64|2", "Min|Float32 Float64 Int32 Int64|2", "Max|Float32|3", "Min|Int64|1",
            "Sum|Float32 Float64|2", "Sum|Float32|3", "Mean|Float32|1", "Mean|Float32|3", "And|Bool|2", "Or|Bool|2", "Xor|Bool|2", "Equal|Float32 Float64 Int32 Int64 Bool|2", "Greater|Float32 Float64 Int32 Int64|2",
            "GreaterOrEqual|Float32 Float64 Int32 Int64|2", "Less|Float32 Float64 Int32 Int64|2", "LessOrEqual|Float32 Float64 Int32 Int64|2", "PRelu|Float32|2", "IsNaN|Float32 Float64|1",
            "IsInf|Float32 Float64|1", "IsInf|Float32|1|detect_negative=0", "IsInf|Float32|1|detect_positive=0", "Affine|Float32|1|alpha=2.0,beta=0.5", "ParametricSoftplus|Float32|1|alpha=2.0,beta=0.5",
            "ScaledTanh|Float32|1|alpha=2.0,beta=0.5", "com.microsoft::Gelu|Float32|1", "com.microsoft::BiasGelu|Float32|2", "com.microsoft::FastGelu|Float32|1", "com.microsoft::QuickGelu|Float32|1", "com.microsoft::QuickGelu|Float32|1|alpha=0.7",
        ])
        {
            string[] parts = row.Split('|');
            foreach (string type in parts[1].Split(' ')) rows.Add(parts[0], type, int.Parse(parts[2], CultureInfo.InvariantCulture), parts.Length > 3 ? parts[3] : "");
        }
        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_text_computes_what_the_operator_does(string op, string typeName, int inputs, string attributes)
    {
        DataType type = Enum.Parse<DataType>(typeName);
        double[] values = Values(type);
        double[][] columns = Combinations(op, type, values, inputs);
        DataType output = op is "Equal" or "Greater" or "GreaterOrEqual" or "Less" or "LessOrEqual" or "IsNaN" or "IsInf" ? DataType.Bool : type;
        Compare(op, [.. Enumerable.Repeat(type, inputs)], output, columns, attributes, opset: op is "Affine" or "ParametricSoftplus" or "ScaledTanh" ? 6 : 20);
    }

    [Theory]
    [InlineData("Pow", "Float32 Int32", "Float32")]
    [InlineData("Pow", "Int32 Float32", "Int32")]
    [InlineData("Pow", "Float32 Float64", "Float32")]
    [InlineData("Where", "Bool Float32 Float32", "Float32")]
    [InlineData("Where", "Bool Int64 Int64", "Int64")]
    [InlineData("Where", "Bool UInt8 UInt8", "UInt8")]
    public void Operands_may_have_several_types(string op, string types, string output)
    {
        DataType[] inputs = [.. types.Split(' ').Select(Enum.Parse<DataType>)];
        List<double[]> rows = [];
        if (op == "Where") rows = [.. from c in (double[])[0, 1] from a in Values(inputs[1]) from b in Values(inputs[1]).Reverse().Take(3) select (double[])[c, a, b]];
        else rows = [.. from a in Values(inputs[0]) from b in (double[])[0, 1, 2, 3, -1, 0.5, -2] where inputs[0] != DataType.Int32 || (Math.Abs(a) < 1000 && (a != 0 || b >= 0)) where inputs[0].IsFloatingPoint() || a >= 0 || double.IsInteger(b) where inputs[1] != DataType.Int32 || double.IsInteger(b) select (double[])[a, b]];
        Compare(op, inputs, Enum.Parse<DataType>(output), [.. Enumerable.Range(0, inputs.Length).Select(i => rows.Select(r => r[i]).ToArray())], "", 17);
    }

    [Fact]
    public void Clip_before_opset_11_has_its_bounds_as_attributes()
    {
        double[] x = Values(DataType.Float32);
        Compare("Clip", [DataType.Float32], DataType.Float32, [x], "max=2.5,min=-1.0", 10);
        Compare("Clip", [DataType.Float32], DataType.Float32, [x], "", 10);
    }

    [Fact]
    public void Every_pointwise_operator_has_a_text_or_is_known_to_need_more_than_one()
    {
        // Conversions are lowered by their type alone, Dropout by its mode; the quantized operators are several steps; complex numbers, BFP and SwiGLU have no kernel here.
        string[] without =
        [
            "BitCast", "Cast", "CastLike", "Dropout", "SwiGLU", "ImageScaler", "BiasAdd", "BiasDropout", "BiasSplitGelu", "ComplexMul", "ComplexMulConj", "DequantizeBFP", "IsAllFinite", "MulInteger", "QLinearAdd", "QLinearLeakyRelu",
            "QLinearMul", "QLinearSigmoid", "QLinearWhere", "QuantizeBFP",
        ];
        Assert.Equal(without.Order(StringComparer.Ordinal), OperatorCatalog.All.Where(d => d.Form == ComputeForm.Pointwise && d.Scalar is null).Select(d => d.OpType).Order(StringComparer.Ordinal));
    }

    private static double[] Values(DataType type) => type switch
    {
        DataType.Float64 => [.. s_floats, 1e300, -1e300],
        DataType.Float32 => [.. s_floats.Select(v => (double)(float)v)],
        DataType.Bool => [0, 1],
        DataType.Int8 => [0, 1, -1, 2, 3, -3, 7, 100, -100, 127, -128],
        DataType.UInt8 => [0, 1, 2, 3, 7, 100, 128, 255],
        DataType.UInt32 or DataType.UInt64 => [0, 1, 2, 3, 7, 31, 100000, 4294967295],
        _ => [0, 1, -1, 2, 3, -3, 7, -7, 100000, -100000, 2147483647, -2147483648],
    };

    private static double[][] Combinations(string op, DataType type, double[] values, int inputs)
    {
        if (op == "Clip") return [values, .. ((double[])[1, 3]).Take(inputs - 1).Select(b => Enumerable.Repeat(b, values.Length).ToArray())];
        IEnumerable<double[]> rows = values.Select(v => (double[])[v]);
        for (int i = 1; i < inputs; i++) rows = from r in rows from v in i == 1 ? values : values.Take(6) select (double[])[.. r, v];
        // A processor's integer division by zero ends the process, and overflow of a power is nobody's promise.
        if (op is "Div" or "Mod" && !type.IsFloatingPoint()) rows = rows.Where(r => r[1] != 0 && !(r[0] < -100000 && r[1] == -1) && !(type == DataType.Int8 && r[0] == -128 && r[1] == -1));
        if (op == "Pow" && !type.IsFloatingPoint()) rows = rows.Where(r => Math.Abs(r[0]) < 10 && r[1] is >= 0 and < 10);
        if (op == "BitShift") rows = rows.Where(r => r[1] < type.BitSize());
        double[][] all = [.. rows];
        return [.. Enumerable.Range(0, inputs).Select(i => all.Select(r => r[i]).ToArray())];
    }

    private static void Compare(string op, DataType[] types, DataType output, double[][] columns, string attributes, int opset)
    {
        int count = columns[0].Length;
        string[] names = [.. types.Select((_, i) => $"i{i}")];
        bool scalarBounds = op == "Clip";
        string arguments = string.Join(", ", types.Select((t, i) => $"i{i}: {t}[{(scalarBounds && i > 0 ? "" : count)}]"));
        OnnxGraph graph = TestGraphs.Parse($"<opset {opset}, com.microsoft 1> {arguments} -> r: {output}[{count}] {{ r = {op}({string.Join(", ", names)}){(attributes.Length > 0 ? $"{{{attributes}}}" : "")} }}");
        Dictionary<string, TensorData> feeds = new(StringComparer.Ordinal);
        for (int i = 0; i < types.Length; i++)
        {
            feeds[names[i]] = scalarBounds && i > 0 ? GraphText.FromDoubles(types[i], [], [columns[i][0]]) : GraphText.FromDoubles(types[i], [count], columns[i]);
        }
        using OrtSession session = OrtSession.Create(OnnxFile.Serialize(graph), new OrtOptions { Optimization = OrtOptimization.None });
        TensorData result = session.Run(feeds)["r"];
        double[] expected = result.Type == DataType.UInt64 ? [.. result.AsSpan<ulong>().ToArray().Select(v => (double)v)] : result.ToDouble();
        // ONNX Runtime takes the type's largest number for an open bound (here: none), the second of two zeros for their maximum, and adds zero in Where.
        bool anyZero = op is "Max" or "Min" or "Where";
        double openBound = op == "Clip" && types.Length < 3 && attributes.Length == 0 && opset >= 11 ? types[0] == DataType.Float64 ? double.MaxValue : float.MaxValue : double.NaN;

        Node node = graph.Body.Nodes.Single();
        OperatorView view = OperatorView.Of(graph, node);
        Expr[] leaves = [.. types.Select(t => new LoadExpr(TensorView.Dense(new Storage("s", StorageKind.Input, t, 1), [1]), []))];
        Expr e = ScalarText.Of(view, OperatorCatalog.Find(node.Domain, node.OpType)!, leaves)!;
        for (int row = 0; row < count; row++)
        {
            Dictionary<Expr, object> given = [];
            for (int i = 0; i < leaves.Length; i++) given[leaves[i]] = leaves[i].Type.IsFloat() ? (object)columns[i][row] : (long)columns[i][row];
            double actual = Store(new ScalarEvaluator(given).Evaluate(e), output);
            string what = $"{op}({string.Join(", ", columns.Select(c => c[row].ToString("R", CultureInfo.InvariantCulture)))}) of {types[0]}: {actual:R}, ONNX Runtime has {expected[row]:R}";
            bool same = Same(expected[row], actual, types[0]) || (anyZero && expected[row] == actual) || (double.IsInfinity(actual) && Math.Abs(expected[row]) == openBound);
            Assert.True(same, what);
        }
    }

    private static double Store(object value, DataType type) => value is long integer ? type switch
    {
        DataType.UInt8 => (byte)integer, DataType.Int8 => (sbyte)integer, DataType.Int32 => (int)integer, DataType.UInt32 => (uint)integer, DataType.UInt64 => (ulong)integer, DataType.Bool => integer != 0 ? 1 : 0, _ => integer,
    } : type.IsFloatingPoint() ? (double)value : Store((long)(double)value, type);

    private static bool Same(double expected, double actual, DataType type)
    {
        if (double.IsNaN(expected) || double.IsNaN(actual)) return double.IsNaN(expected) && double.IsNaN(actual);
        if (expected == actual) return expected != 0 || double.IsNegative(expected) == double.IsNegative(actual);
        double tolerance = type == DataType.Float64 ? 1e-12 : 4e-6;
        return Math.Abs(expected - actual) <= tolerance * Math.Max(Math.Abs(expected), type == DataType.Float64 ? 1e-3 : 0.5);
    }
}
