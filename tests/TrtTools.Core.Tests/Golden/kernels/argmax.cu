// grid 64, block 256, arguments Read x, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_reduce(const float *__restrict__ x0, trt::i64 *__restrict__ y1)
{
    __shared__ trt::Best<float, int> scratch[8];
    const int at = (int)blockIdx.x;
    const int o = at;
    const int t = threadIdx.x;
    const int i0 = o;
    trt::Best<float, int> total[4];
#pragma unroll
    for (int l = 0; l < 4; l++) {
        total[l] = trt::Best<float, int>{0.f, -1};
    }
#pragma unroll 4
    for (int r = t; r < 250; r += 256) {
        const int i1 = r * 4;
        trt::Pack<float, 4> p2;
        p2.read(x0 + i0 * 1000 + i1);
        float v3[4];
#pragma unroll
        for (int l = 0; l < 4; l++) {
            v3[l] = trt::load(p2.items[l]);
            trt::Extreme<false, false>::take(total[l], (float)v3[l], (int)(i1 + l));
        }
    }
    trt::Best<float, int> all = total[0];
    for (int l = 1; l < 4; l++) all = trt::Extreme<false, false>::join(all, total[l]);
    all = trt::join_block<trt::Extreme<false, false>, 256>(all, scratch);
    if (t == 0) {
        trt::store(y1[i0], (trt::i64)all.at);
    }
}

