// grid 4096, block 64, arguments Read x, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(64) trt_reduce(const float *__restrict__ x0, float *__restrict__ y1)
{
    __shared__ float scratch[2];
    const int at = (int)blockIdx.x;
    const int o = at;
    const int t = threadIdx.x;
    const int i0 = o;
    float total[4];
#pragma unroll
    for (int l = 0; l < 4; l++) {
        total[l] = 0.f;
    }
#pragma unroll 4
    for (int r = t; r < 256; r += 64) {
        const int i1 = r * 4;
        trt::Pack<float, 4> p2;
        p2.read(x0 + i0 * 1024 + i1);
        float v3[4];
#pragma unroll
        for (int l = 0; l < 4; l++) {
            v3[l] = trt::load(p2.items[l]);
            total[l] = total[l] + (float)v3[l];
        }
    }
    float all = total[0];
    for (int l = 1; l < 4; l++) all = trt::Sum::join(all, total[l]);
    all = trt::join_block<trt::Sum, 64>(all, scratch);
    if (t == 0) {
        trt::store(y1[i0], all);
    }
}

