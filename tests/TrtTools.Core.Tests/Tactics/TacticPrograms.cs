using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Small lowered programs for tests.</summary>
internal static class TacticPrograms
{
    public static Storage Input(string name, DataType type, params DimExpr[] shape) => new(name, StorageKind.Input, type, Count(shape)) { Binding = 0 };

    public static Storage Output(string name, DataType type, params DimExpr[] shape) => new(name, StorageKind.Output, type, Count(shape)) { Binding = 0 };

    public static Storage Scratch(string name, DataType type, params DimExpr[] shape) => new(name, StorageKind.Scratch, type, Count(shape));

    public static Storage Weight(string name, DataType type, params long[] shape) =>
        new(name, StorageKind.Weight, type, shape.Aggregate(1L, (a, b) => a * b)) { Data = TensorData.FromBytes(type, shape, new byte[type.ByteCount(shape.Aggregate(1L, (a, b) => a * b))]) };

    /// <summary>y[i, j] = x[i, j] · w[j], x being [batch size, 4].</summary>
    public static LoweredProgram Scale(out RegionStep step)
    {
        DimExpr batch = DimExpr.Symbol("batch size");
        Storage x = Input("x", DataType.Float32, batch, 4), y = Output("y", DataType.Float32, batch, 4), w = Weight("w", DataType.Float32, 4);
        TensorView vx = TensorView.Dense(x, [batch, 4]), vy = TensorView.Dense(y, [batch, 4]), vw = TensorView.Dense(w, [4]);
        Axis i = new("i", batch), j = new("j", 4);
        LoopNest nest = new()
        {
            Name = "scale", Space = [i, j], Target = vy,
            Result = ScalarFunctions.Call("mul", new LoadExpr(vx, [new AxisExpr(i), new AxisExpr(j)]), new LoadExpr(vw, [new AxisExpr(j)])),
        };
        step = new RegionStep(new Region { Name = "scale", Kind = RegionKind.Map, Operators = "Mul", Nests = [nest], SourceNodes = ["mul_1"] });
        return new LoweredProgram { Name = "scaled", Inputs = [vx], Outputs = [vy], Symbols = [new SymbolSource("batch size", x, 0)], Steps = [step] };
    }

    public static KernelSource Source(string function) => new(function, $"extern \"C\" __global__ void {function}() {{ }}");

    private static DimExpr Count(IEnumerable<DimExpr> shape) => shape.Aggregate(DimExpr.One, (a, b) => a * b);
}
