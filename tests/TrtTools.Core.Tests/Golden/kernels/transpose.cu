// grid 128, block 256, arguments Read x, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_transpose(const trt::half *__restrict__ x0, trt::half *__restrict__ y1)
{
    __shared__ trt::half s0[64][66];
    const int b = blockIdx.x;
    const int q2 = b / 4;
    const int i1 = (b - q2 * 4);
    const int q4 = q2 / 4;
    const int i3 = (q2 - q4 * 4);
    const int i5 = q4;
    const int outer0 = i3 * 64, inner0 = i1 * 64;
#pragma unroll
    for (int t = threadIdx.x; t < 512; t += 256) {
        const int row = t / 8, column = t % 8 * 8;
        const int i = inner0 + row, o = outer0 + column;
        if (i < 196 && o < 256) {
            trt::Pack<trt::half, 8> p6;
            p6.read(x0 + i5 * 50176 + i * 256 + o);
#pragma unroll
            for (int l = 0; l < 8; l++) {
                s0[row][column + l] = p6.items[l];
            }
        }
    }
    __syncthreads();
#pragma unroll
    for (int t = threadIdx.x; t < 1024; t += 256) {
        const int row = t % 16 * 4, column = t / 16;
        const int i = inner0 + row, o = outer0 + column;
        if (i < 196 && o < 256) {
            float v7[4];
            trt::Pack<trt::half, 4> p8;
#pragma unroll
            for (int l = 0; l < 4; l++) {
                v7[l] = trt::load(s0[row + l][column]);
                trt::store(p8.items[l], v7[l]);
            }
            p8.write(y1 + i5 * 50176 + o * 196 + i);
        }
    }
}

