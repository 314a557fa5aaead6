// Element types and the few integer names that NVRTC lacks. No CUDA header is included anywhere: 16-bit floats are bits, converted by PTX.
#pragma once

namespace tc {

typedef unsigned int u32;
typedef unsigned long long u64;

struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };
struct s8 { signed char value; };

static __device__ __forceinline__ float to_float(f16 x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
static __device__ __forceinline__ float to_float(bf16 x) { return __int_as_float((int)((u32)x.bits << 16)); }
static __device__ __forceinline__ float to_float(float x) { return x; }
static __device__ __forceinline__ float to_float(s8 x) { return (float)x.value; }
static __device__ __forceinline__ float to_float(int x) { return (float)x; }

static __device__ __forceinline__ void from_float(float x, f16 &y) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); }
static __device__ __forceinline__ void from_float(float x, bf16 &y) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); }
static __device__ __forceinline__ void from_float(float x, float &y) { y = x; }
// Nearest even, clamped to -128..127.
static __device__ __forceinline__ void from_float(float x, s8 &y)
{
    int r;
    asm("cvt.rni.sat.s8.f32 %0, %1;" : "=r"(r) : "f"(x));
    y.value = (signed char)r;
}

// What storing in a narrower type would leave of a value.
template <typename T> static __device__ __forceinline__ float rounded(float x) { T y; from_float(x, y); return to_float(y); }
static __device__ __forceinline__ int quantized(float x) { s8 y; from_float(x, y); return y.value; }

// Two neighbours in one word, the first in the low half.
template <typename T> struct Pair;

template <> struct Pair<f16>
{
    typedef u32 Word;
    static __device__ __forceinline__ Word pack(float a, float b) { u32 w; asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(w) : "f"(a), "f"(b)); return w; }
    static __device__ __forceinline__ void unpack(Word w, float &a, float &b)
    {
        asm("{ .reg .b16 lo, hi; mov.b32 {lo, hi}, %2; cvt.f32.f16 %0, lo; cvt.f32.f16 %1, hi; }" : "=f"(a), "=f"(b) : "r"(w));
    }
};

template <> struct Pair<bf16>
{
    typedef u32 Word;
    static __device__ __forceinline__ Word pack(float a, float b) { u32 w; asm("cvt.rn.bf16x2.f32 %0, %2, %1;" : "=r"(w) : "f"(a), "f"(b)); return w; }
    static __device__ __forceinline__ void unpack(Word w, float &a, float &b) { a = __int_as_float((int)(w << 16)); b = __int_as_float((int)(w & 0xffff0000u)); }
};

template <> struct Pair<float>
{
    typedef float2 Word;
    static __device__ __forceinline__ Word pack(float a, float b) { return make_float2(a, b); }
    static __device__ __forceinline__ void unpack(Word w, float &a, float &b) { a = w.x; b = w.y; }
};

template <> struct Pair<s8>
{
    typedef unsigned short Word;
    static __device__ __forceinline__ Word pack(float a, float b)
    {
        s8 x, y;
        from_float(a, x);
        from_float(b, y);
        return (unsigned short)((unsigned char)x.value | ((unsigned char)y.value << 8));
    }
    static __device__ __forceinline__ void unpack(Word w, float &a, float &b) { a = (float)(signed char)(w & 255); b = (float)(signed char)(w >> 8); }
};

// V elements at an address that is aligned to all of them (at most 16 bytes).
template <int Bytes> struct Raw;
template <> struct Raw<1> { typedef unsigned char Word; };
template <> struct Raw<2> { typedef unsigned short Word; };
template <> struct Raw<4> { typedef u32 Word; };
template <> struct Raw<8> { typedef uint2 Word; };
template <> struct Raw<16> { typedef uint4 Word; };

template <typename T, int V> static __device__ __forceinline__ void load_vector(const T *from, float (&to)[V])
{
    constexpr int bytes = V * (int)sizeof(T);
    constexpr int piece = bytes > 16 ? 16 : bytes;
    union { typename Raw<piece>::Word words[bytes / piece]; T items[V]; } u;
#pragma unroll
    for (int i = 0; i < bytes / piece; i++) u.words[i] = reinterpret_cast<const typename Raw<piece>::Word *>(from)[i];
#pragma unroll
    for (int i = 0; i < V; i++) to[i] = to_float(u.items[i]);
}

template <typename T, int V> static __device__ __forceinline__ void store_vector(T *to, const float (&from)[V])
{
    constexpr int bytes = V * (int)sizeof(T);
    constexpr int piece = bytes > 16 ? 16 : bytes;
    union { typename Raw<piece>::Word words[bytes / piece]; T items[V]; } u;
#pragma unroll
    for (int i = 0; i < V; i++) from_float(from[i], u.items[i]);
#pragma unroll
    for (int i = 0; i < bytes / piece; i++) reinterpret_cast<typename Raw<piece>::Word *>(to)[i] = u.words[i];
}

static __device__ __forceinline__ u32 shared_address(const void *p) { return (u32)__cvta_generic_to_shared(p); }

static __device__ __forceinline__ u32 load_shared(u32 address) { u32 v; asm volatile("ld.shared.b32 %0, [%1];" : "=r"(v) : "r"(address) : "memory"); return v; }
static __device__ __forceinline__ void store_shared(u32 address, u32 v) { asm volatile("st.shared.b32 [%0], %1;" ::"r"(address), "r"(v) : "memory"); }
static __device__ __forceinline__ void store_shared(u32 address, unsigned short v) { asm volatile("st.shared.b16 [%0], %1;" ::"r"(address), "h"(v) : "memory"); }
static __device__ __forceinline__ void store_shared(u32 address, float2 v) { asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(address), "f"(v.x), "f"(v.y) : "memory"); }

// For results that are stored in 16 bits: erf within 6e-7, 2^p(|x|) being 1 - erf(|x|).
static __device__ __forceinline__ float erf_fast(float x)
{
    float t = fabsf(x), p = -0.0029441629f, q;
    p = fmaf(p, t, 0.029590065f);
    p = fmaf(p, t, -0.14866567f);
    p = fmaf(p, t, -0.91850934f);
    p = fmaf(p, t, -1.627889f);
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(q) : "f"(p * t));
    return copysignf(1.f - q, x);
}

// x · (1 + erf(x / √2)) / 2 = max(x, 0) − |x| · 2^(p(|x|) − 1) with the same polynomial.
static __device__ __forceinline__ float gelu_fast(float x)
{
    float t = fabsf(x), p = -0.00052045937f, q;
    p = fmaf(p, t, 0.0073975163f);
    p = fmaf(p, t, -0.052561253f);
    p = fmaf(p, t, -0.45925467f);
    p = fmaf(p, t, -1.1510914f);
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(q) : "f"(fmaf(p, t, -1.f)));
    return fmaf(-t, q, fmaxf(x, 0.f));
}

static __device__ __forceinline__ float exp_fast(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x * 1.44269504f)); return y; }

}
