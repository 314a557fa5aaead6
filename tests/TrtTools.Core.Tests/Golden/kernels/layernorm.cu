// grid 512, block 256, arguments Read x, Read r, Write y.mean, Write y.factor, Read s, Read b, Write y
#include "reduce.cuh"

extern "C" __global__ void __launch_bounds__(256) trt_row(const trt::half *__restrict__ x0, const trt::half *__restrict__ x1, float *__restrict__ y2, float *__restrict__ y3, const trt::half *__restrict__ x4, const trt::half *__restrict__ x5, trt::half *__restrict__ y6)
{
    trt::Pack<trt::half, 8> k4[3];
    trt::Pack<trt::half, 8> k5[3];
    const int at = (int)blockIdx.x * 8 + threadIdx.x / 32;
    const int o = at < 4096 ? at : 4096 - 1;
    const int t = threadIdx.x % 32;
    const bool own = at < 4096;
    const int i0 = o;
    float sum1[8];
#pragma unroll
    for (int l = 0; l < 8; l++) {
        sum1[l] = 0.f;
    }
#pragma unroll
    for (int c = 0; c < 3; c++) {
        const int r = t + c * 32;
        {
            const int i3 = r * 8;
            k4[c].read(x0 + i0 * 768 + i3);
            k5[c].read(x1 + i0 * 768 + i3);
            float v6[8];
#pragma unroll
            for (int l = 0; l < 8; l++) {
                v6[l] = trt::load(k4[c].items[l]) + trt::load(k5[c].items[l]);
                sum1[l] = sum1[l] + (float)v6[l];
            }
        }
    }
    float all2 = sum1[0];
    for (int l = 1; l < 8; l++) all2 = trt::Sum::join(all2, sum1[l]);
    all2 = trt::join_lanes<trt::Sum, 32>(all2);
    const float v7 = (float)768;
    const float v8 = all2 / v7;
    float s9;
    trt::store(s9, v8);
    if (t == 0 && own) y2[i0] = s9;
    float sum10[8];
#pragma unroll
    for (int l = 0; l < 8; l++) {
        sum10[l] = 0.f;
    }
#pragma unroll
    for (int c = 0; c < 3; c++) {
        const int r = t + c * 32;
        {
            const int i12 = r * 8;
            float v13[8];
            float v14[8];
            float v15[8];
#pragma unroll
            for (int l = 0; l < 8; l++) {
                v13[l] = trt::load(k4[c].items[l]) + trt::load(k5[c].items[l]);
                v14[l] = v13[l] - trt::load(s9);
                v15[l] = v14[l] * v14[l];
                sum10[l] = sum10[l] + (float)v15[l];
            }
        }
    }
    float all11 = sum10[0];
    for (int l = 1; l < 8; l++) all11 = trt::Sum::join(all11, sum10[l]);
    all11 = trt::join_lanes<trt::Sum, 32>(all11);
    const float v16 = (float)768;
    const float v17 = all11 / v16;
    const float v18 = v17 + 1e-05f;
    const float v19 = sqrtf(v18);
    const float v20 = 1.f / v19;
    float s21;
    trt::store(s21, v20);
    if (t == 0 && own) y3[i0] = s21;
#pragma unroll
    for (int c = 0; c < 3; c++) {
        const int r = t + c * 32;
        {
            const int i22 = r * 8;
            float v23[8];
            float v24[8];
            float v25[8];
            trt::Pack<trt::half, 8> p26;
            p26.read(x4 + i22);
            float v27[8];
            float v28[8];
            trt::Pack<trt::half, 8> p29;
            p29.read(x5 + i22);
            float v30[8];
            float v31[8];
#pragma unroll
            for (int l = 0; l < 8; l++) {
                v23[l] = trt::load(k4[c].items[l]) + trt::load(k5[c].items[l]);
                v24[l] = v23[l] - trt::load(s9);
                v25[l] = v24[l] * trt::load(s21);
                v27[l] = trt::load(p26.items[l]);
                v28[l] = v25[l] * v27[l];
                v30[l] = trt::load(p29.items[l]);
                v31[l] = v28[l] + v30[l];
            }
            if (own) {
                trt::Pack<trt::half, 8> p32;
#pragma unroll
                for (int l = 0; l < 8; l++) {
                    trt::store(p32.items[l], v31[l]);
                }
                p32.write(y6 + i0 * 768 + i22);
            }
        }
    }
}

