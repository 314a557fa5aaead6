// Hopper's warpgroup matrix instructions (sm_90a): 64 rows by TRT_WGMMA_N columns, operands in shared memory, the sum in registers.
// The tables at the end give, for each number of columns, the operand list that inline assembly wants.
#pragma once
#include "types.cuh"

namespace tc {

static __device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

static __device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

template <int N> static __device__ __forceinline__ void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }

// Keeps the compiler from moving or copying an accumulator while the tensor cores own it.
static __device__ __forceinline__ void hold(float &x) { asm volatile("" : "+f"(x)::"memory"); }
static __device__ __forceinline__ void hold(int &x) { asm volatile("" : "+r"(x)::"memory"); }

// A tile in shared memory whose rows are Span bytes, swizzled by as much (128, 64, 32), its base aligned to 8 rows.
// K runs within a row: leading offset unused, stride = 8 rows. Rows are k and the other axis runs within (MN): leading = to the next Span along it, stride = 8 rows.
template <int Span> static __device__ __forceinline__ u64 tile_descriptor(u32 address, u32 leading_bytes)
{
    constexpr u64 mode = Span == 128 ? 1 : Span == 64 ? 2 : 3;
    return (mode << 62) | ((u64)(8 * Span / 16) << 32) | ((u64)((leading_bytes >> 4) & 0x3fff) << 16) | (u64)((address & 0x3ffff) >> 4);
}

}
#define TRT_TEXT_(x) #x
#define TRT_TEXT(x) TRT_TEXT_(x)
#define TRT_JOIN_(a, b) a##b
#define TRT_JOIN(a, b) TRT_JOIN_(a, b)
#define TRT_W0(k, d) k(d[0]), k(d[1]), k(d[2]), k(d[3])
#define TRT_W8(k, d) , k(d[4]), k(d[5]), k(d[6]), k(d[7])
#define TRT_W16(k, d) , k(d[8]), k(d[9]), k(d[10]), k(d[11])
#define TRT_W24(k, d) , k(d[12]), k(d[13]), k(d[14]), k(d[15])
#define TRT_W32(k, d) , k(d[16]), k(d[17]), k(d[18]), k(d[19])
#define TRT_W40(k, d) , k(d[20]), k(d[21]), k(d[22]), k(d[23])
#define TRT_W48(k, d) , k(d[24]), k(d[25]), k(d[26]), k(d[27])
#define TRT_W56(k, d) , k(d[28]), k(d[29]), k(d[30]), k(d[31])
#define TRT_W64(k, d) , k(d[32]), k(d[33]), k(d[34]), k(d[35])
#define TRT_W72(k, d) , k(d[36]), k(d[37]), k(d[38]), k(d[39])
#define TRT_W80(k, d) , k(d[40]), k(d[41]), k(d[42]), k(d[43])
#define TRT_W88(k, d) , k(d[44]), k(d[45]), k(d[46]), k(d[47])
#define TRT_W96(k, d) , k(d[48]), k(d[49]), k(d[50]), k(d[51])
#define TRT_W104(k, d) , k(d[52]), k(d[53]), k(d[54]), k(d[55])
#define TRT_W112(k, d) , k(d[56]), k(d[57]), k(d[58]), k(d[59])
#define TRT_W120(k, d) , k(d[60]), k(d[61]), k(d[62]), k(d[63])
#define TRT_W128(k, d) , k(d[64]), k(d[65]), k(d[66]), k(d[67])
#define TRT_W136(k, d) , k(d[68]), k(d[69]), k(d[70]), k(d[71])
#define TRT_W144(k, d) , k(d[72]), k(d[73]), k(d[74]), k(d[75])
#define TRT_W152(k, d) , k(d[76]), k(d[77]), k(d[78]), k(d[79])
#define TRT_W160(k, d) , k(d[80]), k(d[81]), k(d[82]), k(d[83])
#define TRT_W168(k, d) , k(d[84]), k(d[85]), k(d[86]), k(d[87])
#define TRT_W176(k, d) , k(d[88]), k(d[89]), k(d[90]), k(d[91])
#define TRT_W184(k, d) , k(d[92]), k(d[93]), k(d[94]), k(d[95])
#define TRT_W192(k, d) , k(d[96]), k(d[97]), k(d[98]), k(d[99])
#define TRT_W200(k, d) , k(d[100]), k(d[101]), k(d[102]), k(d[103])
#define TRT_W208(k, d) , k(d[104]), k(d[105]), k(d[106]), k(d[107])
#define TRT_W216(k, d) , k(d[108]), k(d[109]), k(d[110]), k(d[111])
#define TRT_W224(k, d) , k(d[112]), k(d[113]), k(d[114]), k(d[115])
#define TRT_W232(k, d) , k(d[116]), k(d[117]), k(d[118]), k(d[119])
#define TRT_W240(k, d) , k(d[120]), k(d[121]), k(d[122]), k(d[123])
#define TRT_W248(k, d) , k(d[124]), k(d[125]), k(d[126]), k(d[127])

#define TRT_D8(k, d) TRT_W0(k, d)
#define TRT_D16(k, d) TRT_D8(k, d) TRT_W8(k, d)
#define TRT_D24(k, d) TRT_D16(k, d) TRT_W16(k, d)
#define TRT_D32(k, d) TRT_D24(k, d) TRT_W24(k, d)
#define TRT_D40(k, d) TRT_D32(k, d) TRT_W32(k, d)
#define TRT_D48(k, d) TRT_D40(k, d) TRT_W40(k, d)
#define TRT_D56(k, d) TRT_D48(k, d) TRT_W48(k, d)
#define TRT_D64(k, d) TRT_D56(k, d) TRT_W56(k, d)
#define TRT_D72(k, d) TRT_D64(k, d) TRT_W64(k, d)
#define TRT_D80(k, d) TRT_D72(k, d) TRT_W72(k, d)
#define TRT_D88(k, d) TRT_D80(k, d) TRT_W80(k, d)
#define TRT_D96(k, d) TRT_D88(k, d) TRT_W88(k, d)
#define TRT_D104(k, d) TRT_D96(k, d) TRT_W96(k, d)
#define TRT_D112(k, d) TRT_D104(k, d) TRT_W104(k, d)
#define TRT_D120(k, d) TRT_D112(k, d) TRT_W112(k, d)
#define TRT_D128(k, d) TRT_D120(k, d) TRT_W120(k, d)
#define TRT_D136(k, d) TRT_D128(k, d) TRT_W128(k, d)
#define TRT_D144(k, d) TRT_D136(k, d) TRT_W136(k, d)
#define TRT_D152(k, d) TRT_D144(k, d) TRT_W144(k, d)
#define TRT_D160(k, d) TRT_D152(k, d) TRT_W152(k, d)
#define TRT_D168(k, d) TRT_D160(k, d) TRT_W160(k, d)
#define TRT_D176(k, d) TRT_D168(k, d) TRT_W168(k, d)
#define TRT_D184(k, d) TRT_D176(k, d) TRT_W176(k, d)
#define TRT_D192(k, d) TRT_D184(k, d) TRT_W184(k, d)
#define TRT_D200(k, d) TRT_D192(k, d) TRT_W192(k, d)
#define TRT_D208(k, d) TRT_D200(k, d) TRT_W200(k, d)
#define TRT_D216(k, d) TRT_D208(k, d) TRT_W208(k, d)
#define TRT_D224(k, d) TRT_D216(k, d) TRT_W216(k, d)
#define TRT_D232(k, d) TRT_D224(k, d) TRT_W224(k, d)
#define TRT_D240(k, d) TRT_D232(k, d) TRT_W232(k, d)
#define TRT_D248(k, d) TRT_D240(k, d) TRT_W240(k, d)
#define TRT_D256(k, d) TRT_D248(k, d) TRT_W248(k, d)

#define TRT_R8 "%0, %1, %2, %3"
#define TRT_R16 TRT_R8 ", %4, %5, %6, %7"
#define TRT_R24 TRT_R16 ", %8, %9, %10, %11"
#define TRT_R32 TRT_R24 ", %12, %13, %14, %15"
#define TRT_R40 TRT_R32 ", %16, %17, %18, %19"
#define TRT_R48 TRT_R40 ", %20, %21, %22, %23"
#define TRT_R56 TRT_R48 ", %24, %25, %26, %27"
#define TRT_R64 TRT_R56 ", %28, %29, %30, %31"
#define TRT_R72 TRT_R64 ", %32, %33, %34, %35"
#define TRT_R80 TRT_R72 ", %36, %37, %38, %39"
#define TRT_R88 TRT_R80 ", %40, %41, %42, %43"
#define TRT_R96 TRT_R88 ", %44, %45, %46, %47"
#define TRT_R104 TRT_R96 ", %48, %49, %50, %51"
#define TRT_R112 TRT_R104 ", %52, %53, %54, %55"
#define TRT_R120 TRT_R112 ", %56, %57, %58, %59"
#define TRT_R128 TRT_R120 ", %60, %61, %62, %63"
#define TRT_R136 TRT_R128 ", %64, %65, %66, %67"
#define TRT_R144 TRT_R136 ", %68, %69, %70, %71"
#define TRT_R152 TRT_R144 ", %72, %73, %74, %75"
#define TRT_R160 TRT_R152 ", %76, %77, %78, %79"
#define TRT_R168 TRT_R160 ", %80, %81, %82, %83"
#define TRT_R176 TRT_R168 ", %84, %85, %86, %87"
#define TRT_R184 TRT_R176 ", %88, %89, %90, %91"
#define TRT_R192 TRT_R184 ", %92, %93, %94, %95"
#define TRT_R200 TRT_R192 ", %96, %97, %98, %99"
#define TRT_R208 TRT_R200 ", %100, %101, %102, %103"
#define TRT_R216 TRT_R208 ", %104, %105, %106, %107"
#define TRT_R224 TRT_R216 ", %108, %109, %110, %111"
#define TRT_R232 TRT_R224 ", %112, %113, %114, %115"
#define TRT_R240 TRT_R232 ", %116, %117, %118, %119"
#define TRT_R248 TRT_R240 ", %120, %121, %122, %123"
#define TRT_R256 TRT_R248 ", %124, %125, %126, %127"

#define TRT_A8 "%4"
#define TRT_B8 "%5"
#define TRT_A16 "%8"
#define TRT_B16 "%9"
#define TRT_A24 "%12"
#define TRT_B24 "%13"
#define TRT_A32 "%16"
#define TRT_B32 "%17"
#define TRT_A40 "%20"
#define TRT_B40 "%21"
#define TRT_A48 "%24"
#define TRT_B48 "%25"
#define TRT_A56 "%28"
#define TRT_B56 "%29"
#define TRT_A64 "%32"
#define TRT_B64 "%33"
#define TRT_A72 "%36"
#define TRT_B72 "%37"
#define TRT_A80 "%40"
#define TRT_B80 "%41"
#define TRT_A88 "%44"
#define TRT_B88 "%45"
#define TRT_A96 "%48"
#define TRT_B96 "%49"
#define TRT_A104 "%52"
#define TRT_B104 "%53"
#define TRT_A112 "%56"
#define TRT_B112 "%57"
#define TRT_A120 "%60"
#define TRT_B120 "%61"
#define TRT_A128 "%64"
#define TRT_B128 "%65"
#define TRT_A136 "%68"
#define TRT_B136 "%69"
#define TRT_A144 "%72"
#define TRT_B144 "%73"
#define TRT_A152 "%76"
#define TRT_B152 "%77"
#define TRT_A160 "%80"
#define TRT_B160 "%81"
#define TRT_A168 "%84"
#define TRT_B168 "%85"
#define TRT_A176 "%88"
#define TRT_B176 "%89"
#define TRT_A184 "%92"
#define TRT_B184 "%93"
#define TRT_A192 "%96"
#define TRT_B192 "%97"
#define TRT_A200 "%100"
#define TRT_B200 "%101"
#define TRT_A208 "%104"
#define TRT_B208 "%105"
#define TRT_A216 "%108"
#define TRT_B216 "%109"
#define TRT_A224 "%112"
#define TRT_B224 "%113"
#define TRT_A232 "%116"
#define TRT_B232 "%117"
#define TRT_A240 "%120"
#define TRT_B240 "%121"
#define TRT_A248 "%124"
#define TRT_B248 "%125"
#define TRT_A256 "%128"
#define TRT_B256 "%129"

// Four registers of an operand behind those of the sum, and the descriptor behind them.
#define TRT_Q8 "%4, %5, %6, %7"
#define TRT_V8 "%8"
#define TRT_Q16 "%8, %9, %10, %11"
#define TRT_V16 "%12"
#define TRT_Q24 "%12, %13, %14, %15"
#define TRT_V24 "%16"
#define TRT_Q32 "%16, %17, %18, %19"
#define TRT_V32 "%20"
#define TRT_Q40 "%20, %21, %22, %23"
#define TRT_V40 "%24"
#define TRT_Q48 "%24, %25, %26, %27"
#define TRT_V48 "%28"
#define TRT_Q56 "%28, %29, %30, %31"
#define TRT_V56 "%32"
#define TRT_Q64 "%32, %33, %34, %35"
#define TRT_V64 "%36"
#define TRT_Q72 "%36, %37, %38, %39"
#define TRT_V72 "%40"
#define TRT_Q80 "%40, %41, %42, %43"
#define TRT_V80 "%44"
#define TRT_Q88 "%44, %45, %46, %47"
#define TRT_V88 "%48"
#define TRT_Q96 "%48, %49, %50, %51"
#define TRT_V96 "%52"
#define TRT_Q104 "%52, %53, %54, %55"
#define TRT_V104 "%56"
#define TRT_Q112 "%56, %57, %58, %59"
#define TRT_V112 "%60"
#define TRT_Q120 "%60, %61, %62, %63"
#define TRT_V120 "%64"
#define TRT_Q128 "%64, %65, %66, %67"
#define TRT_V128 "%68"

// TRT_WGMMA_N columns, TRT_WGMMA_K text of the depth and types ("k16.f32.f16.f16"), TRT_WGMMA_TAIL what follows the predicate, TRT_WGMMA_SUM the accumulator's type.
#define TRT_REGISTER_float "+f"
#define TRT_REGISTER_int "+r"

namespace tc {

// d += a·b. The sum must begin with zeros in the registers: a first product that overwrites them makes the compiler serialize all of them.
static __device__ __forceinline__ void wgmma(TRT_WGMMA_SUM (&d)[TRT_WGMMA_N / 2], u64 a, u64 b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n" TRT_TEXT(TRT_WGMMA_N) TRT_WGMMA_K " {" TRT_JOIN(TRT_R, TRT_WGMMA_N) "}, "
                 TRT_JOIN(TRT_A, TRT_WGMMA_N) ", " TRT_JOIN(TRT_B, TRT_WGMMA_N) ", 1" TRT_WGMMA_TAIL ";"
                 : TRT_JOIN(TRT_D, TRT_WGMMA_N)(TRT_JOIN(TRT_REGISTER_, TRT_WGMMA_SUM), d)
                 : "l"(a), "l"(b));
}

}
