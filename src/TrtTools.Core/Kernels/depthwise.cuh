// Depthwise convolution, channels last: a thread has 8 neighbouring channels (16 bytes) of TRT_TH × TRT_TW output pixels. Bytes decide, so it only has to read each row few times.
//
// Text before this defines:
//   TRT_KERNEL, TRT_TYPE (tc::f16, tc::bf16: read), TRT_OUT (stored: the same, or tc::s8), TRT_W (stored type of weights), TRT_R, TRT_S, TRT_STRIDE_H, TRT_STRIDE_W, TRT_PAD_H, TRT_PAD_W, TRT_DILATION_H, TRT_DILATION_W
//   TRT_TH, TRT_TW (pixels of a thread), TRT_LANES (threads along the channels), TRT_THREADS, TRT_PDL, TRT_VECTOR and the epilogue: see epilogue.cuh
#pragma once
#ifndef TRT_OUT
#define TRT_OUT TRT_TYPE
#endif
#include "async.cuh"
#include "epilogue.cuh"

namespace tc {

typedef TRT_TYPE Element;

constexpr int kTaps = TRT_R * TRT_S;
constexpr int kStrips = TRT_THREADS / TRT_LANES;
constexpr int kSpan = (TRT_TW - 1) * TRT_STRIDE_W + (TRT_S - 1) * TRT_DILATION_W + 1;

}

extern "C" __global__ void __launch_bounds__(TRT_THREADS) TRT_KERNEL(
    const TRT_TYPE *x, long long x_n, long long x_h, long long x_w,
    const TRT_W *w, long long w_c, long long w_r, long long w_s,
    TRT_OUT *y, long long y_n, long long y_p, long long y_q,
    const void *op0, long long op0_row, const void *op1, long long op1_row, const void *op2, long long op2_row, const void *op3, long long op3_row,
    int images, int height, int width, int out_h, int out_w, int channels)
{
    using namespace tc;
    // Weights as [tap][channel of this block] in single precision.
    __shared__ __align__(16) float weights[kTaps * TRT_LANES * 8];
    int lane = threadIdx.x % TRT_LANES, strip = threadIdx.x / TRT_LANES;
    int c0 = blockIdx.y * TRT_LANES * 8;
#if TRT_PDL
    launch_dependents();
#endif
    for (int i = threadIdx.x; i < kTaps * TRT_LANES * 8; i += TRT_THREADS)
    {
        int tap = i / (TRT_LANES * 8), c = i - tap * TRT_LANES * 8, r = tap / TRT_S, s = tap - r * TRT_S;
        weights[i] = c0 + c < channels ? to_float(w[(c0 + c) * w_c + r * w_r + s * w_s]) : 0.f;
    }
    __syncthreads();
#if TRT_PDL
    wait_for_predecessors();
#endif
    int c = c0 + lane * 8;
    if (c >= channels) return;
    Epilogue epilogue{{op0, 0, 0, op0_row}, {op1, 0, 0, op1_row}, {op2, 0, 0, op2_row}, {op3, 0, 0, op3_row}, 0, 0, 0, channels, images * out_h * out_w};
    int strips_w = (out_w + TRT_TW - 1) / TRT_TW, strips_h = (out_h + TRT_TH - 1) / TRT_TH;
    int total = images * strips_h * strips_w;
    for (int t = blockIdx.x * kStrips + strip; t < total; t += gridDim.x * kStrips)
    {
        int line = t / strips_w, q0 = (t - line * strips_w) * TRT_TW, n = line / strips_h, p0 = (line - n * strips_h) * TRT_TH;
        const Element *from = x + n * x_n + c;
        float sum[TRT_TH][TRT_TW][8];
#pragma unroll
        for (int a = 0; a < TRT_TH; a++)
        {
#pragma unroll
            for (int b = 0; b < TRT_TW; b++)
            {
#pragma unroll
                for (int e = 0; e < 8; e++) sum[a][b][e] = 0.f;
            }
        }
        int iw0 = q0 * TRT_STRIDE_W - TRT_PAD_W;
#pragma unroll
        for (int row = 0; row < (TRT_TH - 1) * TRT_STRIDE_H + (TRT_R - 1) * TRT_DILATION_H + 1; row++)
        {
            // Rows of the input that no tap of these outputs meets are left out at compile time.
            bool met = false;
#pragma unroll
            for (int a = 0; a < TRT_TH; a++)
            {
                int d = row - a * TRT_STRIDE_H;
                if (d >= 0 && d % TRT_DILATION_H == 0 && d / TRT_DILATION_H < TRT_R) met = true;
            }
            if (!met) continue;
            int ih = p0 * TRT_STRIDE_H - TRT_PAD_H + row;
            uint4 line4[kSpan];
#pragma unroll
            for (int i = 0; i < kSpan; i++)
            {
                int iw = iw0 + i;
                line4[i] = make_uint4(0, 0, 0, 0);
                if (ih >= 0 && ih < height && iw >= 0 && iw < width) line4[i] = *reinterpret_cast<const uint4 *>(from + ih * x_h + iw * x_w);
            }
#pragma unroll
            for (int a = 0; a < TRT_TH; a++)
            {
                int d = row - a * TRT_STRIDE_H;
                if (d < 0 || d % TRT_DILATION_H != 0 || d / TRT_DILATION_H >= TRT_R) continue;
                int r = d / TRT_DILATION_H;
#pragma unroll
                for (int s = 0; s < TRT_S; s++)
                {
                    const float4 *wp = reinterpret_cast<const float4 *>(weights + (r * TRT_S + s) * TRT_LANES * 8 + lane * 8);
                    float4 wa = wp[0], wb = wp[1];
                    float wv[8] = {wa.x, wa.y, wa.z, wa.w, wb.x, wb.y, wb.z, wb.w};
#pragma unroll
                    for (int b = 0; b < TRT_TW; b++)
                    {
                        uint4 v = line4[b * TRT_STRIDE_W + s * TRT_DILATION_W];
                        float f[8];
                        Pair<Element>::unpack(v.x, f[0], f[1]);
                        Pair<Element>::unpack(v.y, f[2], f[3]);
                        Pair<Element>::unpack(v.z, f[4], f[5]);
                        Pair<Element>::unpack(v.w, f[6], f[7]);
#pragma unroll
                        for (int e = 0; e < 8; e++) sum[a][b][e] = fmaf(f[e], wv[e], sum[a][b][e]);
                    }
                }
            }
        }
#pragma unroll
        for (int a = 0; a < TRT_TH; a++)
        {
#pragma unroll
            for (int b = 0; b < TRT_TW; b++)
            {
                int p = p0 + a, q = q0 + b;
                if (p >= out_h || q >= out_w) continue;
                float f[8], r[8];
                epilogue.apply<8, false>(sum[a][b], f, (n * out_h + p) * out_w + q, c, r);
                put<TRT_OUT, 8>(y + n * y_n + p * y_p + q * y_q, c, channels, r);
            }
        }
    }
}
