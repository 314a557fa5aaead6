// Convolution of few input channels (images: 1 to 4) on tensor cores, sm_80 and later; any strides in, channels last out.
// The input's patch lies in shared memory with pixels and channels interleaved, so that a filter row is one run of elements: what the instruction wants as pairs of k are words of that run.
// A block keeps the weights of its 64 (or fewer) output channels and walks over tiles of 16 × 16 output pixels; each warp has rows of 16 pixels.
//
// Text before this defines:
//   TRT_KERNEL, TRT_TYPE (tc::f16, tc::bf16: multiplied), TRT_OUT (stored: the same, or tc::s8), TRT_IN, TRT_W (stored types of image and weights)
//   TRT_CHANNELS, TRT_R, TRT_S, TRT_STRIDE_H, TRT_STRIDE_W, TRT_PAD_H, TRT_PAD_W, TRT_COLS (output channels of a block, a multiple of 16, at most 64)
//   TRT_PDL, TRT_VECTOR and the epilogue: see epilogue.cuh
#pragma once
#ifndef TRT_OUT
#define TRT_OUT TRT_TYPE
#endif
#include "async.cuh"
#include "epilogue.cuh"
#include "mma.cuh"

namespace tc {

typedef TRT_TYPE Element;
typedef TRT_OUT Out;
typedef Raw<8 * sizeof(Out)>::Word Piece;   // eight channels

// A window must begin at a whole word.
constexpr int kStepped = TRT_STRIDE_W * TRT_CHANNELS % 2 ? TRT_CHANNELS + 1 : TRT_CHANNELS;
constexpr int kRun = (TRT_S * kStepped + 1) / 2 * 2;
constexpr int kK = (TRT_R * kRun + 15) / 16 * 16;
constexpr int kSide = 16;
constexpr int kPatchH = (kSide - 1) * TRT_STRIDE_H + TRT_R;
constexpr int kPatchW = (kSide - 1) * TRT_STRIDE_W + TRT_S;
constexpr int kPatchRow = (kPatchW * kStepped + 1 + 1) / 2 * 2;      // elements; room for the padding of the last run
constexpr int kPatchBytes = (kPatchH * kPatchRow * 2 + 16 + 15) / 16 * 16;
constexpr int kWeightPitch = kK * 2 + 16 + (kK / 8 % 2 ? 16 : 0);    // an odd number of 16-byte pieces
constexpr int kWeightBytes = TRT_COLS * kWeightPitch;
constexpr int kOutPitch = TRT_COLS * (int)sizeof(Out) + 16;
constexpr int kStemThreads = 256;
constexpr int kPatchItems = kStepped * kPatchH * kPatchW, kAhead = (kPatchItems + kStemThreads - 1) / kStemThreads;
constexpr int kGroups8 = TRT_COLS / 8;

}

extern "C" __global__ void __launch_bounds__(256, sizeof(TRT_OUT) == 1 ? 1 : 2) TRT_KERNEL(
    const TRT_IN *x, long long x_n, long long x_c, long long x_h, long long x_w,
    const TRT_W *w, long long w_k, long long w_c, long long w_r, long long w_s,
    TRT_OUT *y, long long y_n, long long y_p, long long y_q,
    const void *op0, const void *op1, const void *op2, const void *op3,
    int images, int height, int width, int out_h, int out_w, int cols)
{
    using namespace tc;
    extern __shared__ __align__(16) unsigned char shared[];
    Element *weights = reinterpret_cast<Element *>(shared);
    Element *patch = reinterpret_cast<Element *>(shared + kWeightBytes);
    unsigned char *staged = shared + kWeightBytes + kPatchBytes;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int col0 = blockIdx.y * TRT_COLS;

#if TRT_PDL
    launch_dependents();
#endif
    // Weights as [column][filter row, run], zeros where the run is padded; they need no predecessor.
    for (int i = threadIdx.x; i < TRT_COLS * kK; i += kStemThreads)
    {
        int n = i / kK, k = i - n * kK;
        int r = k / kRun, j = k - r * kRun, s = j / kStepped, c = j - s * kStepped;
        bool real = r < TRT_R && s < TRT_S && c < TRT_CHANNELS && col0 + n < cols;
        float v = real ? to_float(w[(col0 + n) * w_k + c * w_c + r * w_r + s * w_s]) : 0.f;
        from_float(v, weights[n * (kWeightPitch / 2) + k]);
    }
    if (threadIdx.x < 8) patch[kPatchBytes / 2 - 8 + threadIdx.x].bits = 0;
#if TRT_PDL
    wait_for_predecessors();
#endif

    Epilogue epilogue{{op0, 0, 0, 0}, {op1, 0, 0, 0}, {op2, 0, 0, 0}, {op3, 0, 0, 0}, 0, 0, 0, cols, images * out_h * out_w};
    int tiles_w = (out_w + kSide - 1) / kSide, tiles_h = (out_h + kSide - 1) / kSide;
    int total = images * tiles_h * tiles_w;
    // A tile's patch goes through registers, so that the next one's loads run behind the products.
    float ahead[kAhead];
    auto fetch_patch = [&](int t)
    {
        int line = t / tiles_w, n = line / tiles_h;
        int ih0 = (line - n * tiles_h) * kSide * TRT_STRIDE_H - TRT_PAD_H, iw0 = (t - line * tiles_w) * kSide * TRT_STRIDE_W - TRT_PAD_W;
        const TRT_IN *image = x + n * x_n;
        // Opaque, or all items' places would be kept in registers from tile to tile.
        int thread = threadIdx.x;
        asm volatile("" : "+r"(thread));
#pragma unroll
        for (int i = 0; i < kAhead; i++)
        {
            int item = i * kStemThreads + thread;
            int row = item / kPatchW, col = item - row * kPatchW, c = row / kPatchH, r = row - c * kPatchH;
            int ih = ih0 + r, iw = iw0 + col;
            bool real = c < TRT_CHANNELS && ih >= 0 && ih < height && iw >= 0 && iw < width;
            ahead[i] = real ? to_float(image[c * x_c + ih * x_h + iw * x_w]) : 0.f;
        }
    };
    if (blockIdx.x < total) fetch_patch(blockIdx.x);
    for (int t = blockIdx.x; t < total; t += gridDim.x)
    {
        int line = t / tiles_w, q0 = (t - line * tiles_w) * kSide, n = line / tiles_h, p0 = (line - n * tiles_h) * kSide;
        int thread = threadIdx.x;
        asm volatile("" : "+r"(thread));
#pragma unroll
        for (int i = 0; i < kAhead; i++)
        {
            int item = i * kStemThreads + thread;
            int row = item / kPatchW, col = item - row * kPatchW, c = row / kPatchH, r = row - c * kPatchH;
            if (item < kPatchItems) from_float(ahead[i], patch[r * kPatchRow + col * kStepped + c]);
        }
        if (threadIdx.x < kPatchH)
        {
#pragma unroll
            for (int j = kPatchW * kStepped; j < kPatchRow; j++) patch[threadIdx.x * kPatchRow + j].bits = 0;
        }
        __syncthreads();
        if (t + gridDim.x < total) fetch_patch(t + gridDim.x);

        float sum[2][kGroups8][4];
#pragma unroll
        for (int m = 0; m < 2; m++)
        {
#pragma unroll
            for (int j = 0; j < kGroups8; j++) sum[m][j][0] = sum[m][j][1] = sum[m][j][2] = sum[m][j][3] = 0.f;
        }
        const Element *mine[2];
#pragma unroll
        for (int m = 0; m < 2; m++) mine[m] = patch + (warp * 2 + m) * TRT_STRIDE_H * kPatchRow + (lane >> 2) * TRT_STRIDE_W * kStepped + (lane & 3) * 2;
#pragma unroll
        for (int i = 0; i < kK / 16; i++)
        {
            u32 a[2][4];
#pragma unroll
            for (int m = 0; m < 2; m++)
            {
#pragma unroll
                for (int h = 0; h < 2; h++)
                {
                    // k = k0 + 2 · (lane & 3) lies in filter row r0, or in the next where the run ends between; behind the last row is nothing but zeros of the weights.
                    constexpr int step = 8 * TRT_STRIDE_W * kStepped;
                    int k0 = i * 16 + h * 8, r0 = k0 / kRun, rest = k0 - r0 * kRun, place = r0 * kPatchRow + rest;
                    if (rest + (lane & 3) * 2 >= kRun) { place += kPatchRow - kRun; r0++; }
                    if (k0 + 6 >= TRT_R * kRun && r0 >= TRT_R) place = 0;
                    a[m][h * 2] = *reinterpret_cast<const u32 *>(mine[m] + place);
                    a[m][h * 2 + 1] = *reinterpret_cast<const u32 *>(mine[m] + place + step);
                }
            }
#pragma unroll
            for (int j = 0; j < kGroups8; j += 2)
            {
                u32 b[4];
                ldmatrix_x4(b, shared_address(weights) + (j * 8 + (lane >> 4) * 8 + (lane & 7)) * kWeightPitch + i * 32 + ((lane >> 3) & 1) * 16);
#pragma unroll
                for (int m = 0; m < 2; m++)
                {
                    mma_16816<Element>(sum[m][j], a[m], b[0], b[1]);
                    mma_16816<Element>(sum[m][j + 1], a[m], b[2], b[3]);
                }
            }
        }

        // A warp's two rows of 16 pixels, by way of shared memory, to whole 16-byte pieces.
        u32 stage = shared_address(staged) + warp * 32 * kOutPitch;
#pragma unroll
        for (int m = 0; m < 2; m++)
        {
#pragma unroll
            for (int j = 0; j < kGroups8; j++)
            {
#pragma unroll
                for (int h = 0; h < 2; h++)
                {
                    float pair[2] = {sum[m][j][h * 2], sum[m][j][h * 2 + 1]}, f[2], r[2];
                    int pixel = (lane >> 2) + h * 8;
                    int row = (n * out_h + min(p0 + warp * 2 + m, out_h - 1)) * out_w + min(q0 + pixel, out_w - 1);
                    epilogue.apply<2, false>(pair, f, row, col0 + j * 8 + (lane & 3) * 2, r);
                    store_shared(stage + (m * 16 + pixel) * kOutPitch + (j * 8 + (lane & 3) * 2) * (int)sizeof(Out), Pair<Out>::pack(r[0], r[1]));
                }
            }
        }
        __syncwarp();
        for (int i = lane; i < 32 * kGroups8; i += 32)
        {
            int pixel = i / kGroups8, c = (i - pixel * kGroups8) * 8, p = p0 + warp * 2 + (pixel >> 4), q = q0 + (pixel & 15);
            if (p >= out_h || q >= out_w || col0 + c >= cols) continue;
            Out *to = y + n * y_n + p * y_p + q * y_q + col0 + c;
            const Piece *piece = reinterpret_cast<const Piece *>(staged + (warp * 32 + pixel) * kOutPitch + c * (int)sizeof(Out));
            if (TRT_VECTOR == 8) *reinterpret_cast<Piece *>(to) = *piece;
            else
            {
                const Out *e = reinterpret_cast<const Out *>(piece);
                for (int k = 0; k < 8; k++) if (col0 + c + k < cols) to[k] = e[k];
            }
        }
        __syncthreads();
    }
}
