// grid 96, block 128, arguments Read a, Read s, Read z, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(128) trt_map(const float *__restrict__ x0, const float *__restrict__ x1, const signed char *__restrict__ x2, signed char *__restrict__ y3)
{
    const int p = (int)blockIdx.x * 128 + threadIdx.x;
    if (p >= 12288) return;
    const int i0 = p * 4;
    trt::Pack<float, 4> p1;
    p1.read(x0 + i0);
    float v2[4];
    const float v3 = trt::load(x1[0]);
    float v4[4];
    float v5[4];
    const int v6 = trt::load(x2[0]);
    const float v7 = (float)v6;
    float v8[4];
    int v9[4];
    trt::Pack<signed char, 4> p10;
#pragma unroll
    for (int l = 0; l < 4; l++) {
        v2[l] = trt::load(p1.items[l]);
        v4[l] = v2[l] / v3;
        v5[l] = rintf(v4[l]);
        v8[l] = v5[l] + v7;
        v9[l] = trt::saturate(v8[l], (-128.f), 127.f);
        trt::store(p10.items[l], v9[l]);
    }
    p10.write(y3 + i0);
}

