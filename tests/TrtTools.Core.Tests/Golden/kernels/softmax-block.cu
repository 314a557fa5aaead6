// grid 64, block 1024, arguments Read x, Write y.maximum, Write y.sum, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(1024) trt_row(const float *__restrict__ x0, float *__restrict__ y1, float *__restrict__ y2, float *__restrict__ y3)
{
    trt::Pack<float, 4> k4[1];
    float e12[1][4];
    const int o = blockIdx.x;
    const int t = threadIdx.x;
    const int i0 = o;
    float sum1[4];
#pragma unroll
    for (int l = 0; l < 4; l++) {
        sum1[l] = __int_as_float(0xff800000);
    }
#pragma unroll
    for (int c = 0; c < 1; c++) {
        const int r = t + c * 1024;
        {
            const int i3 = r * 4;
            k4[c].read(x0 + i0 * 4096 + i3);
#pragma unroll
            for (int l = 0; l < 4; l++) {
                sum1[l] = trt::maximum(sum1[l], (float)trt::load(k4[c].items[l]));
            }
        }
    }
    float all2 = sum1[0];
    for (int l = 1; l < 4; l++) all2 = trt::Maximum::join(all2, sum1[l]);
    __shared__ float scratch5[32];
    all2 = trt::join_block<trt::Maximum, 1024>(all2, scratch5);
    float s6;
    trt::store(s6, all2);
    if (t == 0) y1[i0] = s6;
    float sum7[4];
#pragma unroll
    for (int l = 0; l < 4; l++) {
        sum7[l] = 0.f;
    }
#pragma unroll
    for (int c = 0; c < 1; c++) {
        const int r = t + c * 1024;
        {
            const int i9 = r * 4;
            float v10[4];
            float v11[4];
#pragma unroll
            for (int l = 0; l < 4; l++) {
                v10[l] = trt::load(k4[c].items[l]) - trt::load(s6);
                v11[l] = expf(v10[l]);
                sum7[l] = sum7[l] + (float)v11[l];
                e12[c][l] = v11[l];
            }
        }
    }
    float all8 = sum7[0];
    for (int l = 1; l < 4; l++) all8 = trt::Sum::join(all8, sum7[l]);
    __shared__ float scratch13[32];
    all8 = trt::join_block<trt::Sum, 1024>(all8, scratch13);
    float s14;
    trt::store(s14, all8);
    if (t == 0) y2[i0] = s14;
#pragma unroll
    for (int c = 0; c < 1; c++) {
        const int r = t + c * 1024;
        {
            const int i15 = r * 4;
            float v16[4];
#pragma unroll
            for (int l = 0; l < 4; l++) {
                v16[l] = e12[c][l] / trt::load(s14);
            }
            trt::Pack<float, 4> p17;
#pragma unroll
            for (int l = 0; l < 4; l++) {
                trt::store(p17.items[l], v16[l]);
            }
            p17.write(y3 + i0 * 4096 + i15);
        }
    }
}

