using TrtTools.Cuda;
using TrtTools.Kernels;
using TrtTools.Lowering;
using TrtTools.Tensors;
using TrtTools.Tests.Kernels;

namespace TrtTools.Tests.Gpu;

/// <summary>Launches a case's kernels on a GPU and holds the output against what the Reference device computes. Every storage has an allocation of its own size, so that a sanitizer sees each step outside.</summary>
internal sealed class CaseRunner(CudaContext device, IReadOnlyDictionary<KernelSource, CompiledSource> code)
{
    /// <summary>What buffers hold before a launch: NaN in every float type.</summary>
    private const byte Poison = 0xff;

    /// <summary>What is wrong; empty where nothing is.</summary>
    public string Run(KernelCase made, IReadOnlyList<KernelLaunch> launches, TensorData expected)
    {
        Dictionary<Storage, DeviceBuffer> buffers = [];
        using IDeviceStream stream = device.CreateStream();
        try
        {
            foreach (KernelLaunch launch in launches) Launch(made, launch, stream, storage => Buffer(buffers, made, storage));
            stream.Synchronize();
            DeviceBuffer output = Buffer(buffers, made, made.Output.Storage);
            byte[] content = new byte[made.Output.Type.ByteCount(made.Output.Storage.ElementCount.Evaluate(made.Symbols)!.Value)];
            output.CopyToHost(content);
            return Difference(made, Numbers(TensorData.FromBytes(made.Output.Type, [made.Output.Storage.ElementCount.Evaluate(made.Symbols)!.Value], content)), Numbers(expected));
        }
        finally
        {
            foreach (DeviceBuffer buffer in buffers.Values) buffer.Dispose();
        }
    }

    private DeviceBuffer Buffer(Dictionary<Storage, DeviceBuffer> buffers, KernelCase made, Storage storage)
    {
        if (buffers.TryGetValue(storage, out DeviceBuffer? known)) return known;
        long bytes = storage.Type.ByteCount(storage.ElementCount.Evaluate(made.Symbols)!.Value);
        // Elements of 4 bits are changed by words: the memory that the runtime gives is a multiple of 256 bytes.
        DeviceBuffer buffer = DeviceBuffer.Allocate(device, storage.Type is DataType.Int4 or DataType.UInt4 ? (bytes + 3) / 4 * 4 : bytes);
        buffers.Add(storage, buffer);
        if ((storage.Data ?? made.Inputs.FirstOrDefault(i => ReferenceEquals(i.Storage, storage)).Data) is { } content) buffer.CopyFromHost(content.Bytes);
        else buffer.CopyFromHost([.. Enumerable.Repeat(Poison, checked((int)buffer.ByteCount))]);
        return buffer;
    }

    private unsafe void Launch(KernelCase made, KernelLaunch launch, IDeviceStream stream, Func<Storage, DeviceBuffer> buffer)
    {
        long Value(DimExpr extent) => extent.Evaluate(made.Symbols)!.Value;
        ulong Address(Storage storage, DimExpr offset) => buffer(storage).Address + (ulong)(Value(offset) * storage.Type.BitSize() / 8);
        using KernelArguments arguments = new([.. launch.Arguments.Select(a => a switch
        {
            PointerArgument => KernelArgumentKind.Address,
            ExtentArgument extent => extent.Wide ? KernelArgumentKind.Int64 : KernelArgumentKind.Int32,
            FloatArgument => KernelArgumentKind.Float32,
            _ => KernelArgumentKind.TensorMap,
        })]);
        for (int i = 0; i < launch.Arguments.Count; i++)
        {
            switch (launch.Arguments[i])
            {
                case PointerArgument pointer: arguments.Set(i, Address(pointer.Storage, pointer.Offset)); break;
                case ExtentArgument { Wide: true } wide: arguments.Set(i, Value(wide.Value)); break;
                case ExtentArgument narrow: arguments.Set(i, checked((int)Value(narrow.Value))); break;
                case FloatArgument number: arguments.Set(i, number.Value); break;
                case TensorMapArgument map:
                    ulong[] extents = [.. map.Extents.Select(e => (ulong)Value(e))], strides = [.. map.Strides.Select(e => (ulong)Value(e))];
                    device.EncodeTensorMap(new TensorMapDescription
                    {
                        Address = Address(map.Storage, map.Offset), Type = map.Type, Extents = extents, Strides = strides, Box = map.Box.Select(b => (uint)b).ToArray(),
                        ElementStrides = map.ElementStrides.Count > 0 ? map.ElementStrides.Select(b => (uint)b).ToArray() : extents.Select(_ => 1u).ToArray(), SwizzleBytes = map.SwizzleBytes, IsIm2Col = map.Im2Col is not null,
                        LowerCorner = map.Im2Col?.LowerCorner.ToArray(), UpperCorner = map.Im2Col?.UpperCorner.ToArray(), ChannelsPerPixel = (uint)(map.Im2Col?.ChannelsPerPixel ?? 0), PixelsPerColumn = (uint)(map.Im2Col?.PixelsPerColumn ?? 0),
                    }, arguments.MapAt(i));
                    break;
            }
        }
        using CudaModule module = CudaModule.Load(device, code[launch.Source].Code);
        CudaKernel kernel = module.GetKernel(launch.Source.Function);
        uint cluster = (uint)(launch.Cluster.Count > 0 ? launch.Cluster[0] : 1);
        kernel.Allow(launch.SharedBytes, (int)cluster);
        uint[] grid = [.. launch.Grid.Select(g => checked((uint)Value(g))), 1, 1], block = [.. launch.Block.Select(b => (uint)b), 1, 1];
        LaunchShape shape = new(grid[0], grid[1], grid[2], block[0], block[1], block[2]) { ClusterX = cluster, SharedBytes = (uint)launch.SharedBytes, Programmatic = launch.Programmatic };
        if (shape.IsEmpty) return;
        stream.Launch(kernel, shape, arguments);
        // The module goes with its launch.
        stream.Synchronize();
    }

    /// <summary>The first place where the output of a dense storage lies further from the reference than the case allows.</summary>
    private static string Difference(KernelCase made, double[] storage, double[] expected)
    {
        long[] shape = [.. made.Output.Shape.Select(d => d.Evaluate(made.Symbols)!.Value)], strides = [.. made.Output.Strides.Select(s => s.Evaluate(made.Symbols)!.Value)];
        long offset = made.Output.Offset.Evaluate(made.Symbols)!.Value;
        double scale = expected.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        for (long i = 0; i < expected.Length; i++)
        {
            long at = offset, rest = i;
            for (int d = shape.Length - 1; d >= 0; d--) (at, rest) = (at + rest % shape[d] * strides[d], rest / shape[d]);
            double got = storage[at], want = expected[i];
            bool close = double.IsFinite(want) ? Math.Abs(got - want) <= made.Tolerance * (scale + Math.Abs(want)) : got.Equals(want);
            if (!close) return $"element {i} of {expected.Length} is {got:R}, expected {want:R} (scale {scale:G4}, tolerance {made.Tolerance:G3})";
        }
        return "";
    }

    private static double[] Numbers(TensorData tensor) => tensor.Type switch
    {
        DataType.Int4 or DataType.UInt4 => [.. Enumerable.Range(0, (int)tensor.ElementCount).Select(i => (double)Nibble(tensor.Bytes[i / 2] >> (i % 2 * 4), tensor.Type))],
        DataType.UInt64 => [.. tensor.AsSpan<ulong>().ToArray().Select(v => (double)v)],
        _ => tensor.ToDouble(),
    };

    private static int Nibble(int bits, DataType type) => type == DataType.Int4 ? ((bits & 15) ^ 8) - 8 : bits & 15;
}
