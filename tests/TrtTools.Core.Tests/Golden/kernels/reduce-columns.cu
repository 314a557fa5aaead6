// grid 128, block 256, arguments Read x, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_reduce(const trt::half *__restrict__ x0, trt::half *__restrict__ y1)
{
    __shared__ float scratch[15][2][16];
    const int column = threadIdx.x % 16, row = threadIdx.x / 16;
    const int p = (int)blockIdx.x * 16 + column;
    const int i0 = p * 2;
    float total[2];
#pragma unroll
    for (int l = 0; l < 2; l++) {
        total[l] = __int_as_float(0xff800000);
    }
    if (p < 2048) {
#pragma unroll 4
        for (int r1 = row; r1 < 64; r1 += 16) {
            trt::Pack<trt::half, 2> p2;
            p2.read(x0 + r1 * 4096 + i0);
            float v3[2];
#pragma unroll
            for (int l = 0; l < 2; l++) {
                v3[l] = trt::load(p2.items[l]);
                total[l] = trt::maximum(total[l], (float)v3[l]);
            }
        }
    }
    if (row > 0) {
        scratch[row - 1][0][column] = total[0];
        scratch[row - 1][1][column] = total[1];
    }
    __syncthreads();
    if (row > 0 || p >= 2048) return;
#pragma unroll
    for (int s = 0; s < 15; s++) {
#pragma unroll
        for (int l = 0; l < 2; l++) {
            total[l] = trt::Maximum::join(total[l], scratch[s][l][column]);
        }
    }
    trt::Pack<trt::half, 2> p4;
#pragma unroll
    for (int l = 0; l < 2; l++) {
        trt::store(p4.items[l], total[l]);
    }
    p4.write(y1 + i0);
}

