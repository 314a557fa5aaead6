// y = softmax(scale · q·kᵀ + mask) · v on Hopper, where all keys of a head fit in one tile of at most 256: a warpgroup has the scores of 64 query rows and all keys in registers, so that nothing is scaled twice.
// An item is up to TRT_TILES such tiles of one head with its keys and values. One warp feeds shared memory by TMA, items ahead; warpgroups take the tiles in turn; results leave through shared memory by TMA.
//
// Text before this defines:
//   TRT_KERNEL, TRT_TYPE (tc::f16, tc::bf16) with TRT_TYPE_KIND (0, 1), TRT_HEAD (size of a head, a multiple of 8 up to 128), TRT_GROUP (query heads per key head)
//   TRT_KEYS (a multiple of 8 up to 256), TRT_LENGTH (number of keys where it is always the same, otherwise 0), TRT_TILES, TRT_GROUPS (warpgroups that compute), TRT_STAGES
//   TRT_GUARD 1: a row whose keys are all masked gives 0 instead of NaN
//   TRT_CAUSAL 0, 1       TRT_PDL 0, 1
//   TRT_MASK 0, 1 (of TRT_MASK_TYPE float, tc::f16 or tc::bf16), 2 (16-bit, by TMA: rows of keys without gaps, each 16 bytes aligned); TRT_MASK_PAIRS 1: two neighbouring keys may be read at once
#pragma once
#include "async.cuh"
#include "mma.cuh"

#ifndef TRT_GUARD
#define TRT_GUARD 0
#endif
#define TRT_WGMMA_N TRT_KEYS
#if TRT_TYPE_KIND == 0
#define TRT_WGMMA_K "k16.f32.f16.f16"
#else
#define TRT_WGMMA_K "k16.f32.bf16.bf16"
#endif
#define TRT_WGMMA_SUM float
#define TRT_WGMMA_TAIL ", 1, 1, 0, 0"
#include "wgmma.cuh"

namespace tc {

typedef TRT_TYPE Element;

constexpr int kMathThreads = TRT_GROUPS * 128;
// A feeding warp alone counts as four where registers are handed out; a feeding warpgroup gives its own away.
constexpr int kThreads = kMathThreads + (TRT_GROUPS > 1 ? 128 : 32);
constexpr int kFeederRegisters = TRT_GROUPS == 2 ? 40 : 24, kMathRegisters = TRT_GROUPS == 2 ? 232 : TRT_GROUPS == 3 ? 160 : 112;
constexpr int kPanels = (TRT_HEAD + 63) / 64;                 // of 64 elements, 128 bytes: what a row's swizzle spans
constexpr int kHeadSteps = (TRT_HEAD + 15) / 16;
constexpr int kTileBytes = 64 * 128;                          // one panel of 64 rows
constexpr int kQBytes = TRT_TILES * kPanels * kTileBytes;
constexpr int kBlocks = (TRT_KEYS + 15) / 16;                  // of 16 keys, as the second product takes them
constexpr int kKeyPanel = TRT_KEYS * 128, kKeyBytes = kPanels * kKeyPanel;
constexpr int kValuePanel = kBlocks * 16 * 128, kValueBytes = kPanels * kValuePanel;
constexpr int kMaskPanels = (TRT_KEYS + 63) / 64;
constexpr int kMaskBytes = TRT_MASK == 2 ? TRT_TILES * kMaskPanels * kTileBytes : 0;
constexpr int kStageBytes = kQBytes + kKeyBytes + kValueBytes + kMaskBytes;

static_assert(TRT_KEYS % 8 == 0 && TRT_KEYS <= 256 && TRT_HEAD % 8 == 0 && TRT_HEAD <= 128, "tile");
static_assert(TRT_LENGTH <= TRT_KEYS, "all keys in one tile");
static_assert((TRT_GROUPS + TRT_TILES - 1) / TRT_TILES <= TRT_STAGES, "a group's next tile lies within the ring: parities tell two laps of a stage apart, no more");

// d += a·b for 64 rows whose a lies in registers as the sums of another product do; b is stored [k, column].
static __device__ __forceinline__ void wgmma_values(float (&d)[TRT_HEAD / 2], const u32 (&a)[4], u64 b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n" TRT_TEXT(TRT_HEAD) TRT_WGMMA_K " {" TRT_JOIN(TRT_R, TRT_HEAD) "}, {" TRT_JOIN(TRT_Q, TRT_HEAD) "}, " TRT_JOIN(TRT_V, TRT_HEAD) ", 1, 1, 1, 1;"
                 : TRT_JOIN(TRT_D, TRT_HEAD)(TRT_REGISTER_float, d)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

static __device__ __forceinline__ float exp2_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

static __device__ __forceinline__ float negative_infinity() { return __int_as_float((int)0xff800000u); }

struct Item
{
    int batch, head, row;

    __device__ __forceinline__ Item(int item, int chunks, int heads)
    {
        int line = item / chunks;
        row = (item - line * chunks) * (TRT_TILES * 64);
        batch = line / heads;
        head = line - batch * heads;
    }
};

// Where a byte of a panel's row lies: 16-byte pieces change places by what the row's address says.
static __device__ __forceinline__ u32 panel_place(int row, int byte) { return row * 128 + (byte ^ ((row & 7) * 16)); }

}

extern "C" __global__ void __launch_bounds__(tc::kThreads, 1) TRT_KERNEL(
    const __grid_constant__ TensorMap map_q, const __grid_constant__ TensorMap map_k, const __grid_constant__ TensorMap map_v, const __grid_constant__ TensorMap map_y,
#if TRT_MASK == 2
    const __grid_constant__ TensorMap map_mask, int mask_heads, int mask_batches,
#endif
#if TRT_MASK == 1
    const TRT_MASK_TYPE *mask, long long mask_batch, long long mask_head, long long mask_row, long long mask_key,
#endif
    int queries, int keys, int causal_offset, int heads, int batches, float scale)
{
    using namespace tc;
    extern __shared__ unsigned char shared[];
    u32 base = (shared_address(shared) + 1023) & ~1023u;
    u32 staged = base + TRT_STAGES * kStageBytes;
    u32 full = staged + TRT_GROUPS * kPanels * kTileBytes, empty = full + TRT_STAGES * 8;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, group = warp >> 2;
    int chunks = (queries + TRT_TILES * 64 - 1) / (TRT_TILES * 64), items = chunks * heads * batches;

#if TRT_PDL
    launch_dependents();
#endif
    if (threadIdx.x == 0)
    {
        for (int i = 0; i < TRT_STAGES; i++)
        {
            barrier_init(full + i * 8, 1);
            barrier_init(empty + i * 8, TRT_TILES * 4);
        }
        fence_barrier_init();
    }
    __syncthreads();
#if TRT_PDL
    wait_for_predecessors();
#endif

    if (warp >= TRT_GROUPS * 4)
    {
        if (TRT_GROUPS > 1) asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kFeederRegisters));
        if (threadIdx.x != kMathThreads) return;
        prefetch_map(&map_q);
        prefetch_map(&map_k);
        prefetch_map(&map_v);
        int stage = 0;
        u32 parity = 1;
#pragma unroll 1
        for (int i = blockIdx.x; i < items; i += gridDim.x)
        {
            Item item(i, chunks, heads);
            u32 q = base + stage * kStageBytes, k = q + kQBytes, v = k + kKeyBytes, bar = full + stage * 8;
            int key_head = item.head / TRT_GROUP;
            barrier_wait(empty + stage * 8, parity);
            barrier_expect(bar, kStageBytes);
#pragma unroll
            for (int p = 0; p < kPanels; p++)
            {
                tma_load_4d(k + p * kKeyPanel, &map_k, bar, p * 64, 0, key_head, item.batch);
#pragma unroll
                for (int t = 0; t < TRT_TILES; t++) tma_load_4d(q + (t * kPanels + p) * kTileBytes, &map_q, bar, p * 64, item.row + t * 64, item.head, item.batch);
                tma_load_4d(v + p * kValuePanel, &map_v, bar, p * 64, 0, key_head, item.batch);
            }
#if TRT_MASK == 2
#pragma unroll
            for (int t = 0; t < TRT_TILES * kMaskPanels; t++)
                tma_load_4d(v + kValueBytes + t * kTileBytes, &map_mask, bar, t % kMaskPanels * 64, item.row + t / kMaskPanels * 64, mask_heads ? item.head : 0, mask_batches ? item.batch : 0);
#endif
            if (++stage == TRT_STAGES) { stage = 0; parity ^= 1; }
        }
        return;
    }
    if (TRT_GROUPS > 1) asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kMathRegisters));

    const float log2e = 1.4426950408889634f;
    // What scores are multiplied by before powers of 2 are taken; a mask is added to scores that are scaled already.
    float factor = TRT_MASK ? log2e : scale * log2e;
    int limit = TRT_LENGTH ? TRT_LENGTH : keys;
    u32 out = staged + group * kPanels * kTileBytes;
#pragma unroll 1
    for (int turn = group; ; turn += TRT_GROUPS)
    {
        int sequence = turn / TRT_TILES, tile = turn - sequence * TRT_TILES, i = blockIdx.x + sequence * gridDim.x;
        if (i >= items) break;
        int lap = sequence / TRT_STAGES, stage = sequence - lap * TRT_STAGES;
        Item item(i, chunks, heads);
        int row0 = item.row + tile * 64;
        barrier_wait(full + stage * 8, lap & 1);
        if (row0 >= queries)
        {
            if (lane == 0) barrier_arrive(empty + stage * 8);
            continue;
        }
        u32 q = base + stage * kStageBytes, k = q + kQBytes, v = k + kKeyBytes;

        float s[TRT_KEYS / 2];
#pragma unroll
        for (int j = 0; j < TRT_KEYS / 2; j++) s[j] = 0.f;
        u64 dq = tile_descriptor<128>(q + tile * kPanels * kTileBytes, 0), dk = tile_descriptor<128>(k, 0);
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < kHeadSteps; step++) wgmma(s, dq + (step >> 2) * (kTileBytes / 16) + (step & 3) * 2, dk + (step >> 2) * (kKeyPanel / 16) + (step & 3) * 2);
        wgmma_commit();
        wgmma_wait<0>();
#pragma unroll
        for (int j = 0; j < TRT_KEYS / 2; j++) hold(s[j]);

        // This thread's two rows, 8 apart, and pairs of keys, 8 apart.
        int row = (warp & 3) * 16 + (lane >> 2), key = (lane & 3) * 2;
#if TRT_MASK == 2
        u32 from = v + kValueBytes + tile * kMaskPanels * kTileBytes;
#pragma unroll
        for (int j = 0; j < kBlocks; j++)
        {
            u32 m[4];
            ldmatrix_x4(m, from + j / 4 * kTileBytes + panel_place((warp & 3) * 16 + (lane & 15), j % 4 * 32 + (lane >> 4) * 16));
#pragma unroll
            for (int e = 0; e < (j * 16 + 8 < TRT_KEYS ? 4 : 2); e++)
            {
                float a, b;
                Pair<TRT_MASK_TYPE>::unpack(m[e], a, b);
                s[j * 8 + e * 2] = fmaf(s[j * 8 + e * 2], scale, a);
                s[j * 8 + e * 2 + 1] = fmaf(s[j * 8 + e * 2 + 1], scale, b);
            }
        }
#elif TRT_MASK
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            const TRT_MASK_TYPE *from = mask + item.batch * mask_batch + item.head * mask_head + min(row0 + row + h * 8, queries - 1) * mask_row;
#pragma unroll
            for (int j = 0; j < TRT_KEYS / 8; j++)
            {
                float m[2] = {0.f, 0.f};
#if TRT_MASK_PAIRS
                if (j * 8 + key < limit) load_vector<TRT_MASK_TYPE, 2>(from + j * 8 + key, m);
#else
                if (j * 8 + key < limit) m[0] = to_float(from[(j * 8 + key) * mask_key]);
                if (j * 8 + key + 1 < limit) m[1] = to_float(from[(j * 8 + key + 1) * mask_key]);
#endif
                s[j * 4 + h * 2] = fmaf(s[j * 4 + h * 2], scale, m[0]);
                s[j * 4 + h * 2 + 1] = fmaf(s[j * 4 + h * 2 + 1], scale, m[1]);
            }
        }
#endif
        // Powers as the next product's operand; sums are of what is not rounded.
        float sum[2];
        u32 p[kBlocks][4];
        if (TRT_KEYS % 16) p[kBlocks - 1][2] = p[kBlocks - 1][3] = 0;
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            int last = TRT_CAUSAL ? min(limit, row0 + row + h * 8 + causal_offset + 1) : limit;
            float most = negative_infinity();
#pragma unroll
            for (int j = 0; j < TRT_KEYS / 8; j++)
            {
                if (TRT_CAUSAL || TRT_LENGTH == 0 || j * 8 + 8 > TRT_LENGTH)
                {
                    if (j * 8 + key >= last) s[j * 4 + h * 2] = negative_infinity();
                    if (j * 8 + key + 1 >= last) s[j * 4 + h * 2 + 1] = negative_infinity();
                }
                most = fmaxf(most, fmaxf(s[j * 4 + h * 2], s[j * 4 + h * 2 + 1]));
            }
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
            most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
            float shift = most == negative_infinity() ? 0.f : most * factor, add0 = 0.f, add1 = 0.f;
#pragma unroll
            for (int j = 0; j < TRT_KEYS / 8; j++)
            {
                float a = exp2_fast(fmaf(s[j * 4 + h * 2], factor, -shift)), b = exp2_fast(fmaf(s[j * 4 + h * 2 + 1], factor, -shift));
                p[j / 2][(j & 1) * 2 + h] = Pair<Element>::pack(a, b);
                add0 += a;
                add1 += b;
            }
            sum[h] = add0 + add1;
        }

        float o[TRT_HEAD / 2];
#pragma unroll
        for (int j = 0; j < TRT_HEAD / 2; j++) o[j] = 0.f;
        u64 dv = tile_descriptor<128>(v, kValuePanel);
        wgmma_fence();
#pragma unroll
        for (int j = 0; j < kBlocks; j++) wgmma_values(o, p[j], dv + j * (16 * 128 / 16));
        wgmma_commit();
        // Meanwhile: what rows sum up to, and the place of the result is free again.
#pragma unroll
        for (int h = 0; h < 2; h++)
        {
            sum[h] += __shfl_xor_sync(0xffffffffu, sum[h], 1);
            sum[h] += __shfl_xor_sync(0xffffffffu, sum[h], 2);
            sum[h] = TRT_GUARD && !(sum[h] > 0.f) ? 0.f : 1.f / sum[h];
        }
        if ((threadIdx.x & 127) == 0) tma_wait_read<0>();
        named_sync(1 + group, 128);
        wgmma_wait<0>();
#pragma unroll
        for (int j = 0; j < TRT_HEAD / 2; j++) hold(o[j]);
        if (lane == 0) barrier_arrive(empty + stage * 8);

#pragma unroll
        for (int j = 0; j < TRT_HEAD / 8; j++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
                store_shared(out + j / 8 * kTileBytes + panel_place(row + h * 8, j % 8 * 16 + (lane & 3) * 4), Pair<Element>::pack(o[j * 4 + h * 2] * sum[h], o[j * 4 + h * 2 + 1] * sum[h]));
        }
        fence_async_proxy();
        named_sync(1 + group, 128);
        if ((threadIdx.x & 127) == 0)
        {
#pragma unroll
            for (int n = 0; n < kPanels; n++) tma_store_4d(&map_y, out + n * kTileBytes, n * 64, row0, item.head, item.batch);
            tma_commit();
        }
    }
    if ((threadIdx.x & 127) == 0) tma_wait_read<0>();
}
