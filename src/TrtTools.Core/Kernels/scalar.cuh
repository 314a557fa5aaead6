// What generated kernels are written in: elements in memory and scalars in registers, with ONNX's rules for conversions, NaN and integer division.
// No CUDA header is included: 16-bit floats are bits, converted by PTX.
#pragma once

#define TRT_INLINE static __device__ __forceinline__

namespace trt {

typedef long long i64;
typedef unsigned long long u64;

// ---- elements in memory ----

struct half { unsigned short bits; };
struct bfloat { unsigned short bits; };
struct boolean { unsigned char value; };

TRT_INLINE float load(half x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
TRT_INLINE float load(bfloat x) { return __int_as_float((int)((unsigned)x.bits << 16)); }
TRT_INLINE float load(float x) { return x; }
TRT_INLINE double load(double x) { return x; }
TRT_INLINE bool load(boolean x) { return x.value != 0; }
TRT_INLINE int load(signed char x) { return x; }
TRT_INLINE int load(unsigned char x) { return x; }
TRT_INLINE int load(short x) { return x; }
TRT_INLINE int load(unsigned short x) { return x; }
TRT_INLINE int load(int x) { return x; }
TRT_INLINE i64 load(unsigned x) { return (i64)x; }
TRT_INLINE i64 load(i64 x) { return x; }
TRT_INLINE i64 load(u64 x) { return (i64)x; }

TRT_INLINE void store(half &to, float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }
TRT_INLINE void store(bfloat &to, float x) { asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(x)); }
TRT_INLINE void store(float &to, float x) { to = x; }
TRT_INLINE void store(double &to, double x) { to = x; }
TRT_INLINE void store(boolean &to, bool x) { to.value = x ? 1 : 0; }
TRT_INLINE void store(signed char &to, i64 x) { to = (signed char)x; }
TRT_INLINE void store(unsigned char &to, i64 x) { to = (unsigned char)x; }
TRT_INLINE void store(short &to, i64 x) { to = (short)x; }
TRT_INLINE void store(unsigned short &to, i64 x) { to = (unsigned short)x; }
TRT_INLINE void store(int &to, i64 x) { to = (int)x; }
TRT_INLINE void store(unsigned &to, i64 x) { to = (unsigned)x; }
TRT_INLINE void store(i64 &to, i64 x) { to = x; }
TRT_INLINE void store(u64 &to, i64 x) { to = (u64)x; }
TRT_INLINE void store(signed char &to, int x) { to = (signed char)x; }
TRT_INLINE void store(unsigned char &to, int x) { to = (unsigned char)x; }
TRT_INLINE void store(short &to, int x) { to = (short)x; }
TRT_INLINE void store(unsigned short &to, int x) { to = (unsigned short)x; }
TRT_INLINE void store(int &to, int x) { to = x; }
TRT_INLINE void store(unsigned &to, int x) { to = (unsigned)x; }
TRT_INLINE void store(i64 &to, int x) { to = x; }
TRT_INLINE void store(u64 &to, int x) { to = (u64)(i64)x; }

// Two 4-bit elements in a byte, the first in the low half.
TRT_INLINE int load_int4(const unsigned char *from, i64 index) { int n = from[index >> 1] >> ((int)(index & 1) * 4) & 15; return (n ^ 8) - 8; }
TRT_INLINE int load_uint4(const unsigned char *from, i64 index) { return from[index >> 1] >> ((int)(index & 1) * 4) & 15; }
// Threads may write the two halves of one byte at the same time. Words of two bytes are the smallest that can be exchanged: memory of 4-bit elements has room for whole ones.
TRT_INLINE void store_4bit(unsigned char *to, i64 index, i64 x)
{
    u64 byte = (u64)to + (u64)(index >> 1);
    unsigned short *word = (unsigned short *)(byte & ~1ull);
    int shift = (int)(byte & 1) * 8 + (int)(index & 1) * 4;
    unsigned short old = *word, seen;
    do { seen = old; old = atomicCAS(word, seen, (unsigned short)((seen & ~(15u << shift)) | ((unsigned)(x & 15) << shift))); } while (old != seen);
}

// V neighbours, moved 16 bytes at a time; the address is aligned to the smaller of both.
template <int Bytes> struct Piece;
template <> struct Piece<1> { typedef unsigned char Word; };
template <> struct Piece<2> { typedef unsigned short Word; };
template <> struct Piece<4> { typedef unsigned Word; };
template <> struct Piece<8> { typedef uint2 Word; };
template <> struct Piece<16> { typedef uint4 Word; };

template <typename T, int V> struct Pack
{
    static constexpr int bytes = V * (int)sizeof(T), piece = bytes < 16 ? bytes : 16, count = bytes / piece;
    typedef typename Piece<piece>::Word Word;
    union { Word words[count]; T items[V]; };
    __device__ __forceinline__ Pack() {}
    __device__ __forceinline__ void read(const T *from)
    {
#pragma unroll
        for (int i = 0; i < count; i++) words[i] = reinterpret_cast<const Word *>(from)[i];
    }
    __device__ __forceinline__ void write(T *to) const
    {
#pragma unroll
        for (int i = 0; i < count; i++) reinterpret_cast<Word *>(to)[i] = words[i];
    }
};

// ---- functions ----

TRT_INLINE float minimum(float a, float b) { float y; asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
TRT_INLINE float maximum(float a, float b) { float y; asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b)); return y; }
TRT_INLINE double minimum(double a, double b) { return a != a ? a : b != b ? b : a < b ? a : b; }
TRT_INLINE double maximum(double a, double b) { return a != a ? a : b != b ? b : a > b ? a : b; }
template <typename T> TRT_INLINE T minimum(T a, T b) { return a < b ? a : b; }
template <typename T> TRT_INLINE T maximum(T a, T b) { return a > b ? a : b; }

TRT_INLINE float sign(float a) { return a > 0.f ? 1.f : a < 0.f ? -1.f : a != a ? a : 0.f; }
TRT_INLINE double sign(double a) { return a > 0. ? 1. : a < 0. ? -1. : a != a ? a : 0.; }

// The divisor's sign. The shift by b is rounded only when it is needed.
TRT_INLINE float modulo(float a, float b) { float r = fmodf(a, b); return r != 0.f && (r < 0.f) != (b < 0.f) ? r + b : r; }
TRT_INLINE double modulo(double a, double b) { double r = fmod(a, b); return r != 0. && (r < 0.) != (b < 0.) ? r + b : r; }
TRT_INLINE int modulo(int a, int b) { if (b == 0 || b == -1) return 0; int r = a % b; return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
TRT_INLINE i64 modulo(i64 a, i64 b) { if (b == 0 || b == -1) return 0; i64 r = a % b; return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
TRT_INLINE int remainder(int a, int b) { return b == 0 || b == -1 ? 0 : a % b; }
TRT_INLINE i64 remainder(i64 a, i64 b) { return b == 0 || b == -1 ? 0 : a % b; }

// Toward zero; by zero: 0.
TRT_INLINE int divide(int a, int b) { return b == 0 ? 0 : b == -1 ? (int)(0u - (unsigned)a) : a / b; }
TRT_INLINE i64 divide(i64 a, i64 b) { return b == 0 ? 0 : b == -1 ? (i64)(0ull - (u64)a) : a / b; }
// Toward minus infinity; b > 0.
TRT_INLINE int floor_divide(int a, int b) { int q = a / b; return q - (a % b < 0 ? 1 : 0); }
TRT_INLINE i64 floor_divide(i64 a, i64 b) { i64 q = a / b; return q - (a % b < 0 ? 1 : 0); }

TRT_INLINE float power(float a, float b) { return b == 2.f ? a * a : powf(a, b); }
TRT_INLINE double power(double a, double b) { return b == 2. ? a * a : pow(a, b); }
TRT_INLINE i64 power(i64 a, i64 b)
{
    if (b < 0) return a == 1 ? 1 : a == -1 ? ((b & 1) == 0 ? 1 : -1) : 0;
    u64 result = 1, factor = (u64)a;
    for (; b > 0; b >>= 1, factor *= factor) if (b & 1) result *= factor;
    return (i64)result;
}

TRT_INLINE i64 shift_left(i64 a, i64 b) { return (u64)b > 63 ? 0 : (i64)((u64)a << (int)b); }
TRT_INLINE i64 shift_right(i64 a, i64 b) { return (u64)b > 63 ? 0 : (i64)((u64)a >> (int)b); }

// ---- conversions ----

// Toward zero. NaN gives 0, what is out of range the nearest 64-bit number; the store wraps it.
TRT_INLINE i64 to_integer(float x) { i64 y; asm("cvt.rzi.s64.f32 %0, %1;" : "=l"(y) : "f"(x)); return x != x ? 0 : y; }
TRT_INLINE i64 to_integer(double x) { i64 y; asm("cvt.rzi.s64.f64 %0, %1;" : "=l"(y) : "d"(x)); return x != x ? 0 : y; }
// To the nearest, halves to even, within bounds that the float type holds; NaN gives 0.
TRT_INLINE int saturate(float x, float low, float high) { return x != x ? 0 : (int)rintf(fminf(fmaxf(x, low), high)); }
TRT_INLINE int saturate(double x, double low, double high) { return x != x ? 0 : (int)rint(fmin(fmax(x, low), high)); }
TRT_INLINE i64 saturate(i64 x, i64 low, i64 high) { return x < low ? low : x > high ? high : x; }
TRT_INLINE i64 saturate_wide(double x, double low, double high) { return x != x ? 0 : to_integer(rint(fmin(fmax(x, low), high))); }
TRT_INLINE float round_to_half(float x) { half y; store(y, x); return load(y); }
TRT_INLINE float round_to_bfloat(float x) { bfloat y; store(y, x); return load(y); }

}
