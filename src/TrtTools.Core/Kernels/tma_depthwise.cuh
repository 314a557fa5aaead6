// Depthwise convolution on Hopper, channels last: TMA brings a tile of the image with its halo to shared memory, zeros beyond the image, the next one while this one is computed.
// A thread has two neighbouring channels, their filters in registers, and TRT_TR × TRT_TW output pixels at a time.
//
// Text before this defines:
//   TRT_KERNEL, TRT_TYPE (tc::f16, tc::bf16: read), TRT_OUT (stored: the same, or tc::s8), TRT_W (stored type of weights), TRT_R, TRT_S, TRT_STRIDE_H, TRT_STRIDE_W, TRT_PAD_H, TRT_PAD_W, TRT_DILATION_H, TRT_DILATION_W
//   TRT_SLAB (channels of a block, a multiple of 8, at most 64), TRT_TP, TRT_TQ (output pixels of a tile), TRT_TR, TRT_TW, TRT_THREADS
//   TRT_PDL, TRT_VECTOR (8) and the epilogue, which reads nothing but vectors along the channels: see epilogue.cuh
#pragma once
#include "async.cuh"
#include "epilogue.cuh"

#ifndef TRT_OUT
#define TRT_OUT TRT_TYPE
#endif

namespace tc {

typedef TRT_TYPE Element;
typedef TRT_OUT Out;

constexpr int kLanes = TRT_SLAB / 2;
constexpr int kTogether = 32 / kLanes;                                      // pixels that a warp's threads work on at once
constexpr int kTileH = (TRT_TP - 1) * TRT_STRIDE_H + (TRT_R - 1) * TRT_DILATION_H + 1;
constexpr int kTileW = (TRT_TQ - 1) * TRT_STRIDE_W + (TRT_S - 1) * TRT_DILATION_W + 1;
constexpr int kPixel = TRT_SLAB * 2;
constexpr int kTileBytes = kTileH * kTileW * kPixel;
constexpr int kBuffer = (kTileBytes + 127) / 128 * 128;
constexpr int kUnitsW = (TRT_TQ + TRT_TW - 1) / TRT_TW, kUnits = (TRT_TP + TRT_TR - 1) / TRT_TR * kUnitsW;
constexpr int kUnitH = (TRT_TR - 1) * TRT_STRIDE_H + (TRT_R - 1) * TRT_DILATION_H + 1;
constexpr int kUnitW = (TRT_TW - 1) * TRT_STRIDE_W + (TRT_S - 1) * TRT_DILATION_W + 1;

static_assert(TRT_SLAB % 8 == 0 && TRT_SLAB <= 64 && kTileH <= 256 && kTileW <= 256, "tile");
static_assert(TRT_TP % TRT_TR == 0 && TRT_TQ % TRT_TW == 0, "units lie within the tile");

struct Tile
{
    int n, p, q;

    __device__ __forceinline__ Tile(int t, int tiles_h, int tiles_w)
    {
        int line = t / tiles_w;
        q = (t - line * tiles_w) * TRT_TQ;
        n = line / tiles_h;
        p = (line - n * tiles_h) * TRT_TP;
    }
};

}

extern "C" __global__ void __launch_bounds__(TRT_THREADS) TRT_KERNEL(
    const __grid_constant__ TensorMap map_x,
    const TRT_W *w, long long w_c, long long w_r, long long w_s,
    TRT_OUT *y, long long y_n, long long y_p, long long y_q,
    const void *op0, const void *op1, const void *op2, const void *op3,
    int images, int out_h, int out_w, int channels)
{
    using namespace tc;
    extern __shared__ unsigned char shared[];
    __shared__ __align__(8) u64 barriers[2];
    u32 base = (shared_address(shared) + 127) & ~127u, full = shared_address(barriers);
    const unsigned char *tiles = shared + (base - shared_address(shared));
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, part = lane / kLanes, c0 = blockIdx.y * TRT_SLAB, c = c0 + (lane - part * kLanes) * 2;

#if TRT_PDL
    launch_dependents();
#endif
    if (threadIdx.x == 0)
    {
        barrier_init(full, 1);
        barrier_init(full + 8, 1);
        fence_barrier_init();
    }
    bool mine = part < kTogether && c < channels;
    float weights[TRT_R * TRT_S][2];
#pragma unroll
    for (int r = 0; r < TRT_R; r++)
    {
#pragma unroll
        for (int s = 0; s < TRT_S; s++)
        {
#pragma unroll
            for (int e = 0; e < 2; e++) weights[r * TRT_S + s][e] = mine ? to_float(w[(c + e) * w_c + r * w_r + s * w_s]) : 0.f;
        }
    }
    float e0[2], e1[2], e2[2], e3[2];
    fetch<TRT_OP0_TYPE, TRT_OP0_KIND, 2>({op0, 0, 0, 0}, 0, 0, 0, c, channels, e0);
    fetch<TRT_OP1_TYPE, TRT_OP1_KIND, 2>({op1, 0, 0, 0}, 0, 0, 0, c, channels, e1);
    fetch<TRT_OP2_TYPE, TRT_OP2_KIND, 2>({op2, 0, 0, 0}, 0, 0, 0, c, channels, e2);
    fetch<TRT_OP3_TYPE, TRT_OP3_KIND, 2>({op3, 0, 0, 0}, 0, 0, 0, c, channels, e3);
    __syncthreads();
#if TRT_PDL
    wait_for_predecessors();
#endif
    int tiles_h = (out_h + TRT_TP - 1) / TRT_TP, tiles_w = (out_w + TRT_TQ - 1) / TRT_TQ, total = images * tiles_h * tiles_w;
    auto load = [&](int t, int buffer)
    {
        Tile tile(t, tiles_h, tiles_w);
        barrier_expect(full + buffer * 8, kTileBytes);
        tma_load_4d(base + buffer * kBuffer, &map_x, full + buffer * 8, c0, tile.q * TRT_STRIDE_W - TRT_PAD_W, tile.p * TRT_STRIDE_H - TRT_PAD_H, tile.n);
    };
    if (threadIdx.x == 0 && blockIdx.x < total) load(blockIdx.x, 0);
    int buffer = 0;
    u32 parity = 0;
#pragma unroll 1
    for (int t = blockIdx.x; t < total; t += gridDim.x)
    {
        // All have read the other buffer.
        __syncthreads();
        if (threadIdx.x == 0 && t + gridDim.x < total) load(t + gridDim.x, buffer ^ 1);
        barrier_wait(full + buffer * 8, parity);
        Tile tile(t, tiles_h, tiles_w);
#pragma unroll 1
        for (int unit = warp * kTogether + part; mine && unit < kUnits; unit += TRT_THREADS / 32 * kTogether)
        {
            int a0 = unit / kUnitsW * TRT_TR, b0 = unit % kUnitsW * TRT_TW, p0 = tile.p + a0, q0 = tile.q + b0;
            if (p0 >= out_h || q0 >= out_w) continue;
            const unsigned char *from = tiles + buffer * kBuffer + (a0 * TRT_STRIDE_H * kTileW + b0 * TRT_STRIDE_W) * kPixel + (c - c0) * 2;
            float sum[TRT_TR][TRT_TW][2];
#pragma unroll
            for (int a = 0; a < TRT_TR; a++)
            {
#pragma unroll
                for (int b = 0; b < TRT_TW; b++) sum[a][b][0] = sum[a][b][1] = 0.f;
            }
#pragma unroll
            for (int row = 0; row < kUnitH; row++)
            {
                // Rows of the image that no tap of these outputs meets are left out at compile time.
                bool met = false;
#pragma unroll
                for (int a = 0; a < TRT_TR; a++)
                {
                    int d = row - a * TRT_STRIDE_H;
                    if (d >= 0 && d % TRT_DILATION_H == 0 && d / TRT_DILATION_H < TRT_R) met = true;
                }
                if (!met) continue;
                float line[kUnitW][2];
#pragma unroll
                for (int i = 0; i < kUnitW; i++) Pair<Element>::unpack(*reinterpret_cast<const u32 *>(from + (row * kTileW + i) * kPixel), line[i][0], line[i][1]);
#pragma unroll
                for (int a = 0; a < TRT_TR; a++)
                {
                    int d = row - a * TRT_STRIDE_H;
                    if (d < 0 || d % TRT_DILATION_H != 0 || d / TRT_DILATION_H >= TRT_R) continue;
                    int r = d / TRT_DILATION_H;
#pragma unroll
                    for (int s = 0; s < TRT_S; s++)
                    {
#pragma unroll
                        for (int b = 0; b < TRT_TW; b++)
                        {
#pragma unroll
                            for (int e = 0; e < 2; e++) sum[a][b][e] = fmaf(line[b * TRT_STRIDE_W + s * TRT_DILATION_W][e], weights[r * TRT_S + s][e], sum[a][b][e]);
                        }
                    }
                }
            }
            Out *to = y + tile.n * y_n + p0 * y_p + q0 * y_q + c;
#pragma unroll
            for (int a = 0; a < TRT_TR; a++)
            {
                if (p0 + a >= out_h) break;
#pragma unroll
                for (int b = 0; b < TRT_TW; b++)
                {
                    if (q0 + b >= out_w) break;
                    float r[2];
#pragma unroll
                    for (int e = 0; e < 2; e++) r[e] = trt_epilogue(sum[a][b][e], e0[e], e1[e], e2[e], e3[e], 0, 0, c + e);
                    store_vector<Out, 2>(to + a * y_p + b * y_q, r);
                }
            }
        }
        buffer ^= 1;
        parity ^= buffer == 0;
    }
}
