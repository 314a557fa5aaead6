using TrtTools.Cuda;
using TrtTools.Kernels;
using TrtTools.Tensors;

namespace TrtTools.Tactics;

/// <summary>Holds large results against each other where they lie: to copy them to the host for each candidate takes longer than everything else of its trial.</summary>
internal sealed unsafe class DeviceComparison(TrialDevice device, IDeviceStream stream, Func<KernelSource, CompiledSource> compile) : IDisposable
{
    /// <summary>Results of fewer bytes are compared on the host.</summary>
    public const long FewestBytes = 4 << 20;

    private const int Threads = 256, Blocks = 1056;

    private readonly Dictionary<DataType, IDeviceKernel> _kernels = [];
    private IDeviceMemory? _worst;

    /// <summary>The greatest error of an element: of its size, or of <paramref name="scale"/> where that is more; of 8-bit integers 1 where they differ by more than one.</summary>
    public double Worst(DataType type, ulong actual, ulong expected, long count, double scale)
    {
        if (!_kernels.TryGetValue(type, out IDeviceKernel? kernel))
        {
            KernelSource source = Source(type);
            _kernels.Add(type, kernel = device.LoadKernel(compile(source).Code, source.Function, out _));
        }
        _worst ??= device.Allocate(sizeof(float));
        using KernelArguments arguments = new([KernelArgumentKind.Address, KernelArgumentKind.Address, KernelArgumentKind.Int64, KernelArgumentKind.Float32, KernelArgumentKind.Address]);
        arguments.Set(0, actual);
        arguments.Set(1, expected);
        arguments.Set(2, count);
        arguments.Set(3, (float)scale);
        arguments.Set(4, _worst.Address);
        stream.Fill(_worst.Address, 0, sizeof(float));
        stream.Launch(kernel, new LaunchShape(Blocks, 1, 1, Threads, 1, 1), arguments);
        float worst = 0;
        stream.CopyToHost(&worst, _worst.Address, sizeof(float));
        stream.Synchronize();
        return worst;
    }

    public static bool Takes(DataType type) => type is DataType.Float32 or DataType.Float16 or DataType.BFloat16 or DataType.Int8 or DataType.UInt8;

    internal static KernelSource Source(DataType type)
    {
        (string name, string element, string convert) = type switch
        {
            DataType.Float32 => ("f32", "float", "return v;"),
            DataType.Float16 => ("f16", "unsigned short", "float f; asm(\"cvt.f32.f16 %0, %1;\" : \"=f\"(f) : \"h\"(v)); return f;"),
            DataType.BFloat16 => ("bf16", "unsigned short", "return __uint_as_float((unsigned)v << 16);"),
            DataType.Int8 => ("s8", "signed char", "return (float)v;"),
            _ => ("u8", "unsigned char", "return (float)v;"),
        };
        string error = type is DataType.Int8 or DataType.UInt8 ? "d <= 1.f ? 0.f : 1.f" : "d != d ? __int_as_float(0x7f800000) : d / fmaxf(fmaxf(fabsf(y), scale), 1e-38f)";
        return new KernelSource($"trt_compare_{name}", $$"""
            __device__ __forceinline__ float number({{element}} v) { {{convert}} }
            extern "C" __global__ void __launch_bounds__(256) trt_compare_{{name}}(const {{element}}* actual, const {{element}}* expected, long long count, float scale, unsigned* worst)
            {
                float most = 0.f;
                for (long long i = blockIdx.x * 256ll + threadIdx.x; i < count; i += gridDim.x * 256ll)
                {
                    float x = number(actual[i]), y = number(expected[i]);
                    if (x == y || (x != x && y != y)) continue;
                    float d = fabsf(x - y);
                    most = fmaxf(most, {{error}});
                }
                for (int lane = 16; lane > 0; lane /= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, lane));
                // Numbers that are not negative are ordered as their bits are.
                if (threadIdx.x % 32 == 0 && most > 0.f) atomicMax(worst, __float_as_uint(most));
            }

            """);
    }

    public void Dispose() => _worst?.Dispose();
}
