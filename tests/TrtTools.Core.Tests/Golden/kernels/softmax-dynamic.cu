// grid max(1,n), block 256, arguments Read x, Write y.maximum, Write y.sum, Write y, wide n, wide k
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_row(const trt::half *__restrict__ x0, float *__restrict__ y1, float *__restrict__ y2, trt::half *__restrict__ y3, trt::i64 n0, trt::i64 n1)
{
    if (n0 == 0) return;
    const trt::i64 o = blockIdx.x;
    const int t = threadIdx.x;
    const trt::i64 i0 = o;
    float sum1;
    sum1 = __int_as_float(0xff800000);
#pragma unroll 2
    for (trt::i64 r = t; r < n1; r += 256) {
        const trt::i64 i3 = r;
        const float v4 = trt::load(x0[(trt::i64)i0 * n1 + i3]);
        sum1 = trt::maximum(sum1, (float)v4);
    }
    float all2 = sum1;
    __shared__ float scratch5[8];
    all2 = trt::join_block<trt::Maximum, 256>(all2, scratch5);
    float s6;
    trt::store(s6, all2);
    if (t == 0) y1[i0] = s6;
    float sum7;
    sum7 = 0.f;
#pragma unroll 2
    for (trt::i64 r = t; r < n1; r += 256) {
        const trt::i64 i9 = r;
        const float v10 = trt::load(x0[(trt::i64)i0 * n1 + i9]);
        const float v11 = v10 - trt::load(s6);
        const float v12 = expf(v11);
        sum7 = sum7 + (float)v12;
    }
    float all8 = sum7;
    __shared__ float scratch13[8];
    all8 = trt::join_block<trt::Sum, 256>(all8, scratch13);
    float s14;
    trt::store(s14, all8);
    if (t == 0) y2[i0] = s14;
#pragma unroll 2
    for (trt::i64 r = t; r < n1; r += 256) {
        const trt::i64 i15 = r;
        const float v16 = trt::load(x0[(trt::i64)i0 * n1 + i15]);
        const float v17 = v16 - trt::load(s6);
        const float v18 = expf(v17);
        const float v19 = v18 / trt::load(s14);
        trt::store(y3[(trt::i64)i0 * n1 + i15], v19);
    }
}

