"""Runs the epilogue of wgmma_gemm.cuh that makes integers of integers on the CPU, thread by thread, and compares it with double precision: python3 bench/kernels/emulate_requantize.py

The sums lie where wgmma leaves them (row 16 * warp + 8 * h + lane / 4, column 8 * j + 2 * (lane % 4) + e of the instruction), the weights' columns are interleaved as KernelWeights does it, and the residual and the
result lie in shared memory as TMA swizzles them. Needs g++, no GPU.
"""
import os
import subprocess
import sys
import tempfile

KERNEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "TrtTools.Core", "Kernels", "wgmma_gemm.cuh")

HOST = r"""
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
using std::min;
typedef unsigned u32;
typedef unsigned long long u64;
#define __device__
#define __forceinline__
struct float4 { float x, y, z, w; };
static struct { int x; } threadIdx;
static unsigned char memory[1 << 18];
static u32 load_shared(u32 a) { u32 v; memcpy(&v, memory + a, 4); return v; }
static void store_shared(u32 a, u32 v) { memcpy(memory + a, &v, 4); }
static float4 __ldg(const float4 *p) { return *p; }
static float __int_as_float(int x) { float f; memcpy(&f, &x, 4); return f; }
static int __float_as_int(float x) { int i; memcpy(&i, &x, 4); return i; }
static u32 __byte_perm(u32 a, u32 b, u32 s) { u64 v = ((u64)b << 32) | a; u32 r = 0; for (int i = 0; i < 4; i++) r |= (u32)((v >> (8 * ((s >> (4 * i)) & 7))) & 255) << (8 * i); return r; }
static float __saturatef(float x) { return !(x > 0) ? 0 : x > 1 ? 1 : x; }
struct TensorMap {};
template <int N> void tma_wait_read() {}
static void named_sync(int, int) {}
static void fence_async_proxy() {}
static void tma_commit() {}
struct Stored { u32 block; int col, row; };
static std::vector<Stored> stores;
static void tma_store_4d(const TensorMap *, u32 block, int col, int row, int, int) { stores.push_back({block, col, row}); }
typedef signed char Out;
typedef int Sum;
struct Tile { int row, col, batch0, batch1; };
constexpr int kGroups = TRT_GROUPS, kBlocks = TRT_BP / 64 / (TRT_PINGPONG ? 1 : kGroups);
constexpr float kMagic = 12582912.f;
constexpr int kSumStart = TRT_NARROW_SUM ? 0x4b400000 : 0;
"""

MAIN = r"""
static u32 swizzled(u32 at) { return at ^ (((at >> 7) & (kPanelSpan / 16 - 1)) << 4); }
static double uniform() { return rand() / (double)RAND_MAX; }

int main()
{
    const int rows = TRT_BP + TRT_BP / 2 + 8, cols = COLS;
    const double limit = TRT_NARROW_SUM ? 6e5 : 6e7;
    std::vector<int> sums(rows * cols);
    std::vector<signed char> residual(rows * cols), out(rows * cols, 99);
    std::vector<float> scales(2 * cols);
    for (auto &x : sums) x = (int)((uniform() * 2 - 1) * limit);
    for (auto &x : residual) x = rand() % 256 - 128;
    for (int c = 0; c < cols; c++) { scales[c / 4 * 8 + c % 4] = (float)((0.5 + uniform()) * 0.6 / limit); scales[c / 4 * 8 + 4 + c % 4] = (float)(uniform() * 0.5 - 0.1); }
    for (int row0 = 0; row0 < rows; row0 += TRT_BP) for (int col0 = 0; col0 < cols; col0 += TRT_BQ) for (int group = 0; group < (TRT_PINGPONG ? 1 : kGroups); group++)
    {
        Tile tile{row0, col0, 0, 0};
        int block0 = group * kBlocks;
        u32 base = group * kHeldPanels * kPanelBytes;
        for (int i = 0; i < kBlocks * kPanels; i++) for (int r = 0; r < 64; r++) for (int b = 0; b < kPanelSpan; b++)
        {
            int row = row0 + (block0 + i / kPanels) * 64 + r, col = col0 + i % kPanels * kPanelCols + b;
            memory[base + swizzled(i * kPanelBytes + r * kPanelSpan + b)] = row < rows && col < cols ? (unsigned char)residual[row * cols + col] : 0;
        }
        stores.clear();
        // A thread touches no word but its own, so one may go through all panels before the next.
        for (int thread = 0; thread < 128; thread++)
        {
            threadIdx.x = group * 128 + thread;
            int warp = thread >> 5, lane = thread & 31;
            Sum sum[kBlocks][TRT_BQ / 2];
            for (int m = 0; m < kBlocks; m++) for (int j = 0; j < TRT_BQ / 8; j++) for (int h = 0; h < 2; h++) for (int e = 0; e < 2; e++)
            {
                int place = 8 * j + (lane & 3) * 2 + e, row = row0 + (block0 + m) * 64 + warp * 16 + h * 8 + (lane >> 2), col = col0 + (place & ~15) + 4 * ((place >> 1) & 3) + 2 * ((place >> 3) & 1) + (place & 1);
                sum[m][j * 4 + h * 2 + e] = (row < rows && col < cols ? sums[row * cols + col] : 0) + kSumStart;
            }
            requantize_panels(sum, base, nullptr, (const float4 *)scales.data(), tile, block0, group, rows, cols);
        }
        for (auto &s : stores) for (int r = 0; r < 64; r++) for (int b = 0; b < kPanelSpan; b++)
            if (s.row + r < rows && s.col + b < cols) out[(s.row + r) * cols + s.col + b] = (signed char)memory[base + swizzled(s.block - base + r * kPanelSpan + b)];
    }
    int wrong = 0, near = 0;
    for (int i = 0; i < rows * cols; i++)
    {
        int c = i % cols;
        double x = (double)sums[i] * scales[c / 4 * 8 + c % 4] + scales[c / 4 * 8 + 4 + c % 4] + (TRT_FIRST_TMA ? residual[i] * (double)TRT_RESIDUAL : 0);
        int want = (int)nearbyint(std::clamp(x, 0.0, 1.0) * TRT_SPREAD + TRT_LOW), away = abs(out[i] - want);
        wrong += away > 1;
        near += away == 1;
    }
    printf("%d wrong, %d off by one step of %d\n", wrong, near, rows * cols);
    return wrong > 0 || near * 1000 > rows * cols;
}
"""


def part(text, begin, end):
    at = text.index(begin)
    return text[at:text.index(end, at)]


def main():
    text = open(KERNEL, encoding="utf-8").read()
    source = HOST + part(text, "// The output's tile in shared memory: panels", "// Blocks that share a tile's k share") + part(text, "// Where a byte of a panel's row lies", "// The column, within a tile")
    source += part(text, "// The same for integers that become integers.", "#endif\n\n// From registers straight to memory.") + MAIN
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        open(os.path.join(folder, "e.cpp"), "w").write(source)
        for p, q, groups, pingpong, cols in ((64, 32, 1, 0, 48), (128, 64, 2, 0, 96), (128, 128, 2, 0, 256), (256, 128, 2, 0, 128), (128, 192, 2, 0, 192), (192, 128, 3, 0, 128), (128, 256, 2, 0, 272), (64, 256, 2, 1, 256), (128, 128, 2, 1, 384)):
            for residual in (0, 1):
                for narrow in (0, 1):
                    low, spread = ("0.f", "127.f") if residual else ("-128.f", "255.f")
                    definitions = dict(BP=p, BQ=q, GROUPS=groups, PINGPONG=pingpong, FIRST_TMA=residual, NARROW_SUM=narrow, LOW=low, SPREAD=spread, RESIDUAL="0.0035f", SWAP=0, STORE=1, SPLIT=1, PANELS=0)
                    program = os.path.join(folder, "e")
                    subprocess.run(["g++", "-O1", "-std=c++17", "-w", f"-DCOLS={cols}", *(f"-DTRT_{k}={v}" for k, v in definitions.items()), os.path.join(folder, "e.cpp"), "-o", program], check=True)
                    done = subprocess.run([program], capture_output=True, text=True)
                    print(f"{p}x{q}, {groups} warpgroups, {cols} columns, residual {residual}, narrow {narrow}: {done.stdout.strip()}")
                    failed += done.returncode != 0
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
