// Matrix product of a few rows, as of one token or one image: y[row, col] = epilogue(Σk x[row, k] · w[col, k]). What it costs is reading the weights once, so each lane has all its 16-byte pieces of them under way
// before it waits for the rows. No tensor cores: 32-bit sums of exact products.
//
// Text before this defines:
//   TRT_KERNEL, TRT_IN (tc::f16, tc::bf16, float), TRT_OUT
//   TRT_ROWS (of a block), TRT_COLS (of a warp), TRT_PARTS (warps that share the k of their columns), TRT_GROUPS (such sets of warps in a block)
//   TRT_STEPS       pieces of a column that a lane holds at once
//   TRT_CONSTANT    1: w is known before anything runs
//   TRT_PDL, TRT_VECTOR (1) and the epilogue: see epilogue.cuh
#pragma once
#include "async.cuh"
#include "epilogue.cuh"

namespace tc {

typedef TRT_IN In;
typedef TRT_OUT Out;

constexpr int kItems = 16 / (int)sizeof(In);
constexpr int kThreads = TRT_PARTS * TRT_GROUPS * 32;
constexpr int kStride = TRT_PARTS * 32 * kItems;
constexpr int kSums = TRT_ROWS * TRT_COLS;

static_assert(kSums <= 32, "a lane for each sum");

union Piece
{
    uint4 words;
    In items[kItems];
};

static __device__ __forceinline__ uint4 load_once(const In *from)
{
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from));
    return v;
}

// The pieces of this lane's columns from k on; zeros beyond the ends.
static __device__ __forceinline__ void load_weights(Piece (&to)[TRT_COLS][TRT_STEPS], const In *w, long long w_row, int col0, int cols, int k, int depth)
{
#pragma unroll
    for (int c = 0; c < TRT_COLS; c++)
    {
        const In *column = w + (col0 + c) * w_row;
#pragma unroll
        for (int s = 0; s < TRT_STEPS; s++)
        {
            int at = k + s * kStride;
            to[c][s].words = col0 + c < cols && at < depth ? load_once(column + at) : make_uint4(0, 0, 0, 0);
        }
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
    int rows, int cols, int depth, int batches0)
{
    using namespace tc;
    __shared__ float parts[TRT_GROUPS][TRT_PARTS][kSums];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, part = warp % TRT_PARTS, group = warp / TRT_PARTS;
    int col0 = ((int)blockIdx.x * TRT_GROUPS + group) * TRT_COLS, row0 = (int)blockIdx.y * TRT_ROWS;
    int batch0 = (int)blockIdx.z % batches0, batch1 = (int)blockIdx.z / batches0;
    x += batch0 * x_batch0 + batch1 * x_batch1;
    w += batch0 * w_batch0 + batch1 * w_batch1;
    y += batch0 * y_batch0 + batch1 * y_batch1;
    int k = (part * 32 + lane) * kItems;
    Piece weights[TRT_COLS][TRT_STEPS];
#if TRT_PDL
    if (!TRT_CONSTANT) wait_for_predecessors();
#endif
    load_weights(weights, w, w_row, col0, cols, k, depth);
#if TRT_PDL
    launch_dependents();
    if (TRT_CONSTANT) wait_for_predecessors();
#endif

    float sum[TRT_ROWS][TRT_COLS] = {};
    while (true)
    {
#pragma unroll
        for (int s = 0; s < TRT_STEPS; s++)
        {
            int at = k + s * kStride;
            if (at >= depth) break;
#pragma unroll
            for (int r = 0; r < TRT_ROWS; r++)
            {
                if (row0 + r >= rows) break;
                Piece piece;
                piece.words = *reinterpret_cast<const uint4 *>(x + (row0 + r) * x_row + at);
#pragma unroll
                for (int i = 0; i < kItems; i++)
                {
                    float value = to_float(piece.items[i]);
#pragma unroll
                    for (int c = 0; c < TRT_COLS; c++) sum[r][c] = fmaf(value, to_float(weights[c][s].items[i]), sum[r][c]);
                }
            }
        }
        k += TRT_STEPS * kStride;
        // Warps of a group go on together or not at all: what is beyond the end is zero.
        if (k - (part * 32 + lane) * kItems >= depth) break;
        load_weights(weights, w, w_row, col0, cols, k, depth);
    }

#pragma unroll
    for (int r = 0; r < TRT_ROWS; r++)
    {
#pragma unroll
        for (int c = 0; c < TRT_COLS; c++)
        {
            float total = sum[r][c];
#pragma unroll
            for (int step = 16; step > 0; step /= 2) total += __shfl_xor_sync(0xffffffffu, total, step);
            if (lane == 0) parts[group][part][r * TRT_COLS + c] = total;
        }
    }
    if (TRT_PARTS > 1) __syncthreads();
    else __syncwarp();
    int row = row0 + lane / TRT_COLS, col = col0 + lane % TRT_COLS;
    if (part != 0 || lane >= kSums || row >= rows || col >= cols) return;
    float total[1] = {0.f}, first[1], result[1];
#pragma unroll
    for (int p = 0; p < TRT_PARTS; p++) total[0] += parts[group][p][lane];
    Epilogue epilogue{{op0, op0_batch0, op0_batch1, op0_row}, {op1, op1_batch0, op1_batch1, op1_row}, {op2, op2_batch0, op2_batch1, op2_row}, {op3, op3_batch0, op3_batch1, op3_row}, batch0, batch1, (int)blockIdx.z, cols, rows};
    epilogue.apply<1, false>(total, first, row, col, result);
    put<Out, 1>(y + row * y_row, col, cols, result);
}
