// y = softmax(scale · q·kᵀ + mask) · v for one tile of query rows of one head: scores stay in registers, keys stream through shared memory. sm_80 and later.
// Query heads that share a key head are packed into the rows of one block. Warps share the rows (TRT_QUERY_WARPS) and the keys (TRT_KEY_WARPS); blocks of a cluster may share the keys
// of long sequences and few rows (TRT_SPLIT, sm_90). Partial results are joined in a fixed order.
//
// Text before this defines:
//   TRT_KERNEL, TRT_TYPE (tc::f16, tc::bf16), TRT_HEAD (size of a head, a multiple of 8), TRT_GROUP (query heads per key head)
//   TRT_QUERY_WARPS, TRT_KEY_WARPS, TRT_KEYS (keys per warp and step, a multiple of 16), TRT_STAGES (1, where all keys fit in one step, or 2), TRT_SPLIT
//   TRT_CAUSAL 0, 1       TRT_MASK 0, 1 with TRT_MASK_TYPE (float, tc::f16, tc::bf16)       TRT_PDL 0, 1
#pragma once
#include "async.cuh"
#include "mma.cuh"

namespace tc {

typedef TRT_TYPE Element;

constexpr int kWarps = TRT_QUERY_WARPS * TRT_KEY_WARPS;
constexpr int kThreads = kWarps * 32;
constexpr int kRows = TRT_QUERY_WARPS * 16;
constexpr int kTileKeys = TRT_KEY_WARPS * TRT_KEYS;
constexpr int kHead = (TRT_HEAD + 15) / 16 * 16;
constexpr int kChunks = kHead / 8;              // 16-byte pieces of a row
constexpr int kPitch = kHead * 2 + 16;          // an odd number of pieces: ldmatrix meets no bank twice
constexpr int kQBytes = kRows * kPitch;
constexpr int kTileBytes = kTileKeys * kPitch;
constexpr int kPartials = TRT_KEY_WARPS * TRT_SPLIT;
constexpr int kPartPitch = kHead + 4;           // floats

static_assert(TRT_KEYS % 16 == 0 && TRT_HEAD % 8 == 0, "tile");

static __device__ __forceinline__ float exp2_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

static __device__ __forceinline__ float negative_infinity() { return __int_as_float((int)0xff800000u); }

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
    int queries, int keys, int causal_offset, float scale)
{
    using namespace tc;
    extern __shared__ __align__(16) unsigned char shared[];
    u32 qs = shared_address(shared), ks = qs + kQBytes, vs = ks + TRT_STAGES * kTileBytes;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int qw = warp % TRT_QUERY_WARPS, kw = warp / TRT_QUERY_WARPS;
    int rank = TRT_SPLIT > 1 ? (int)(blockIdx.x % TRT_SPLIT) : 0;
    int first_row = (int)(blockIdx.x / TRT_SPLIT) * kRows, rows = TRT_GROUP * queries;
    int head = blockIdx.y, batch = blockIdx.z;

#if TRT_PDL
    launch_dependents();
    wait_for_predecessors();
#endif
    q += batch * q_batch + head * TRT_GROUP * q_head;
    k += batch * k_batch + head * k_head;
    v += batch * v_batch + head * v_head;
    y += batch * y_batch + head * TRT_GROUP * y_head;

    int steps = (keys + kTileKeys - 1) / kTileKeys;
    if (TRT_CAUSAL)
    {
        // Keys that no row of this block sees.
        int last_row = min(first_row + kRows, rows) - 1;
        int last_query = TRT_GROUP == 1 ? last_row : queries - 1;
        steps = min(steps, max(0, last_query + causal_offset) / kTileKeys + 1);
    }
    int step0 = steps * rank / TRT_SPLIT, step1 = steps * (rank + 1) / TRT_SPLIT;

    for (int i = threadIdx.x; i < kRows * kChunks; i += kThreads)
    {
        int r = i / kChunks, c = i - r * kChunks, row = first_row + r;
        bool valid = row < rows && (TRT_HEAD == kHead || c * 8 < TRT_HEAD);
        int g = TRT_GROUP == 1 ? 0 : row / queries;
        copy_async_16(qs + r * kPitch + c * 16, valid ? q + g * q_head + (row - g * queries) * q_row + c * 8 : q, valid);
    }
    if (step0 < step1) load_rows(ks, k, k_row, step0 * kTileKeys, keys, kTileKeys);
    copy_async_commit();
    if (step0 < step1) load_rows(vs, v, v_row, step0 * kTileKeys, keys, kTileKeys);
    copy_async_commit();

    u32 qf[kHead / 16][4];
    float out[kHead / 8][4];
#pragma unroll
    for (int i = 0; i < kHead / 8; i++) out[i][0] = out[i][1] = out[i][2] = out[i][3] = 0.f;
    float top[2] = {negative_infinity(), negative_infinity()}, sum[2] = {0.f, 0.f};
    const float log2e = 1.4426950408889634f;
    float scale2 = scale * log2e;
    int my_row = first_row + qw * 16 + (lane >> 2);

    for (int step = step0; step < step1; step++)
    {
        int at = TRT_STAGES == 1 ? 0 : (step - step0) & 1;
        bool more = TRT_STAGES > 1 && step + 1 < step1;
        if (TRT_STAGES == 1 && step > step0)
        {
            __syncthreads();
            load_rows(ks, k, k_row, step * kTileKeys, keys, kTileKeys);
            copy_async_commit();
            load_rows(vs, v, v_row, step * kTileKeys, keys, kTileKeys);
            copy_async_commit();
        }
        if (more)
        {
            load_rows(ks + (at ^ 1) * kTileBytes, k, k_row, (step + 1) * kTileKeys, keys, kTileKeys);
            copy_async_commit();
            load_rows(vs + (at ^ 1) * kTileBytes, v, v_row, (step + 1) * kTileKeys, keys, kTileKeys);
            copy_async_commit();
            copy_async_wait<3>();
        }
        else copy_async_wait<1>();
        __syncthreads();
        if (step == step0)
        {
#pragma unroll
            for (int i = 0; i < kHead / 16; i++) ldmatrix_x4(qf[i], qs + (qw * 16 + (lane & 15)) * kPitch + i * 32 + (lane >> 4) * 16);
        }

        // Scores of 16 rows and this warp's keys.
        float s[TRT_KEYS / 8][4];
        u32 kt = ks + at * kTileBytes + kw * TRT_KEYS * kPitch;
#pragma unroll
        for (int j = 0; j < TRT_KEYS / 16; j++)
        {
#pragma unroll
            for (int e = 0; e < 4; e++) s[2 * j][e] = s[2 * j + 1][e] = 0.f;
#pragma unroll
            for (int i = 0; i < kHead / 16; i++)
            {
                u32 b[4];
                ldmatrix_x4(b, kt + (j * 16 + (lane >> 4) * 8 + (lane & 7)) * kPitch + i * 32 + ((lane >> 3) & 1) * 16);
                mma_16816<Element>(s[2 * j], qf[i], b[0], b[1]);
                mma_16816<Element>(s[2 * j + 1], qf[i], b[2], b[3]);
            }
        }

        int key0 = step * kTileKeys + kw * TRT_KEYS + (lane & 3) * 2;
#if TRT_MASK
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            int row = min(my_row + h * 8, rows - 1);
            int g = TRT_GROUP == 1 ? 0 : row / queries;
            const TRT_MASK_TYPE *m = mask + batch * mask_batch + (head * TRT_GROUP + g) * mask_head + (row - g * queries) * mask_row;
#pragma unroll
            for (int j = 0; j < TRT_KEYS / 8; j++)
            {
#pragma unroll
                for (int e = 0; e < 2; e++)
                {
                    int key = key0 + j * 8 + e;
                    s[j][h * 2 + e] = s[j][h * 2 + e] * scale2 + (key < keys ? to_float(m[key * mask_key]) * log2e : 0.f);
                }
            }
        }
#else
#pragma unroll
        for (int j = 0; j < TRT_KEYS / 8; j++)
        {
#pragma unroll
            for (int e = 0; e < 4; e++) s[j][e] *= scale2;
        }
#endif
        bool edge = (step + 1) * kTileKeys > keys;
        if (TRT_CAUSAL || edge)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                int row = my_row + h * 8;
                int query = TRT_GROUP == 1 ? row : row % queries;
                int limit = TRT_CAUSAL ? min(keys, query + causal_offset + 1) : keys;
#pragma unroll
                for (int j = 0; j < TRT_KEYS / 8; j++)
                {
#pragma unroll
                    for (int e = 0; e < 2; e++) if (key0 + j * 8 + e >= limit) s[j][h * 2 + e] = negative_infinity();
                }
            }
        }

        // Powers relative to the greatest score so far; what was summed before is scaled down to it.
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            float most = top[h];
#pragma unroll
            for (int j = 0; j < TRT_KEYS / 8; j++) most = fmaxf(most, fmaxf(s[j][h * 2], s[j][h * 2 + 1]));
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
            float base = most == negative_infinity() ? 0.f : most;
            float shrink = exp2_fast(top[h] - base);
            top[h] = most;
            float add = 0.f;
#pragma unroll
            for (int j = 0; j < TRT_KEYS / 8; j++)
            {
#pragma unroll
                for (int e = 0; e < 2; e++)
                {
                    float p = exp2_fast(s[j][h * 2 + e] - base);
                    s[j][h * 2 + e] = p;
                    add += p;
                }
            }
            sum[h] = sum[h] * shrink + add;
            if (step > step0)
            {
#pragma unroll
                for (int i = 0; i < kHead / 8; i++) { out[i][h * 2] *= shrink; out[i][h * 2 + 1] *= shrink; }
            }
        }

        if (more) copy_async_wait<2>();
        else copy_async_wait<0>();
        __syncthreads();
        u32 vt = vs + at * kTileBytes + kw * TRT_KEYS * kPitch;
#pragma unroll
        for (int j = 0; j < TRT_KEYS / 16; j++)
        {
            u32 a[4] = {Pair<Element>::pack(s[2 * j][0], s[2 * j][1]), Pair<Element>::pack(s[2 * j][2], s[2 * j][3]),
                        Pair<Element>::pack(s[2 * j + 1][0], s[2 * j + 1][1]), Pair<Element>::pack(s[2 * j + 1][2], s[2 * j + 1][3])};
#pragma unroll
            for (int i = 0; i < kHead / 16; i++)
            {
                u32 b[4];
                ldmatrix_x4_trans(b, vt + (j * 16 + ((lane >> 3) & 1) * 8 + (lane & 7)) * kPitch + i * 32 + (lane >> 4) * 16);
                mma_16816<Element>(out[2 * i], a, b[0], b[1]);
                mma_16816<Element>(out[2 * i + 1], a, b[2], b[3]);
            }
        }
        if (TRT_STAGES > 1) __syncthreads();
    }
    copy_async_wait<0>();

#pragma unroll
    for (int h = 0; h < 2; h++)
    {
        sum[h] += __shfl_xor_sync(0xffffffffu, sum[h], 1);
        sum[h] += __shfl_xor_sync(0xffffffffu, sum[h], 2);
    }

    if constexpr (kPartials == 1)
    {
        // Through the rows of q, which only this warp has, to whole 16-byte pieces.
        __syncthreads();
        float inverse[2] = {1.f / sum[0], 1.f / sum[1]};
        u32 mine = qs + qw * 16 * kPitch;
#pragma unroll
        for (int i = 0; i < kHead / 8; i++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
                store_shared(mine + ((lane >> 2) + h * 8) * kPitch + i * 16 + (lane & 3) * 4, Pair<Element>::pack(out[i][h * 2] * inverse[h], out[i][h * 2 + 1] * inverse[h]));
        }
        __syncwarp();
        for (int i = lane; i < 16 * (TRT_HEAD / 8); i += 32)
        {
            int r = i / (TRT_HEAD / 8), c = i - r * (TRT_HEAD / 8), row = first_row + qw * 16 + r;
            if (row >= rows) continue;
            int g = TRT_GROUP == 1 ? 0 : row / queries;
            uint4 piece = *reinterpret_cast<const uint4 *>(shared + (qw * 16 + r) * kPitch + c * 16);
            *reinterpret_cast<uint4 *>(y + g * y_head + (row - g * queries) * y_row + c * 8) = piece;
        }
    }
    else
    {
        // Every warp's sums in shared memory; then each thread joins the parts of a few numbers.
        __syncthreads();
        float *parts = reinterpret_cast<float *>(shared), *tops = parts + TRT_KEY_WARPS * kRows * kPartPitch, *sums = tops + TRT_KEY_WARPS * kRows;
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            int r = kw * kRows + qw * 16 + (lane >> 2) + h * 8;
#pragma unroll
            for (int i = 0; i < kHead / 8; i++) *reinterpret_cast<float2 *>(parts + r * kPartPitch + i * 8 + (lane & 3) * 2) = make_float2(out[i][h * 2], out[i][h * 2 + 1]);
            if ((lane & 3) == 0) { tops[r] = top[h]; sums[r] = sum[h]; }
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
            for (int e = 0; e < 4; e++) o[e] /= total;
            int g = TRT_GROUP == 1 ? 0 : row / queries;
            store_vector<Element, 4>(y + g * y_head + (row - g * queries) * y_row + c, o);
        }
        if (TRT_SPLIT > 1) { cluster_arrive(); cluster_wait(); }
    }
}
