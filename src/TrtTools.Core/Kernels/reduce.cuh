// How partial results of several threads join, always in the same order: the same launch gives the same bits.
#pragma once
#include "scalar.cuh"

namespace trt {

struct Sum { template <typename T> TRT_INLINE T join(T a, T b) { return a + b; } };
struct Product { template <typename T> TRT_INLINE T join(T a, T b) { return a * b; } };
struct Maximum { template <typename T> TRT_INLINE T join(T a, T b) { return maximum(a, b); } };
struct Minimum { template <typename T> TRT_INLINE T join(T a, T b) { return minimum(a, b); } };
struct And { template <typename T> TRT_INLINE T join(T a, T b) { return (T)(a & b); } };
struct Or { template <typename T> TRT_INLINE T join(T a, T b) { return (T)(a | b); } };

// The best value so far and where it stands; at < 0: none yet.
template <typename T, typename I> struct Best { T value; I at; };

// As one after the other would be compared: NaN stays when it is the very first and is passed over elsewhere.
template <bool Least, bool Last> struct Extreme
{
    template <typename T, typename I> TRT_INLINE Best<T, I> join(Best<T, I> a, Best<T, I> b)
    {
        if (a.at < 0) return b;
        if (b.at < 0) return a;
        const bool swapped = b.at < a.at;
        const Best<T, I> first = swapped ? b : a, second = swapped ? a : b;
        const bool better = Least ? (Last ? second.value <= first.value : second.value < first.value) : (Last ? second.value >= first.value : second.value > first.value);
        return better ? second : first;
    }
    template <typename T, typename I> TRT_INLINE void take(Best<T, I> &best, T value, I at)
    {
        if (value == value || at == 0) best = join(best, Best<T, I>{value, at});
    }
};

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
// Programmatic dependent launch: lets the next kernel start; waits until the ones before are done and what they wrote is seen.
static __device__ __forceinline__ void launch_dependents() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }
static __device__ __forceinline__ void wait_for_predecessors() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
#endif

template <typename T> TRT_INLINE T shuffle(T value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
TRT_INLINE bool shuffle(bool value, int mask) { return __shfl_xor_sync(0xffffffffu, (int)value, mask) != 0; }
template <typename T, typename I> TRT_INLINE Best<T, I> shuffle(Best<T, I> best, int mask) { return Best<T, I>{shuffle(best.value, mask), shuffle(best.at, mask)}; }

// The join of Width neighbouring threads of a warp, in each of them. All threads of the warp take part.
template <typename Op, int Width, typename T> TRT_INLINE T join_lanes(T value)
{
#pragma unroll
    for (int mask = Width / 2; mask > 0; mask /= 2) value = Op::join(value, shuffle(value, mask));
    return value;
}

// The join of a block's threads, in each of them. The scratch holds one element for each warp and is free again when all have returned and synchronized.
template <typename Op, int Threads, typename T> TRT_INLINE T join_block(T value, T *scratch)
{
    value = join_lanes<Op, 32>(value);
    if ((threadIdx.x & 31) == 0) scratch[threadIdx.x / 32] = value;
    __syncthreads();
    T result = scratch[0];
#pragma unroll
    for (int i = 1; i < Threads / 32; i++) result = Op::join(result, scratch[i]);
    return result;
}

}
