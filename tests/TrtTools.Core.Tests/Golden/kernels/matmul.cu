// grid 6, block 256, arguments Read a, Read b, Read c, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_contract(const float *__restrict__ x0, const float *__restrict__ x1, const float *__restrict__ x2, float *__restrict__ y3)
{
    __shared__ float a[16][64 + 4], b[16][64 + 4];
    const int block = blockIdx.x, rest = block / 3;
    const int column0 = (block - rest * 3) * 64, batch = rest / 2, row0 = (rest - batch * 2) * 64;
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    float sum[4][4] = {};
    float nextA[4], nextB[4];
    for (int k0 = 0; k0 < 256 + 16; k0 += 16) {
        if (k0 > 0) {
            __syncthreads();
#pragma unroll
            for (int s = 0; s < 4; s++) a[(threadIdx.x % 16)][(threadIdx.x / 16 + 16 * s)] = nextA[s];
#pragma unroll
            for (int s = 0; s < 4; s++) b[(threadIdx.x / 64 + 4 * s)][(threadIdx.x % 64)] = nextB[s];
            __syncthreads();
        }
        if (k0 < 256) {
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const int at = row0 + (threadIdx.x / 16 + 16 * s);
                const int k = k0 + (threadIdx.x % 16);
                float value = 0;
                if (at < 128 && k < 256) {
                    const int i0 = at;
                    const int i1 = k;
                    const float v2 = trt::load(x0[i0 * 256 + i1]);
                    value = v2;
                }
                nextA[s] = value;
            }
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const int at = column0 + (threadIdx.x % 64);
                const int k = k0 + (threadIdx.x / 64 + 4 * s);
                float value = 0;
                if (at < 192 && k < 256) {
                    const int i3 = at;
                    const int i4 = k;
                    const float v5 = trt::load(x1[i4 * 192 + i3]);
                    value = v5;
                }
                nextB[s] = value;
            }
        }
        if (k0 == 0) continue;
#pragma unroll
        for (int k = 0; k < 16; k++) {
            float u[4], w[4];
#pragma unroll
            for (int i = 0; i < 4; i++) u[i] = a[k][ty * 4 + i];
#pragma unroll
            for (int j = 0; j < 4; j++) w[j] = b[k][tx + 16 * j];
#pragma unroll
            for (int i = 0; i < 4; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) sum[i][j] += (float)u[i] * w[j];
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int row = row0 + ty * 4 + i;
        if (row >= 128) continue;
        const int i6 = row;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int column = column0 + tx + 16 * j;
            if (column >= 192) continue;
            const int i7 = column;
            const float v8 = trt::load(x2[i7]);
            const float v9 = sum[i][j] + v8;
            trt::store(y3[i6 * 192 + i7], v9);
        }
    }
}

