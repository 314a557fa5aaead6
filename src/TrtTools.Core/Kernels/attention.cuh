// y = softmax(scale · q·kᵀ + mask) · v, scale > 0, for one tile of query rows of one head: scores stay in registers, keys stream through shared memory. sm_80 and later.
// Query heads that share a key head are packed into the rows of one block. Warps share the rows (TRT_QUERY_WARPS) and the keys (TRT_KEY_WARPS); blocks of a cluster may share the keys
// of long sequences and few rows (TRT_SPLIT, sm_90). Partial results are joined in a fixed order.
//
// Text before this defines:
//   TRT_KERNEL, TRT_TYPE (tc::f16, tc::bf16), TRT_HEAD (size of a head, a multiple of 8), TRT_GROUP (query heads per key head)
//   TRT_QUERY_WARPS, TRT_KEY_WARPS, TRT_ROW_TILES (16-row tiles of a warp: 1, 2), TRT_KEYS (keys per warp and step, a multiple of 16), TRT_SPLIT
//   TRT_STAGES (1, where all keys fit in one step, or 2), TRT_RESIDENT (0, or as many steps as all keys take: they are loaded at once then)
//   TRT_GUARD 1: a row whose keys are all masked gives 0 instead of NaN
//   TRT_PERSISTENT 1: blocks walk over tiles, heads and batches, the next one's operands on their way meanwhile (all keys resident)
//   TRT_CAUSAL 0, 1       TRT_MASK 0, 1 with TRT_MASK_TYPE (float, tc::f16, tc::bf16)       TRT_PDL 0, 1
#pragma once
#include "async.cuh"
#include "mma.cuh"

#ifndef TRT_GUARD
#define TRT_GUARD 0
#endif

namespace tc {

typedef TRT_TYPE Element;

constexpr int kWarps = TRT_QUERY_WARPS * TRT_KEY_WARPS;
constexpr int kThreads = kWarps * 32;
constexpr int kWarpRows = TRT_ROW_TILES * 16;
constexpr int kRows = TRT_QUERY_WARPS * kWarpRows;
constexpr int kTileKeys = TRT_KEY_WARPS * TRT_KEYS;
constexpr int kHead = (TRT_HEAD + 15) / 16 * 16;
constexpr int kChunks = kHead / 8;              // 16-byte pieces of a row
constexpr int kPitch = kHead * 2 + 16;          // an odd number of pieces: ldmatrix meets no bank twice
constexpr int kQBytes = kRows * kPitch;
constexpr int kTileBytes = kTileKeys * kPitch;
constexpr int kBuffers = TRT_RESIDENT ? TRT_RESIDENT : TRT_STAGES;
constexpr int kItemBytes = kQBytes + 2 * kBuffers * kTileBytes;
constexpr int kPartials = TRT_KEY_WARPS * TRT_SPLIT;
constexpr int kPartPitch = kHead + 4;           // floats

static_assert(!TRT_PERSISTENT || (TRT_RESIDENT && kPartials == 1), "what stays loads a whole item at once");
static_assert(TRT_KEYS % 16 == 0 && TRT_HEAD % 8 == 0, "tile");

static __device__ __forceinline__ float exp2_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

static __device__ __forceinline__ float negative_infinity() { return __int_as_float((int)0xff800000u); }

// One tile of rows of one head, and the steps over its keys.
struct Item
{
    int first_row, head, batch, step0, step1;
};

// Rows from memory, zeros beyond the last and beyond the head's size.
static __device__ __forceinline__ void load_rows(u32 to, const Element *from, long long stride, int first, int count, int rows)
{
    for (int i = threadIdx.x; i < rows * kChunks; i += kThreads)
    {
        int r = i / kChunks, c = i - r * kChunks;
        bool valid = first + r < count && (TRT_HEAD == kHead || c * 8 < TRT_HEAD);
        copy_async_16(to + r * kPitch + c * 16, valid ? from + (first + r) * stride + c * 8 : from, valid);
    }
}

}

extern "C" __global__ void __launch_bounds__(tc::kThreads) TRT_KERNEL(
    const TRT_TYPE *q, long long q_batch, long long q_head, long long q_row,
    const TRT_TYPE *k, long long k_batch, long long k_head, long long k_row,
    const TRT_TYPE *v, long long v_batch, long long v_head, long long v_row,
    TRT_TYPE *y, long long y_batch, long long y_head, long long y_row,
#if TRT_MASK
    const TRT_MASK_TYPE *mask, long long mask_batch, long long mask_head, long long mask_row, long long mask_key,
#endif
    int queries, int keys, int causal_offset, int heads, int batches, float scale)
{
    using namespace tc;
    extern __shared__ __align__(16) unsigned char shared[];
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int qw = warp % TRT_QUERY_WARPS, kw = warp / TRT_QUERY_WARPS;
    int rank = TRT_SPLIT > 1 ? (int)(blockIdx.x % TRT_SPLIT) : 0;
    int rows = TRT_GROUP * queries, tiles = (rows + kRows - 1) / kRows;

#if TRT_PDL
    launch_dependents();
    wait_for_predecessors();
#endif
    auto place = [&](int item) -> Item
    {
        Item it;
        if (TRT_PERSISTENT)
        {
            int line = item / tiles;
            it.first_row = (item - line * tiles) * kRows;
            it.batch = line / heads;
            it.head = line - it.batch * heads;
        }
        else
        {
            it.first_row = (int)(blockIdx.x / TRT_SPLIT) * kRows;
            it.head = blockIdx.y;
            it.batch = blockIdx.z;
        }
        int steps = (keys + kTileKeys - 1) / kTileKeys;
        if (TRT_CAUSAL)
        {
            // Keys that no row of this block sees.
            int last_row = min(it.first_row + kRows, rows) - 1;
            int last_query = TRT_GROUP == 1 ? last_row : queries - 1;
            steps = min(steps, max(0, last_query + causal_offset) / kTileKeys + 1);
        }
        it.step0 = steps * rank / TRT_SPLIT;
        it.step1 = steps * (rank + 1) / TRT_SPLIT;
        return it;
    };
    // The rows of q and the first keys, or all of them; then the values.
    auto load = [&](const Item &it, u32 to)
    {
        const Element *from = q + it.batch * q_batch + it.head * TRT_GROUP * q_head;
        for (int i = threadIdx.x; i < kRows * kChunks; i += kThreads)
        {
            int r = i / kChunks, c = i - r * kChunks, row = it.first_row + r;
            bool valid = row < rows && (TRT_HEAD == kHead || c * 8 < TRT_HEAD);
            int g = TRT_GROUP == 1 ? 0 : row / queries;
            copy_async_16(to + r * kPitch + c * 16, valid ? from + g * q_head + (row - g * queries) * q_row + c * 8 : q, valid);
        }
        int at_once = TRT_RESIDENT ? it.step1 - it.step0 : min(1, it.step1 - it.step0);
        load_rows(to + kQBytes, k + it.batch * k_batch + it.head * k_head, k_row, it.step0 * kTileKeys, keys, at_once * kTileKeys);
        copy_async_commit();
        load_rows(to + kQBytes + kBuffers * kTileBytes, v + it.batch * v_batch + it.head * v_head, v_row, it.step0 * kTileKeys, keys, at_once * kTileKeys);
        copy_async_commit();
    };

    int items = TRT_PERSISTENT ? tiles * heads * batches : 1, item = TRT_PERSISTENT ? blockIdx.x : 0, side = 0;
    if (item < items) load(place(item), shared_address(shared));
#pragma unroll 1
    for (; item < items; item += TRT_PERSISTENT ? gridDim.x : 1)
    {
    Item it = place(item);
    int first_row = it.first_row, head = it.head, batch = it.batch, step0 = it.step0, step1 = it.step1;
    TRT_TYPE *to = y + batch * y_batch + head * TRT_GROUP * y_head;
    u32 qs = shared_address(shared) + side * kItemBytes, ks = qs + kQBytes, vs = ks + kBuffers * kTileBytes;
    unsigned char *own = shared + side * kItemBytes;
    if (TRT_PERSISTENT)
    {
        int next = item + gridDim.x;
        side ^= 1;
        if (next < items) load(place(next), shared_address(shared) + side * kItemBytes);
        else { copy_async_commit(); copy_async_commit(); }
    }

    u32 qf[TRT_ROW_TILES][kHead / 16][4];
    float out[TRT_ROW_TILES][kHead / 8][4];
    float top[TRT_ROW_TILES][2], sum[TRT_ROW_TILES][2];
#pragma unroll
    for (int m = 0; m < TRT_ROW_TILES; m++)
    {
#pragma unroll
        for (int i = 0; i < kHead / 8; i++) out[m][i][0] = out[m][i][1] = out[m][i][2] = out[m][i][3] = 0.f;
        top[m][0] = top[m][1] = negative_infinity();
        sum[m][0] = sum[m][1] = 0.f;
    }
    const float log2e = 1.4426950408889634f;
    float scale2 = scale * log2e;
    int my_row = first_row + qw * kWarpRows + (lane >> 2);

    for (int step = step0; step < step1; step++)
    {
        int at = TRT_RESIDENT ? step - step0 : TRT_STAGES == 1 ? 0 : (step - step0) & 1;
        bool more = !TRT_RESIDENT && TRT_STAGES > 1 && step + 1 < step1, fresh = !TRT_RESIDENT || step == step0;
        if (!TRT_RESIDENT && TRT_STAGES == 1 && step > step0)
        {
            __syncthreads();
            load_rows(ks, k + batch * k_batch + head * k_head, k_row, step * kTileKeys, keys, kTileKeys);
            copy_async_commit();
            load_rows(vs, v + batch * v_batch + head * v_head, v_row, step * kTileKeys, keys, kTileKeys);
            copy_async_commit();
        }
        if (more)
        {
            load_rows(ks + (at ^ 1) * kTileBytes, k + batch * k_batch + head * k_head, k_row, (step + 1) * kTileKeys, keys, kTileKeys);
            copy_async_commit();
            load_rows(vs + (at ^ 1) * kTileBytes, v + batch * v_batch + head * v_head, v_row, (step + 1) * kTileKeys, keys, kTileKeys);
            copy_async_commit();
            copy_async_wait<3>();
        }
        else if (fresh) copy_async_wait<TRT_PERSISTENT ? 3 : 1>();
        if (fresh) __syncthreads();
        if (step == step0)
        {
#pragma unroll
            for (int m = 0; m < TRT_ROW_TILES; m++)
            {
#pragma unroll
                for (int i = 0; i < kHead / 16; i++) ldmatrix_x4(qf[m][i], qs + (qw * kWarpRows + m * 16 + (lane & 15)) * kPitch + i * 32 + (lane >> 4) * 16);
            }
        }

        // Scores of this warp's rows and keys.
        float s[TRT_ROW_TILES][TRT_KEYS / 8][4];
        u32 kt = ks + at * kTileBytes + kw * TRT_KEYS * kPitch;
#pragma unroll
        for (int j = 0; j < TRT_KEYS / 16; j++)
        {
#pragma unroll
            for (int m = 0; m < TRT_ROW_TILES; m++)
            {
#pragma unroll
                for (int e = 0; e < 4; e++) s[m][2 * j][e] = s[m][2 * j + 1][e] = 0.f;
            }
#pragma unroll
            for (int i = 0; i < kHead / 16; i++)
            {
                u32 b[4];
                ldmatrix_x4(b, kt + (j * 16 + (lane >> 4) * 8 + (lane & 7)) * kPitch + i * 32 + ((lane >> 3) & 1) * 16);
#pragma unroll
                for (int m = 0; m < TRT_ROW_TILES; m++)
                {
                    mma_16816<Element>(s[m][2 * j], qf[m][i], b[0], b[1]);
                    mma_16816<Element>(s[m][2 * j + 1], qf[m][i], b[2], b[3]);
                }
            }
        }

        int key0 = step * kTileKeys + kw * TRT_KEYS + (lane & 3) * 2;
        bool edge = (step + 1) * kTileKeys > keys;
#pragma unroll
        for (int m = 0; m < TRT_ROW_TILES; m++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                int row = my_row + m * 16 + h * 8;
#if TRT_MASK
                int clamped = min(row, rows - 1), g = TRT_GROUP == 1 ? 0 : clamped / queries;
                const TRT_MASK_TYPE *from = mask + batch * mask_batch + (head * TRT_GROUP + g) * mask_head + (clamped - g * queries) * mask_row;
#pragma unroll
                for (int j = 0; j < TRT_KEYS / 8; j++)
                {
#pragma unroll
                    for (int e = 0; e < 2; e++)
                    {
                        int key = key0 + j * 8 + e;
                        s[m][j][h * 2 + e] = s[m][j][h * 2 + e] * scale2 + (key < keys ? to_float(from[key * mask_key]) * log2e : 0.f);
                    }
                }
#endif
                if (TRT_CAUSAL || edge)
                {
                    int query = TRT_GROUP == 1 ? row : row % queries;
                    int limit = TRT_CAUSAL ? min(keys, query + causal_offset + 1) : keys;
#pragma unroll
                    for (int j = 0; j < TRT_KEYS / 8; j++)
                    {
#pragma unroll
                        for (int e = 0; e < 2; e++) if (key0 + j * 8 + e >= limit) s[m][j][h * 2 + e] = negative_infinity();
                    }
                }
            }
        }

        // Powers relative to the greatest score so far; what was summed before is scaled down to it. Without a mask the scale joins the subtraction.
        constexpr bool scaled = TRT_MASK != 0;
#pragma unroll
        for (int m = 0; m < TRT_ROW_TILES; m++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                float most = negative_infinity();
#pragma unroll
                for (int j = 0; j < TRT_KEYS / 8; j++) most = fmaxf(most, fmaxf(s[m][j][h * 2], s[m][j][h * 2 + 1]));
                most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
                most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
                if (!scaled) most *= scale2;
                most = fmaxf(most, top[m][h]);
                float base = most == negative_infinity() ? 0.f : most;
                float shrink = exp2_fast(top[m][h] - base);
                top[m][h] = most;
                float add = 0.f;
#pragma unroll
                for (int j = 0; j < TRT_KEYS / 8; j++)
                {
#pragma unroll
                    for (int e = 0; e < 2; e++)
                    {
                        float x = s[m][j][h * 2 + e], p = exp2_fast(scaled ? x - base : fmaf(x, scale2, -base));
                        s[m][j][h * 2 + e] = p;
                        add += p;
                    }
                }
                sum[m][h] = sum[m][h] * shrink + add;
                if (step > step0)
                {
#pragma unroll
                    for (int i = 0; i < kHead / 8; i++) { out[m][i][h * 2] *= shrink; out[m][i][h * 2 + 1] *= shrink; }
                }
            }
        }

        if (more) copy_async_wait<2>();
        else if (fresh) copy_async_wait<TRT_PERSISTENT ? 2 : 0>();
        if (fresh) __syncthreads();
        u32 vt = vs + at * kTileBytes + kw * TRT_KEYS * kPitch;
#pragma unroll
        for (int j = 0; j < TRT_KEYS / 16; j++)
        {
            u32 a[TRT_ROW_TILES][4];
#pragma unroll
            for (int m = 0; m < TRT_ROW_TILES; m++)
            {
#pragma unroll
                for (int q4 = 0; q4 < 4; q4++) a[m][q4] = Pair<Element>::pack(s[m][2 * j + (q4 >> 1)][(q4 & 1) * 2], s[m][2 * j + (q4 >> 1)][(q4 & 1) * 2 + 1]);
            }
#pragma unroll
            for (int i = 0; i < kHead / 16; i++)
            {
                u32 b[4];
                ldmatrix_x4_trans(b, vt + (j * 16 + ((lane >> 3) & 1) * 8 + (lane & 7)) * kPitch + i * 32 + (lane >> 4) * 16);
#pragma unroll
                for (int m = 0; m < TRT_ROW_TILES; m++)
                {
                    mma_16816<Element>(out[m][2 * i], a[m], b[0], b[1]);
                    mma_16816<Element>(out[m][2 * i + 1], a[m], b[2], b[3]);
                }
            }
        }
        if (!TRT_RESIDENT && TRT_STAGES > 1) __syncthreads();
    }
    if (!TRT_PERSISTENT) copy_async_wait<0>();

#pragma unroll
    for (int m = 0; m < TRT_ROW_TILES; m++)
    {
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            sum[m][h] += __shfl_xor_sync(0xffffffffu, sum[m][h], 1);
            sum[m][h] += __shfl_xor_sync(0xffffffffu, sum[m][h], 2);
        }
    }

    if constexpr (kPartials == 1)
    {
        // Through the rows of q, which only this warp has read, to whole 16-byte pieces.
        __syncwarp();
        u32 mine = qs + qw * kWarpRows * kPitch;
#pragma unroll
        for (int m = 0; m < TRT_ROW_TILES; m++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                float inverse = TRT_GUARD && !(sum[m][h] > 0.f) ? 0.f : 1.f / sum[m][h];
#pragma unroll
                for (int i = 0; i < kHead / 8; i++)
                    store_shared(mine + (m * 16 + (lane >> 2) + h * 8) * kPitch + i * 16 + (lane & 3) * 4, Pair<Element>::pack(out[m][i][h * 2] * inverse, out[m][i][h * 2 + 1] * inverse));
            }
        }
        __syncwarp();
        for (int i = lane; i < kWarpRows * (TRT_HEAD / 8); i += 32)
        {
            int r = i / (TRT_HEAD / 8), c = i - r * (TRT_HEAD / 8), row = first_row + qw * kWarpRows + r;
            if (row >= rows) continue;
            int g = TRT_GROUP == 1 ? 0 : row / queries;
            uint4 piece = *reinterpret_cast<const uint4 *>(own + (qw * kWarpRows + r) * kPitch + c * 16);
            *reinterpret_cast<uint4 *>(to + g * y_head + (row - g * queries) * y_row + c * 8) = piece;
        }
    }
    else
    {
        // Every warp's sums in shared memory; then each thread joins the parts of a few numbers.
        __syncthreads();
        float *parts = reinterpret_cast<float *>(shared), *tops = parts + TRT_KEY_WARPS * kRows * kPartPitch, *sums = tops + TRT_KEY_WARPS * kRows;
#pragma unroll
        for (int m = 0; m < TRT_ROW_TILES; m++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                int r = kw * kRows + qw * kWarpRows + m * 16 + (lane >> 2) + h * 8;
#pragma unroll
                for (int i = 0; i < kHead / 8; i++) *reinterpret_cast<float2 *>(parts + r * kPartPitch + i * 8 + (lane & 3) * 2) = make_float2(out[m][i][h * 2], out[m][i][h * 2 + 1]);
                if ((lane & 3) == 0) { tops[r] = top[m][h]; sums[r] = sum[m][h]; }
            }
        }
        if (TRT_SPLIT > 1) { cluster_arrive(); cluster_wait(); }
        else __syncthreads();
        constexpr int quads = TRT_HEAD / 4;
        for (int i = rank * kThreads + threadIdx.x; i < kRows * quads; i += TRT_SPLIT * kThreads)
        {
            int r = i / quads, c = (i - r * quads) * 4, row = first_row + r;
            if (row >= rows) continue;
            float t[kPartials], most = negative_infinity();
#pragma unroll
            for (int p = 0; p < kPartials; p++)
            {
                float *from = tops + (p % TRT_KEY_WARPS) * kRows + r;
                t[p] = TRT_SPLIT > 1 ? load_remote_float(shared_address(from), p / TRT_KEY_WARPS) : *from;
                most = fmaxf(most, t[p]);
            }
            float base = most == negative_infinity() ? 0.f : most, total = 0.f, o[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
            for (int p = 0; p < kPartials; p++)
            {
                float w = exp2_fast(t[p] - base);
                float *from = sums + (p % TRT_KEY_WARPS) * kRows + r;
                float4 x;
                float *at = parts + ((p % TRT_KEY_WARPS) * kRows + r) * kPartPitch + c;
                if (TRT_SPLIT > 1) { x = load_remote(shared_address(at), p / TRT_KEY_WARPS); total += w * load_remote_float(shared_address(from), p / TRT_KEY_WARPS); }
                else { x = *reinterpret_cast<float4 *>(at); total += w * *from; }
                o[0] += w * x.x; o[1] += w * x.y; o[2] += w * x.z; o[3] += w * x.w;
            }
#pragma unroll
            for (int e = 0; e < 4; e++) o[e] = TRT_GUARD && !(total > 0.f) ? 0.f : o[e] / total;
            int g = TRT_GROUP == 1 ? 0 : row / queries;
            store_vector<Element, 4>(to + g * y_head + (row - g * queries) * y_row + c, o);
        }
        if (TRT_SPLIT > 1) { cluster_arrive(); cluster_wait(); }
    }
    if (TRT_PERSISTENT) __syncthreads();
    }
}
