// grid 25, block 256, arguments Read w, Read x, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_contract(const float *__restrict__ x0, const float *__restrict__ x1, float *__restrict__ y2)
{
    __shared__ float a[16][64 + 4], b[16][64 + 4];
    const int block = blockIdx.x, rest = block / 25;
    const int column0 = (block - rest * 25) * 64, batch = rest / 1, row0 = (rest - batch * 1) * 64;
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
    float sum[4][4] = {};
    float nextA[4], nextB[4];
    for (int k0 = 0; k0 < 288 + 16; k0 += 16) {
        if (k0 > 0) {
            __syncthreads();
#pragma unroll
            for (int s = 0; s < 4; s++) a[(threadIdx.x % 16)][(threadIdx.x / 16 + 16 * s)] = nextA[s];
#pragma unroll
            for (int s = 0; s < 4; s++) b[(threadIdx.x % 16)][(threadIdx.x / 16 + 16 * s)] = nextB[s];
            __syncthreads();
        }
        if (k0 < 288) {
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const int at = row0 + (threadIdx.x / 16 + 16 * s);
                const int k = k0 + (threadIdx.x % 16);
                float value = 0;
                if (at < 64 && k < 288) {
                    const int i0 = at;
                    const int q2 = k / 3;
                    const int i1 = (k - q2 * 3);
                    const int q4 = q2 / 3;
                    const int i3 = (q2 - q4 * 3);
                    const int i5 = q4;
                    const float v6 = trt::load(x0[i0 * 288 + i5 * 9 + i3 * 3 + i1]);
                    value = v6;
                }
                nextA[s] = value;
            }
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const int at = column0 + (threadIdx.x / 16 + 16 * s);
                const int k = k0 + (threadIdx.x % 16);
                float value = 0;
                if (at < 1568 && k < 288) {
                    const int q8 = at / 28;
                    const int i7 = (at - q8 * 28);
                    const int q10 = q8 / 28;
                    const int i9 = (q8 - q10 * 28);
                    const int i11 = q10;
                    const int q13 = k / 3;
                    const int i12 = (k - q13 * 3);
                    const int q15 = q13 / 3;
                    const int i14 = (q13 - q15 * 3);
                    const int i16 = q15;
                    const int v18 = i9 + i14;
                    const int v19 = v18 + (-1);
                    const bool v20 = v19 >= 0;
                    const bool v21 = v19 < 28;
                    const bool v22 = v20 & v21;
                    const int v23 = i7 + i12;
                    const int v24 = v23 + (-1);
                    const bool v25 = v24 >= 0;
                    const bool v26 = v22 & v25;
                    const bool v27 = v24 < 28;
                    const bool v28 = v26 & v27;
                    float v17;
                    if (v28) {
                        const float v29 = trt::load(x1[i11 * 25088 + i16 * 784 + i9 * 28 + i14 * 28 + i7 + i12 + (-29)]);
                        v17 = v29;
                    } else {
                        v17 = 0.f;
                    }
                    value = v17;
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
        if (row >= 64) continue;
        const int i30 = row;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int column = column0 + tx + 16 * j;
            if (column >= 1568) continue;
            const int q32 = column / 28;
            const int i31 = (column - q32 * 28);
            const int q34 = q32 / 28;
            const int i33 = (q32 - q34 * 28);
            const int i35 = q34;
            const bool v36 = sum[i][j] < 0.f;
            const float v37 = v36 ? 0.f : sum[i][j];
            trt::store(y2[i35 * 50176 + i30 * 784 + i33 * 28 + i31], v37);
        }
    }
}

