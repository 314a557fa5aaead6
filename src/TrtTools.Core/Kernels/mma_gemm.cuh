// Matrix product and implicit-GEMM convolution (channels last) for sm_80 and later, and for what TMA cannot address: y[row, col] = epilogue(Σk x[row, k] · w[col, k]).
// cp.async feeds a ring in shared memory; warps multiply by mma.sync; 32-bit sums.
//
// Text before this defines:
//   TRT_KERNEL, TRT_IN (tc::f16, tc::bf16, tc::s8), TRT_IN_KIND (0, 1, 3), TRT_OUT
//   TRT_BM, TRT_BN (rows and columns of a tile), TRT_WM, TRT_WN (warps along them), TRT_DEPTH (bytes of k per stage: 64, 128), TRT_STAGES
//   TRT_COPY        bytes that may be copied at once (16, 8, 4; 2 and 1 go through registers): what alignment and the channel count allow
//   TRT_CONV        1: x is an image, with TRT_CHANNELS, TRT_FILTER_H, TRT_FILTER_W, TRT_STRIDE_H/W, TRT_PAD_H/W, TRT_DILATION_H/W; w is [col, filter row, filter column, channel]
//   TRT_X_MN, TRT_W_MN   1: stored [k, row], [k, col] (16-bit types only)
//   TRT_PDL, TRT_VECTOR and the epilogue: see epilogue.cuh
#pragma once
#include "async.cuh"
#include "epilogue.cuh"
#include "mma.cuh"

namespace tc {

typedef TRT_IN In;
typedef TRT_OUT Out;

constexpr int kSize = (int)sizeof(In);
constexpr int kThreads = TRT_WM * TRT_WN * 32;
constexpr int kDepth = TRT_DEPTH / kSize;
constexpr int kSteps = TRT_DEPTH / 32;
constexpr int kPitch = TRT_DEPTH + 16;
constexpr int kXPitch = TRT_X_MN ? TRT_BM * kSize + 16 : kPitch;
constexpr int kWPitch = TRT_W_MN ? TRT_BN * kSize + 16 : kPitch;
constexpr int kXBytes = TRT_X_MN ? kDepth * kXPitch : TRT_BM * kPitch;
constexpr int kWBytes = TRT_W_MN ? kDepth * kWPitch : TRT_BN * kPitch;
constexpr int kStageBytes = kXBytes + kWBytes;
constexpr int kRowsOfWarp = TRT_BM / TRT_WM, kColsOfWarp = TRT_BN / TRT_WN;
constexpr int kM = kRowsOfWarp / 16, kN = kColsOfWarp / 8;
constexpr int kCopyItems = TRT_COPY / kSize;

static_assert(kRowsOfWarp % 16 == 0 && kColsOfWarp % 16 == 0, "tile");
static_assert(!(TRT_X_MN || TRT_W_MN) || kSize == 2, "only 16-bit operands may have k outside");

#if TRT_IN_KIND == 3
typedef int Sum;
static __device__ __forceinline__ void multiply(Sum (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) { mma_16832(d, a, b0, b1); }
#else
typedef float Sum;
static __device__ __forceinline__ void multiply(Sum (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) { mma_16816<In>(d, a, b0, b1); }
#endif

// TRT_COPY bytes to shared memory, zeros where nothing is.
static __device__ __forceinline__ void copy_piece(u32 to, const In *from, bool valid)
{
#if TRT_COPY == 16
    copy_async_16(to, from, valid);
#elif TRT_COPY == 8
    copy_async_8(to, from, valid);
#elif TRT_COPY == 4
    copy_async_4(to, from, valid);
#elif TRT_COPY == 2
    store_shared(to, valid ? *reinterpret_cast<const unsigned short *>(from) : (unsigned short)0);
#else
    unsigned short v = valid ? *reinterpret_cast<const unsigned char *>(from) : 0;
    asm volatile("{ .reg .b16 t; st.shared.u8 [%0], %1; }" ::"r"(to), "h"(v) : "memory");
#endif
}

// A tile of a matrix with outer rows and inner elements that are neighbours.
template <int Outer, int Inner, int Pitch> static __device__ __forceinline__ void copy_tile(u32 to, const In *from, long long stride, int outer0, int outers, int inner0, int inners)
{
    constexpr int pieces = Inner / kCopyItems;
#pragma unroll 4
    for (int i = threadIdx.x; i < Outer * pieces; i += kThreads)
    {
        int o = i / pieces, p = (i - o * pieces) * kCopyItems;
        bool valid = outer0 + o < outers && inner0 + p < inners;
        copy_piece(to + o * Pitch + p * kSize, valid ? from + (outer0 + o) * stride + inner0 + p : from, valid);
    }
}

}

extern "C" __global__ void __launch_bounds__(tc::kThreads) TRT_KERNEL(
    const TRT_IN *x, long long x_batch0, long long x_batch1, long long x_row,
    const TRT_IN *w, long long w_batch0, long long w_batch1, long long w_row,
    TRT_OUT *y, long long y_batch0, long long y_batch1, long long y_row,
    const void *op0, long long op0_batch0, long long op0_batch1, long long op0_row,
    const void *op1, long long op1_batch0, long long op1_batch1, long long op1_row,
    const void *op2, long long op2_batch0, long long op2_batch1, long long op2_row,
    const void *op3, long long op3_batch0, long long op3_batch1, long long op3_row,
    int rows, int cols, int depth, int batches0, long long x_image, long long x_line, int height, int width, int out_h, int out_w)
{
    using namespace tc;
    extern __shared__ __align__(16) unsigned char shared[];
    u32 base = shared_address(shared);
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, wm = warp % TRT_WM, wn = warp / TRT_WM;
    int col_tiles = (cols + TRT_BN - 1) / TRT_BN;
    int tile = blockIdx.x / col_tiles;
    int row0 = tile * TRT_BM, col0 = (blockIdx.x - tile * col_tiles) * TRT_BN;
    int batch1 = blockIdx.y / batches0, batch0 = blockIdx.y - batch1 * batches0;
#if TRT_PDL
    launch_dependents();
    wait_for_predecessors();
#endif
    x += batch0 * x_batch0 + batch1 * x_batch1;
    w += batch0 * w_batch0 + batch1 * w_batch1;
    y += batch0 * y_batch0 + batch1 * y_batch1;

#if TRT_CONV
    // A thread copies the same piece of k of some rows; where those rows' windows begin is found once.
    constexpr int pieces = kDepth / kCopyItems, step = kThreads / pieces, mine = (TRT_BM + step - 1) / step;
    static_assert(kThreads % pieces == 0, "threads share the pieces of a row evenly");
    int piece = threadIdx.x % pieces * kCopyItems, first = threadIdx.x / pieces;
    const In *window[mine];
    int top[mine], left[mine];
#pragma unroll
    for (int i = 0; i < mine; i++)
    {
        int row = row0 + first + i * step;
        int line = row / out_w, q = row - line * out_w, n = line / out_h, p = line - n * out_h;
        top[i] = row < rows && first + i * step < TRT_BM ? p * TRT_STRIDE_H - TRT_PAD_H : -100000;
        left[i] = q * TRT_STRIDE_W - TRT_PAD_W;
        window[i] = x + (row < rows ? n * x_image : 0);
    }
#endif

    auto load = [&](int stage, int k0)
    {
        u32 to = base + stage * kStageBytes;
#if TRT_CONV
        int k = k0 + piece, tap = k / TRT_CHANNELS, c = k - tap * TRT_CHANNELS, fh = tap / TRT_FILTER_W, fw = tap - fh * TRT_FILTER_W;
#pragma unroll
        for (int i = 0; i < mine; i++)
        {
            int r = first + i * step;
            if (TRT_BM % step == 0 || r < TRT_BM)
            {
                int ih = top[i] + fh * TRT_DILATION_H, iw = left[i] + fw * TRT_DILATION_W;
                bool valid = k < depth && ih >= 0 && ih < height && iw >= 0 && iw < width;
                copy_piece(to + r * kPitch + piece * kSize, valid ? window[i] + ih * x_line + iw * x_row + c : x, valid);
            }
        }
#elif TRT_X_MN
        copy_tile<kDepth, TRT_BM, kXPitch>(to, x, x_row, k0, depth, row0, rows);
#else
        copy_tile<TRT_BM, kDepth, kXPitch>(to, x, x_row, row0, rows, k0, depth);
#endif
#if TRT_W_MN
        copy_tile<kDepth, TRT_BN, kWPitch>(to + kXBytes, w, w_row, k0, depth, col0, cols);
#else
        copy_tile<TRT_BN, kDepth, kWPitch>(to + kXBytes, w, w_row, col0, cols, k0, depth);
#endif
    };

    Sum sum[kM][kN][4];
#pragma unroll
    for (int i = 0; i < kM; i++)
    {
#pragma unroll
        for (int j = 0; j < kN; j++) sum[i][j][0] = sum[i][j][1] = sum[i][j][2] = sum[i][j][3] = 0;
    }
    int count = (depth + kDepth - 1) / kDepth;
#pragma unroll
    for (int i = 0; i < TRT_STAGES - 1; i++)
    {
        if (i < count) load(i, i * kDepth);
        copy_async_commit();
    }
    int stage = 0, next = TRT_STAGES - 1;
#pragma unroll 1
    for (int t = 0; t < count; t++)
    {
        copy_async_wait<TRT_STAGES - 2>();
        __syncthreads();
        if (t + TRT_STAGES - 1 < count) load(next, (t + TRT_STAGES - 1) * kDepth);
        copy_async_commit();
        if (++next == TRT_STAGES) next = 0;
        u32 xs = base + stage * kStageBytes, ws = xs + kXBytes;
#pragma unroll
        for (int s = 0; s < kSteps; s++)
        {
            u32 a[kM][4];
#pragma unroll
            for (int i = 0; i < kM; i++)
            {
                int r = wm * kRowsOfWarp + i * 16;
                if (TRT_X_MN) ldmatrix_x4_trans(a[i], xs + (s * 16 + (lane >> 4) * 8 + (lane & 7)) * kXPitch + (r + ((lane >> 3) & 1) * 8) * 2);
                else ldmatrix_x4(a[i], xs + (r + (lane & 15)) * kXPitch + s * 32 + (lane >> 4) * 16);
            }
#pragma unroll
            for (int j = 0; j < kN; j += 2)
            {
                u32 b[4];
                int c = wn * kColsOfWarp + j * 8;
                if (TRT_W_MN) ldmatrix_x4_trans(b, ws + (s * 16 + ((lane >> 3) & 1) * 8 + (lane & 7)) * kWPitch + (c + (lane >> 4) * 8) * 2);
                else ldmatrix_x4(b, ws + (c + (lane >> 4) * 8 + (lane & 7)) * kWPitch + s * 32 + ((lane >> 3) & 1) * 16);
#pragma unroll
                for (int i = 0; i < kM; i++)
                {
                    multiply(sum[i][j], a[i], b[0], b[1]);
                    multiply(sum[i][j + 1], a[i], b[2], b[3]);
                }
            }
        }
        if (++stage == TRT_STAGES) stage = 0;
    }

    Epilogue epilogue{{op0, op0_batch0, op0_batch1, op0_row}, {op1, op1_batch0, op1_batch1, op1_row}, {op2, op2_batch0, op2_batch1, op2_row}, {op3, op3_batch0, op3_batch1, op3_row}, batch0, batch1, (int)blockIdx.y, cols, rows};
#pragma unroll
    for (int i = 0; i < kM; i++)
    {
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            int row = row0 + wm * kRowsOfWarp + i * 16 + h * 8 + (lane >> 2);
            if (row >= rows) continue;
#pragma unroll
            for (int j = 0; j < kN; j++)
            {
                int col = col0 + wn * kColsOfWarp + j * 8 + (lane & 3) * 2;
                if (col >= cols) continue;
                Sum pair[2] = {sum[i][j][h * 2], sum[i][j][h * 2 + 1]};
                float f[2], r[2];
                epilogue.apply<2, false>(pair, f, row, col, r);
                put<Out, 2>(y + row * y_row, col, cols, r);
            }
        }
    }
}
