// grid 96, block 256, arguments Read a, Read b, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_map(const trt::half *__restrict__ x0, const trt::half *__restrict__ x1, trt::half *__restrict__ y2)
{
    const int p = (int)blockIdx.x * 256 + threadIdx.x;
    if (p >= 24576) return;
    const int q1 = p / 384;
    const int i0 = (p - q1 * 384) * 2;
    const int i2 = q1;
    trt::Pack<trt::half, 2> p3;
    p3.read(x0 + i2 * 768 + i0);
    float v4[2];
    trt::Pack<trt::half, 2> p5;
    p5.read(x1 + i0);
    float v6[2];
    float v7[2];
    bool v8[2];
    float v9[2];
    trt::Pack<trt::half, 2> p10;
#pragma unroll
    for (int l = 0; l < 2; l++) {
        v4[l] = trt::load(p3.items[l]);
        v6[l] = trt::load(p5.items[l]);
        v7[l] = v4[l] + v6[l];
        v8[l] = v7[l] < 0.f;
        v9[l] = v8[l] ? 0.f : v7[l];
        trt::store(p10.items[l], v9[l]);
    }
    p10.write(y2 + i2 * 768 + i0);
}

