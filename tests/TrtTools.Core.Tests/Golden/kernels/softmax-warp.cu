// grid 256, block 256, arguments Read x, Write y.maximum, Write y.sum, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_row(const trt::half *__restrict__ x0, float *__restrict__ y1, float *__restrict__ y2, trt::half *__restrict__ y3)
{
    trt::Pack<trt::half, 8> k4[2];
    float e11[2][8];
    const int at = (int)blockIdx.x * 32 + threadIdx.x / 8;
    const int o = at < 8192 ? at : 8192 - 1;
    const int t = threadIdx.x % 8;
    const bool own = at < 8192;
    const int i0 = o;
    float sum1[8];
#pragma unroll
    for (int l = 0; l < 8; l++) {
        sum1[l] = __int_as_float(0xff800000);
    }
#pragma unroll
    for (int c = 0; c < 2; c++) {
        const int r = t + c * 8;
        {
            const int i3 = r * 8;
            k4[c].read(x0 + i0 * 128 + i3);
#pragma unroll
            for (int l = 0; l < 8; l++) {
                sum1[l] = trt::maximum(sum1[l], (float)trt::load(k4[c].items[l]));
            }
        }
    }
    float all2 = sum1[0];
    for (int l = 1; l < 8; l++) all2 = trt::Maximum::join(all2, sum1[l]);
    all2 = trt::join_lanes<trt::Maximum, 8>(all2);
    float s5;
    trt::store(s5, all2);
    if (t == 0 && own) y1[i0] = s5;
    float sum6[8];
#pragma unroll
    for (int l = 0; l < 8; l++) {
        sum6[l] = 0.f;
    }
#pragma unroll
    for (int c = 0; c < 2; c++) {
        const int r = t + c * 8;
        {
            const int i8 = r * 8;
            float v9[8];
            float v10[8];
#pragma unroll
            for (int l = 0; l < 8; l++) {
                v9[l] = trt::load(k4[c].items[l]) - trt::load(s5);
                v10[l] = expf(v9[l]);
                sum6[l] = sum6[l] + (float)v10[l];
                e11[c][l] = v10[l];
            }
        }
    }
    float all7 = sum6[0];
    for (int l = 1; l < 8; l++) all7 = trt::Sum::join(all7, sum6[l]);
    all7 = trt::join_lanes<trt::Sum, 8>(all7);
    float s12;
    trt::store(s12, all7);
    if (t == 0 && own) y2[i0] = s12;
#pragma unroll
    for (int c = 0; c < 2; c++) {
        const int r = t + c * 8;
        {
            const int i13 = r * 8;
            float v14[8];
#pragma unroll
            for (int l = 0; l < 8; l++) {
                v14[l] = e11[c][l] / trt::load(s12);
            }
            if (own) {
                trt::Pack<trt::half, 8> p15;
#pragma unroll
                for (int l = 0; l < 8; l++) {
                    trt::store(p15.items[l], v14[l]);
                }
                p15.write(y3 + i0 * 128 + i13);
            }
        }
    }
}

