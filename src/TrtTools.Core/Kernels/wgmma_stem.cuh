// Convolution of few input channels (1 to 4) with strides 2, 2 on Hopper; any strides in, channels last out.
// The input's rows lie in shared memory as pixels of four 16-bit channels. One output pixel further is 16 bytes further, which is what the rows of an unswizzled operand of wgmma are apart: windows overlap in
// memory and nothing is unfolded. A warpgroup fetches and narrows the next tile's rows while two others multiply; results leave through shared memory as 16-byte pieces.
//
// Text before this defines:
//   TRT_KERNEL, TRT_TYPE (tc::f16, tc::bf16: multiplied) with TRT_TYPE_KIND (0, 1), TRT_OUT (stored: the same, or tc::s8), TRT_IN, TRT_W (stored types of image and weights)
//   TRT_CHANNELS, TRT_FILTER_H, TRT_FILTER_W, TRT_PAD_H, TRT_PAD_W, TRT_COLS (output channels of a block, a multiple of 8, at most 64), TRT_TH, TRT_WT (a tile: output rows, 64-pixel parts of a row)
//   TRT_QUADS 1: four pixels of a channel lie side by side and aligned, the image's width is a multiple of them
//   TRT_PDL, TRT_VECTOR and the epilogue, which reads nothing but vectors along the channels: see epilogue.cuh
#pragma once
#include "async.cuh"
#include "epilogue.cuh"

#ifndef TRT_OUT
#define TRT_OUT TRT_TYPE
#endif
#define TRT_WGMMA_N TRT_COLS
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
typedef TRT_OUT Out;
typedef Raw<8 * sizeof(Out)>::Word Piece;   // eight channels

constexpr int kMathThreads = 256, kFeedThreads = 128, kStemThreads = kMathThreads + kFeedThreads;
constexpr int kRowSteps = (TRT_FILTER_W + 3) / 4;                           // of 4 pixels by 4 channels
constexpr int kRows = (TRT_TH - 1) * 2 + TRT_FILTER_H;
constexpr int kPixels = (TRT_WT * 64 - 1) * 2 + kRowSteps * 4;
constexpr int kPitch = kPixels * 8;
constexpr int kPatchBytes = kRows * kPitch;
constexpr int kStepBytes = TRT_COLS * 32;
constexpr int kWeightBytes = TRT_FILTER_H * kRowSteps * kStepBytes;
constexpr int kOutPitch = TRT_COLS * (int)sizeof(Out) + 16;
constexpr int kStageBytes = 16 * kOutPitch;                          // of a warp
constexpr int kGroups8 = TRT_COLS / 8;
constexpr int kBatch = 8, kQuadBatch = 2;                             // pixels and groups of four that a feeding thread has under way
constexpr int kShift = -TRT_PAD_W & 3;                               // of a row's first pixel behind a multiple of four
constexpr int kQuads = (kShift + kPixels + 3) / 4;

static __device__ __forceinline__ void store_shared(u32 address, u32 a, u32 b) { asm volatile("st.shared.v2.b32 [%0], {%1, %2};" ::"r"(address), "r"(a), "r"(b) : "memory"); }

static_assert(TRT_TH * TRT_WT >= 2, "both groups have a part of each tile");
static_assert(TRT_COLS % 8 == 0 && TRT_COLS <= 64 && kPitch % 16 == 0, "tile");

// Rows of 16 bytes, 8 of them together; the next 8 elements of k and the next 8 rows at the given distances.
static __device__ __forceinline__ u64 plain_descriptor(u32 address, u32 along_k, u32 along_rows)
{
    return ((u64)(along_rows >> 4) << 32) | ((u64)(along_k >> 4) << 16) | (u64)((address & 0x3ffff) >> 4);
}

struct Tile
{
    int n, p, q;

    __device__ __forceinline__ Tile(int t, int tiles_h, int tiles_w)
    {
        int line = t / tiles_w;
        q = (t - line * tiles_w) * (TRT_WT * 64);
        n = line / tiles_h;
        p = (line - n * tiles_h) * TRT_TH;
    }
};

}

extern "C" __global__ void __launch_bounds__(384, 2) TRT_KERNEL(
    const TRT_IN *x, long long x_n, long long x_c, long long x_h, long long x_w,
    const TRT_W *w, long long w_k, long long w_c, long long w_r, long long w_s,
    TRT_OUT *y, long long y_n, long long y_p, long long y_q,
    const void *op0, const void *op1, const void *op2, const void *op3,
    int images, int height, int width, int out_h, int out_w, int cols)
{
    using namespace tc;
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ __align__(8) u64 barriers[4];
    unsigned char *staged = shared + kWeightBytes + 2 * kPatchBytes;
    u32 weights = shared_address(shared), patches = weights + kWeightBytes, full = shared_address(barriers), empty = full + 16;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int col0 = blockIdx.y * TRT_COLS;

#if TRT_PDL
    launch_dependents();
#endif
    if (threadIdx.x == 0)
    {
        for (int i = 0; i < 2; i++)
        {
            barrier_init(full + i * 8, kFeedThreads / 32);
            barrier_init(empty + i * 8, kMathThreads / 32);
        }
        fence_barrier_init();
    }
    // Weights as [step][8 columns][8 of k][column] of 16-byte pieces, zeros where a step is padded; they need no predecessor.
    for (int i = threadIdx.x; i < kWeightBytes / 2; i += kStemThreads)
    {
        int step = i / (TRT_COLS * 16), rest = i - step * (TRT_COLS * 16), group = rest >> 7, e = rest & 7, n = group * 8 + ((rest >> 3) & 7), half = (rest >> 6) & 1;
        int r = step / kRowSteps, s = (step - r * kRowSteps) * 4 + half * 2 + (e >> 2), c = e & 3;
        bool real = s < TRT_FILTER_W && c < TRT_CHANNELS && col0 + n < cols;
        Element v;
        from_float(real ? to_float(w[(col0 + n) * w_k + c * w_c + r * w_r + s * w_s]) : 0.f, v);
        reinterpret_cast<Element *>(shared)[i] = v;
    }
    fence_async_proxy();
    __syncthreads();
#if TRT_PDL
    wait_for_predecessors();
#endif
    int tiles_h = (out_h + TRT_TH - 1) / TRT_TH, tiles_w = (out_w + TRT_WT * 64 - 1) / (TRT_WT * 64), total = images * tiles_h * tiles_w;
    int buffer = 0;
    u32 parity = 0;

    if (warp >= kMathThreads / 32)
    {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 64;");
#pragma unroll 1
        for (int t = blockIdx.x; t < total; t += gridDim.x)
        {
            Tile tile(t, tiles_h, tiles_w);
            // All pixels that a window of this tile's meets, padded ones too: nothing else may be multiplied by zeros.
            int pixels = min(TRT_WT * 64, out_w - tile.q) * 2 - 2 + kRowSteps * 4, ih0 = tile.p * 2 - TRT_PAD_H, iw0 = tile.q * 2 - TRT_PAD_W;
            const TRT_IN *from = x + tile.n * x_n;
            barrier_wait(empty + buffer * 8, parity ^ 1);
#if TRT_QUADS
            // Four pixels of a channel at once; where they begin in the tile's row is known.
#pragma unroll 1
            for (int first = threadIdx.x - kMathThreads; first < kRows * kQuads; first += kQuadBatch * kFeedThreads)
            {
                union Quad { Raw<4 * sizeof(TRT_IN)>::Word word; TRT_IN items[4]; } held[kQuadBatch][TRT_CHANNELS];
                bool real[kQuadBatch];
#pragma unroll
                for (int i = 0; i < kQuadBatch; i++)
                {
                    int item = first + i * kFeedThreads, row = item / kQuads, iw = iw0 - kShift + (item - row * kQuads) * 4, ih = ih0 + row;
                    real[i] = row < kRows && ih >= 0 && ih < height && iw >= 0 && iw < width;
                    const TRT_IN *line = from + ih * x_h + iw;
#pragma unroll
                    for (int c = 0; c < TRT_CHANNELS; c++) if (real[i]) held[i][c].word = *reinterpret_cast<const Raw<4 * sizeof(TRT_IN)>::Word *>(line + c * x_c);
                }
#pragma unroll
                for (int i = 0; i < kQuadBatch; i++)
                {
                    int item = first + i * kFeedThreads, row = item / kQuads, px = (item - row * kQuads) * 4 - kShift;
                    u32 to = patches + buffer * kPatchBytes + row * kPitch + px * 8;
#pragma unroll
                    for (int e = 0; e < 4; e++)
                    {
                        float f[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
                        for (int c = 0; c < TRT_CHANNELS; c++) if (real[i]) f[c] = to_float(held[i][c].items[e]);
                        if (row < kRows && px + e >= 0 && px + e < pixels) store_shared(to + e * 8, Pair<Element>::pack(f[0], f[1]), Pair<Element>::pack(f[2], f[3]));
                    }
                }
            }
#else
#pragma unroll 1
            for (int row = warp - kMathThreads / 32; row < kRows; row += kFeedThreads / 32)
            {
                int ih = ih0 + row;
                bool inside = ih >= 0 && ih < height;
                const TRT_IN *line = from + ih * x_h;
                u32 to = patches + buffer * kPatchBytes + row * kPitch;
#pragma unroll 1
                for (int first = lane; first < pixels; first += kBatch * 32)
                {
                    TRT_IN held[kBatch][TRT_CHANNELS];
                    bool real[kBatch];
#pragma unroll
                    for (int i = 0; i < kBatch; i++)
                    {
                        int iw = iw0 + first + i * 32;
                        real[i] = inside && iw >= 0 && iw < width && first + i * 32 < pixels;
#pragma unroll
                        for (int c = 0; c < TRT_CHANNELS; c++) if (real[i]) held[i][c] = line[iw * x_w + c * x_c];
                    }
#pragma unroll
                    for (int i = 0; i < kBatch; i++)
                    {
                        float f[4] = {0.f, 0.f, 0.f, 0.f};
#pragma unroll
                        for (int c = 0; c < TRT_CHANNELS; c++) if (real[i]) f[c] = to_float(held[i][c]);
                        if (first + i * 32 < pixels)
                            store_shared(to + (first + i * 32) * 8, Pair<Element>::pack(f[0], f[1]), Pair<Element>::pack(f[2], f[3]));
                    }
                }
            }
#endif
            fence_async_proxy();
            __syncwarp();
            if (lane == 0) barrier_arrive(full + buffer * 8);
            buffer ^= 1;
            parity ^= buffer == 0;
        }
        return;
    }

    asm volatile("setmaxnreg.inc.sync.aligned.u32 88;");
    // What the epilogue reads of this thread's columns.
    Epilogue epilogue{{op0, 0, 0, 0}, {op1, 0, 0, 0}, {op2, 0, 0, 0}, {op3, 0, 0, 0}, 0, 0, 0, cols, 0};
    float e0[kGroups8][2], e1[kGroups8][2], e2[kGroups8][2], e3[kGroups8][2];
#pragma unroll
    for (int j = 0; j < kGroups8; j++)
    {
        int col = col0 + j * 8 + (lane & 3) * 2;
        fetch<TRT_OP0_TYPE, TRT_OP0_KIND, 2>(epilogue.op0, 0, 0, 0, col, cols, e0[j]);
        fetch<TRT_OP1_TYPE, TRT_OP1_KIND, 2>(epilogue.op1, 0, 0, 0, col, cols, e1[j]);
        fetch<TRT_OP2_TYPE, TRT_OP2_KIND, 2>(epilogue.op2, 0, 0, 0, col, cols, e2[j]);
        fetch<TRT_OP3_TYPE, TRT_OP3_KIND, 2>(epilogue.op3, 0, 0, 0, col, cols, e3[j]);
    }
    u64 dw = plain_descriptor(weights, 128, 256);
    unsigned char *mine = staged + warp * kStageBytes;
    int group = warp >> 2;
#pragma unroll 1
    for (int t = blockIdx.x; t < total; t += gridDim.x)
    {
        Tile tile(t, tiles_h, tiles_w);
        u64 dx = plain_descriptor(patches + buffer * kPatchBytes, 16, 128);
        barrier_wait(full + buffer * 8, parity);
#pragma unroll 1
        for (int unit = group; unit < TRT_TH * TRT_WT; unit += 2)
        {
            int a = unit / TRT_WT, b = unit - a * TRT_WT, p = tile.p + a, q0 = tile.q + b * 64;
            bool last = unit + 2 >= TRT_TH * TRT_WT;
            float sum[TRT_COLS / 2];
            if (p < out_h && q0 < out_w)
            {
#pragma unroll
                for (int j = 0; j < TRT_COLS / 2; j++) sum[j] = 0.f;
                u64 from = dx + a * (2 * kPitch / 16) + b * 64;
                wgmma_fence();
#pragma unroll
                for (int r = 0; r < TRT_FILTER_H; r++)
                {
#pragma unroll
                    for (int s = 0; s < kRowSteps; s++) wgmma(sum, from + r * (kPitch / 16) + s * 2, dw + (r * kRowSteps + s) * (kStepBytes / 16));
                }
                wgmma_commit();
                wgmma_wait<0>();
#pragma unroll
                for (int j = 0; j < TRT_COLS / 2; j++) hold(sum[j]);
            }
            if (last && lane == 0) barrier_arrive(empty + buffer * 8);
            if (p >= out_h || q0 >= out_w) continue;
            // A warp's 16 pixels, by way of shared memory, to whole 16-byte pieces.
            u32 stage = shared_address(mine);
#pragma unroll
            for (int j = 0; j < kGroups8; j++)
            {
#pragma unroll
                for (int h = 0; h < 2; h++)
                {
                    float r[2];
#pragma unroll
                    for (int e = 0; e < 2; e++) r[e] = trt_epilogue(sum[j * 4 + h * 2 + e], e0[j][e], e1[j][e], e2[j][e], e3[j][e], 0, 0, col0 + j * 8 + (lane & 3) * 2 + e);
                    store_shared(stage + ((lane >> 2) + h * 8) * kOutPitch + (j * 8 + (lane & 3) * 2) * (int)sizeof(Out), Pair<Out>::pack(r[0], r[1]));
                }
            }
            __syncwarp();
            Out *to = y + tile.n * y_n + p * y_p;
#pragma unroll
            for (int i = lane; i < 16 * kGroups8; i += 32)
            {
                int pixel = i / kGroups8, c = (i - pixel * kGroups8) * 8, q = q0 + (warp & 3) * 16 + pixel;
                if (q >= out_w || col0 + c >= cols) continue;
                Out *at = to + q * y_q + col0 + c;
                const Piece *piece = reinterpret_cast<const Piece *>(mine + pixel * kOutPitch + c * (int)sizeof(Out));
                if (TRT_VECTOR == 8) *reinterpret_cast<Piece *>(at) = *piece;
                else
                {
                    const Out *e = reinterpret_cast<const Out *>(piece);
                    for (int k = 0; k < 8; k++) if (col0 + c + k < cols) at[k] = e[k];
                }
            }
            __syncwarp();
        }
        buffer ^= 1;
        parity ^= buffer == 0;
    }
}
