// What becomes of a sum before it is stored. The text before this defines
//   float trt_epilogue(float acc (int where integers are multiplied), float e0, float e1, float e2, float e3, int batch, int row, int col)
// and, for each tensor that it reads, TRT_OPi_TYPE and TRT_OPi_KIND. TRT_VECTOR neighbours along the columns (8, 4, 2, 1) may be accessed at once.
#pragma once
#include "types.cuh"

namespace tc {

enum OperandKind { OperandNone, OperandFull, OperandColumn, OperandRow, OperandScalar };

// A tensor that the epilogue reads; strides in elements.
struct Operand
{
    const void *data;
    long long batch0, batch1, row;
};

}

#ifndef TRT_OP0_KIND
#define TRT_OP0_KIND tc::OperandNone
#define TRT_OP0_TYPE float
#endif
#ifndef TRT_OP1_KIND
#define TRT_OP1_KIND tc::OperandNone
#define TRT_OP1_TYPE float
#endif
#ifndef TRT_OP2_KIND
#define TRT_OP2_KIND tc::OperandNone
#define TRT_OP2_TYPE float
#endif
#ifndef TRT_OP3_KIND
#define TRT_OP3_KIND tc::OperandNone
#define TRT_OP3_TYPE float
#endif

namespace tc {

// V neighbours of a row from column col on; those at cols and beyond are not read.
template <typename T, int Kind, int V> static __device__ __forceinline__ void fetch(const Operand &op, int batch0, int batch1, int row, int col, int cols, float (&to)[V])
{
    if constexpr (Kind == OperandNone)
    {
#pragma unroll
        for (int i = 0; i < V; i++) to[i] = 0.f;
    }
    else if constexpr (Kind == OperandScalar || Kind == OperandRow)
    {
        const T *p = (const T *)op.data + batch0 * op.batch0 + batch1 * op.batch1;
        float v = to_float(Kind == OperandRow ? p[row * op.row] : p[0]);
#pragma unroll
        for (int i = 0; i < V; i++) to[i] = v;
    }
    else
    {
        const T *p = (const T *)op.data + batch0 * op.batch0 + batch1 * op.batch1 + col;
        if constexpr (Kind == OperandFull) p += row * op.row;
        if constexpr (V > 1 && TRT_VECTOR % V == 0)
        {
            if (col < cols) load_vector<T, V>(p, to);
            else
            {
#pragma unroll
                for (int i = 0; i < V; i++) to[i] = 0.f;
            }
        }
        else
        {
#pragma unroll
            for (int i = 0; i < V; i++) to[i] = col + i < cols ? to_float(p[i]) : 0.f;
        }
    }
}

// A load that is waited for by nobody: the line is at hand when it is needed.
static __device__ __forceinline__ void touch(const void *p) { u32 v; asm volatile("ld.global.u8 %0, [%1];" : "=r"(v) : "l"(p)); }

template <typename T, int Kind, int Wanted> static __device__ __forceinline__ void touch(const Operand &op, int batch0, int batch1, int row, int col)
{
    if constexpr (Kind == Wanted)
    {
        const T *p = (const T *)op.data + batch0 * op.batch0 + batch1 * op.batch1 + col;
        if constexpr (Kind == OperandFull) p += row * op.row;
        touch(p);
    }
}

struct Epilogue
{
    static constexpr bool kReadsFull = TRT_OP0_KIND == OperandFull || TRT_OP1_KIND == OperandFull || TRT_OP2_KIND == OperandFull || TRT_OP3_KIND == OperandFull;

    Operand op0, op1, op2, op3;
    int batch0, batch1, batch, cols, rows;

    __device__ __forceinline__ void warm_full(int row, int col) const
    {
        touch<TRT_OP0_TYPE, TRT_OP0_KIND, OperandFull>(op0, batch0, batch1, row, col);
        touch<TRT_OP1_TYPE, TRT_OP1_KIND, OperandFull>(op1, batch0, batch1, row, col);
        touch<TRT_OP2_TYPE, TRT_OP2_KIND, OperandFull>(op2, batch0, batch1, row, col);
        touch<TRT_OP3_TYPE, TRT_OP3_KIND, OperandFull>(op3, batch0, batch1, row, col);
    }

    __device__ __forceinline__ void warm_column(int col) const
    {
        touch<TRT_OP0_TYPE, TRT_OP0_KIND, OperandColumn>(op0, batch0, batch1, 0, col);
        touch<TRT_OP1_TYPE, TRT_OP1_KIND, OperandColumn>(op1, batch0, batch1, 0, col);
        touch<TRT_OP2_TYPE, TRT_OP2_KIND, OperandColumn>(op2, batch0, batch1, 0, col);
        touch<TRT_OP3_TYPE, TRT_OP3_KIND, OperandColumn>(op3, batch0, batch1, 0, col);
    }

    // V sums of neighbouring columns become V results. WithFirst: operand 0 is given.
    template <int V, bool WithFirst, typename Sum> __device__ __forceinline__ void apply(const Sum (&sum)[V], float (&first)[V], int row, int col, float (&to)[V]) const
    {
        float e1[V], e2[V], e3[V];
        if constexpr (!WithFirst) fetch<TRT_OP0_TYPE, TRT_OP0_KIND, V>(op0, batch0, batch1, row, col, cols, first);
        fetch<TRT_OP1_TYPE, TRT_OP1_KIND, V>(op1, batch0, batch1, row, col, cols, e1);
        fetch<TRT_OP2_TYPE, TRT_OP2_KIND, V>(op2, batch0, batch1, row, col, cols, e2);
        fetch<TRT_OP3_TYPE, TRT_OP3_KIND, V>(op3, batch0, batch1, row, col, cols, e3);
#pragma unroll
        for (int i = 0; i < V; i++) to[i] = trt_epilogue(sum[i], first[i], e1[i], e2[i], e3[i], batch, row, col + i);
    }
};

// V results to a row of the output.
template <typename T, int V> static __device__ __forceinline__ void put(T *row, int col, int cols, const float (&v)[V])
{
    if constexpr (V > 1 && TRT_VECTOR % V == 0)
    {
        if (col < cols) store_vector<T, V>(row + col, v);
    }
    else
    {
#pragma unroll
        for (int i = 0; i < V; i++) if (col + i < cols) from_float(v[i], row[col + i]);
    }
}

}
