// grid 784, block 256, arguments Read a, Read b, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_map(const trt::half *__restrict__ x0, const trt::half *__restrict__ x1, trt::half *__restrict__ y2)
{
    const int p = (int)blockIdx.x * 256 + threadIdx.x;
    if (p >= 200704) return;
    trt::Pack<trt::half, 8> p0;
    p0.read(x0 + p * 8);
    trt::Pack<trt::half, 8> out;
#pragma unroll
    for (int l = 0; l < 8; l++) {
        const int place = p * 8 + l;
        const int q2 = place / 49;
        const int i1 = (place - q2 * 49);
        const int q4 = q2 / 512;
        const int i3 = (q2 - q4 * 512);
        const int i5 = q4;
        const float v6 = trt::load(x1[i3]);
        const float v7 = trt::load(p0.items[l]) * v6;
        trt::store(out.items[l], v7);
    }
    out.write(y2 + p * 8);
}

