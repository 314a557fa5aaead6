// Matrix product and implicit-GEMM convolution on Hopper: y[row, col] = epilogue(Σk x[row, k] · w[col, k]).
// One warp feeds shared memory by TMA, warpgroups multiply by wgmma, results leave through shared memory by TMA (or directly, where the output's strides forbid that).
// Rows are tokens or output pixels, columns are output channels. Which of the two is the instruction's 64-row side is a choice: TRT_SWAP puts the channels there.
//
// Text before this defines:
//   TRT_KERNEL      the kernel's name             TRT_IN  tc::f16, tc::bf16, float (as TF32) or tc::s8     TRT_OUT  the stored type
//   TRT_SWAP        0, 1                          TRT_BP, TRT_BQ   tile on the 64-row side, on the other side
//   TRT_REGISTERS   0, or what each multiplying thread gets of those that the feeding warpgroup gives up (it is a single warp otherwise)
//   TRT_GROUPS      warpgroups that multiply      TRT_PINGPONG     1: each warpgroup has tiles of its own, one multiplies while the other stores
//   TRT_SPAN        bytes of a tile's row (128, 64, 32), TRT_SUB  such pieces of k per stage (their number must be a multiple), TRT_STAGES
//   TRT_SPLIT       blocks of a cluster that share the k of one tile (1: none)
//   TRT_MULTICAST   0, 1: two row tiles share their weights' loads, 2: two column tiles share their rows' loads
//   TRT_CONV        1: x by an im2col map, with TRT_TAPS, TRT_FILTER_W, TRT_CHANNEL_BLOCKS, TRT_STRIDE_H/W, TRT_PAD_H/W, TRT_DILATION_H/W
//   TRT_W_MN        1: w is stored [k, col]       TRT_W_BATCHED, TRT_X_BATCHED  0: the same for every batch0 / batch1 (bits 0, 1)
//   TRT_STORE       1: by TMA                     TRT_PANELS       0: shared memory for the whole tile, or a ring of so many panels for each warpgroup
//   TRT_FIRST_TMA    1: operand 0 (full, as the output, of 16 bits or requantized) comes by TMA
//   TRT_RESIDENT    blocks on a multiprocessor    TRT_PERMUTED     1: of each 16 rows of w, the order is such that a thread has four neighbouring columns
//   TRT_REQUANTIZE  1: integers become integers: TRT_LOW + TRT_SPREAD · (0 … 1: sum · scale + shift + operand 0 · TRT_RESIDUAL), scales and shifts of four columns at a time in the operand after it
//   TRT_NARROW_SUM  1: no sum reaches 2^22
//   TRT_PDL         1: programmatic launch        TRT_VECTOR and the epilogue: see epilogue.cuh
#pragma once
#include "async.cuh"
#include "mma.cuh"

#ifndef TRT_RESIDENT
#define TRT_RESIDENT 1
#endif
#ifndef TRT_PERMUTED
#define TRT_PERMUTED 0
#endif
#ifndef TRT_REQUANTIZE
#define TRT_REQUANTIZE 0
#endif
#ifndef TRT_NARROW_SUM
#define TRT_NARROW_SUM 0
#endif

#define TRT_WGMMA_N TRT_BQ
#if TRT_IN_KIND == 0
#define TRT_WGMMA_K "k16.f32.f16.f16"
#elif TRT_IN_KIND == 1
#define TRT_WGMMA_K "k16.f32.bf16.bf16"
#elif TRT_IN_KIND == 2
#define TRT_WGMMA_K "k8.f32.tf32.tf32"
#else
#define TRT_WGMMA_K "k32.s32.s8.s8"
#endif
#if TRT_IN_KIND == 3
#define TRT_WGMMA_SUM int
#define TRT_WGMMA_TAIL ""
#elif TRT_IN_KIND == 2
#define TRT_WGMMA_SUM float
#define TRT_WGMMA_TAIL ", 1, 1"
#elif TRT_W_MN && TRT_SWAP
#define TRT_WGMMA_SUM float
#define TRT_WGMMA_TAIL ", 1, 1, 1, 0"
#elif TRT_W_MN
#define TRT_WGMMA_SUM float
#define TRT_WGMMA_TAIL ", 1, 1, 0, 1"
#else
#define TRT_WGMMA_SUM float
#define TRT_WGMMA_TAIL ", 1, 1, 0, 0"
#endif
#include "wgmma.cuh"
#include "epilogue.cuh"

namespace tc {

typedef TRT_IN In;
typedef TRT_OUT Out;
typedef TRT_WGMMA_SUM Sum;

constexpr int kGroups = TRT_GROUPS;
constexpr int kMathThreads = kGroups * 128;
constexpr int kThreads = kMathThreads + (TRT_REGISTERS ? 128 : 32);
constexpr int kTileRows = TRT_SWAP ? TRT_BQ : TRT_BP;
constexpr int kTileCols = TRT_SWAP ? TRT_BP : TRT_BQ;
constexpr int kBlocks = TRT_BP / 64 / (TRT_PINGPONG ? 1 : kGroups);   // 64-row blocks of one warpgroup
constexpr int kDepth = TRT_SPAN / (int)sizeof(In);                     // k of one piece
constexpr int kSteps = TRT_SPAN / 32;
constexpr int kPieceX = kTileRows * TRT_SPAN;
constexpr int kWSpans = (kTileCols + 63) / 64;
constexpr int kPieceW = TRT_W_MN ? kWSpans * kDepth * 128 : kTileCols * TRT_SPAN;
constexpr int kStageBytes = TRT_SUB * (kPieceX + kPieceW);
constexpr int kCluster = TRT_MULTICAST ? 2 : 1;

// The output's tile in shared memory: panels with rows of kPanelSpan bytes, swizzled as TMA has it.
constexpr int kTileRowBytes = (TRT_SWAP ? 64 : TRT_BQ) * (int)sizeof(Out);
constexpr int kPanelSpan = kTileRowBytes % 128 == 0 ? 128 : kTileRowBytes % 64 == 0 ? 64 : 32;
constexpr int kPanelCols = kPanelSpan / (int)sizeof(Out);
constexpr int kPanelRows = TRT_SWAP ? TRT_BQ : 64;
constexpr int kPanelBytes = (kPanelRows * kPanelSpan + 1023) / 1024 * 1024;
constexpr int kPanels = (kTileRowBytes + kPanelSpan - 1) / kPanelSpan;   // of one 64-row block
constexpr int kHeldPanels = TRT_PANELS ? TRT_PANELS : kBlocks * kPanels;                             // of one warpgroup
constexpr int kOutBytes = TRT_STORE && TRT_SPLIT == 1 ? kGroups * kHeldPanels * kPanelBytes : 0;

// Blocks that share a tile's k share its rows when it is finished: each gets their parts of its own rows, padded against bank conflicts.
constexpr int kPartStride = TRT_SWAP ? TRT_BP + 4 : (TRT_BQ + 31) / 32 * 32 + 8;
constexpr int kOwnRows = (kTileRows + TRT_SPLIT - 1) / TRT_SPLIT;
constexpr int kPartBytes = TRT_SPLIT > 1 ? TRT_SPLIT * kOwnRows * kPartStride * 4 : 0;

static_assert(TRT_BP % 64 == 0 && TRT_BQ % 8 == 0 && kBlocks >= 1, "tile");
static_assert(!TRT_STORE || !TRT_SWAP || sizeof(Out) == 2, "a swapped tile is stored by TMA as 16-bit numbers only");
static_assert(!TRT_STORE || TRT_SPLIT > 1 || kTileRowBytes % kPanelSpan == 0, "a tile stored by TMA is whole panels");
static_assert(!TRT_FIRST_TMA || kHeldPanels == kBlocks * kPanels, "operand 0 needs the whole tile");
static_assert(!TRT_PERMUTED || (!TRT_SWAP && TRT_BQ % 16 == 0 && sizeof(Out) == 1), "columns change places in whole groups of 16, towards integers");
static_assert(!TRT_REQUANTIZE || (TRT_PERMUTED && TRT_STORE && TRT_SPLIT == 1), "requantizing stores four columns at a time by TMA");
static_assert(TRT_SPLIT == 1 || (!TRT_MULTICAST && !TRT_PINGPONG), "split tiles are neither shared nor alternated");

// Where a byte of a panel's row lies: 16-byte pieces change places by what the row's address says.
static __device__ __forceinline__ u32 panel_place(int row, int byte)
{
    u32 at = row * kPanelSpan + byte;
    return at ^ ((at >> 3) & (kPanelSpan - 16));
}

// The column, within a tile, of the first of two neighbours that a thread has of the instruction's columns 8·j to 8·j + 7.
static __device__ __forceinline__ int column_of(int j, int lane) { return TRT_PERMUTED ? (j >> 1) * 16 + (lane & 3) * 4 + (j & 1) * 2 : j * 8 + (lane & 3) * 2; }

struct Tile
{
    int row, col, batch0, batch1;
};

struct Space
{
    int rows, cols, batches0, row_tiles, col_tiles, total;

    __device__ __forceinline__ Space(int rows, int cols, int batches0, int batches1) : rows(rows), cols(cols), batches0(batches0)
    {
        row_tiles = (rows + kTileRows - 1) / kTileRows;
        col_tiles = (cols + kTileCols - 1) / kTileCols;
        if (TRT_MULTICAST == 1) row_tiles = (row_tiles + 1) / 2;
        if (TRT_MULTICAST == 2) col_tiles = (col_tiles + 1) / 2;
        total = row_tiles * col_tiles * batches0 * batches1;
    }

    __device__ __forceinline__ Tile at(int t, int rank) const
    {
        Tile tile;
        int rest = t / col_tiles;
        int c = t - rest * col_tiles;
        int outer = rest / row_tiles;
        int r = rest - outer * row_tiles;
        if (TRT_MULTICAST == 1) r = r * 2 + rank;
        if (TRT_MULTICAST == 2) c = c * 2 + rank;
        tile.row = r * kTileRows;
        tile.col = c * kTileCols;
        tile.batch1 = outer / batches0;
        tile.batch0 = outer - tile.batch1 * batches0;
        return tile;
    }
};

// A block's tiles and its part of their k, in k-steps.
struct Share
{
    Space space;
    int start, stride, first, count;

    __device__ __forceinline__ Share(int rows, int cols, int batches0, int batches1, int pieces, int rank) : space(rows, cols, batches0, batches1)
    {
        int steps = pieces / TRT_SUB;
        start = blockIdx.x;
        stride = gridDim.x;
        first = 0;
        count = steps;
        if (kCluster > 1) { start = blockIdx.x / kCluster; stride = gridDim.x / kCluster; }
        if (TRT_SPLIT > 1)
        {
            start = blockIdx.x / TRT_SPLIT;
            stride = space.total;
            first = steps * rank / TRT_SPLIT;
            count = steps * (rank + 1) / TRT_SPLIT - first;
        }
    }
};

// A stage of the ring and the parity that its barriers are waited for with.
struct Ring
{
    int stage = 0;
    u32 parity = 0;

    __device__ __forceinline__ void advance(int n)
    {
        stage += n;
        int laps = stage / TRT_STAGES;
        stage -= laps * TRT_STAGES;
        parity ^= laps & 1;
    }

    __device__ __forceinline__ void next()
    {
        if (++stage == TRT_STAGES) { stage = 0; parity ^= 1; }
    }
};

struct Feeder
{
    const TensorMap *x, *w;
    u32 base, full;
    int rank, out_w, out_h;

    __device__ __forceinline__ void expect(int stage) const { barrier_expect(full + stage * 8, kStageBytes); }

    __device__ __forceinline__ void load_w(int stage, int k, const Tile &tile) const
    {
        u32 bar = full + stage * 8;
        int b0 = TRT_W_BATCHED & 1 ? tile.batch0 : 0, b1 = TRT_W_BATCHED & 2 ? tile.batch1 : 0;
        for (int i = 0; i < TRT_SUB; i++)
        {
            int piece = k * TRT_SUB + i;
            u32 to = base + stage * kStageBytes + TRT_SUB * kPieceX + i * kPieceW;
#if TRT_W_MN
#pragma unroll
            for (int s = 0; s < kWSpans; s++) tma_load_4d(to + s * kDepth * 128, w, bar, tile.col + s * 64, piece * kDepth, b0, b1);
#elif TRT_CONV
            int tap = piece / TRT_CHANNEL_BLOCKS, c = (piece - tap * TRT_CHANNEL_BLOCKS) * kDepth;
            if (TRT_MULTICAST == 1) tma_load_3d(to + rank * (kPieceW / 2), w, bar, c, tap, tile.col + rank * (kTileCols / 2), (unsigned short)3);
            else tma_load_3d(to, w, bar, c, tap, tile.col);
#else
            if (TRT_MULTICAST == 1) tma_load_4d(to + rank * (kPieceW / 2), w, bar, piece * kDepth, tile.col + rank * (kTileCols / 2), b0, b1, (unsigned short)3);
            else tma_load_4d(to, w, bar, piece * kDepth, tile.col, b0, b1);
#endif
        }
    }

    __device__ __forceinline__ void prefetch_w(int k, const Tile &tile) const
    {
        int b0 = TRT_W_BATCHED & 1 ? tile.batch0 : 0, b1 = TRT_W_BATCHED & 2 ? tile.batch1 : 0;
        for (int i = 0; i < TRT_SUB; i++)
        {
            int piece = k * TRT_SUB + i;
#if TRT_W_MN
#pragma unroll
            for (int s = 0; s < kWSpans; s++) tma_prefetch_4d(w, tile.col + s * 64, piece * kDepth, b0, b1);
#elif TRT_CONV
            int tap = piece / TRT_CHANNEL_BLOCKS;
            tma_prefetch_3d(w, (piece - tap * TRT_CHANNEL_BLOCKS) * kDepth, tap, tile.col + rank * (kTileCols / 2) * (TRT_MULTICAST == 1));
#else
            tma_prefetch_4d(w, piece * kDepth, tile.col + rank * (kTileCols / 2) * (TRT_MULTICAST == 1), b0, b1);
#endif
        }
    }

    __device__ __forceinline__ void load_x(int stage, int k, const Tile &tile) const
    {
        u32 bar = full + stage * 8;
        for (int i = 0; i < TRT_SUB; i++)
        {
            int piece = k * TRT_SUB + i;
            u32 to = base + stage * kStageBytes + i * kPieceX;
            int row = tile.row;
            if (TRT_MULTICAST == 2) { row += rank * (kTileRows / 2); to += rank * (kPieceX / 2); }
#if TRT_CONV
            int tap = piece / TRT_CHANNEL_BLOCKS, c = (piece - tap * TRT_CHANNEL_BLOCKS) * kDepth;
            int fh = tap / TRT_FILTER_W, fw = tap - fh * TRT_FILTER_W;
            int line = row / out_w, q = row - line * out_w;
            int n = line / out_h, p = line - n * out_h;
            int iw = q * TRT_STRIDE_W - TRT_PAD_W, ih = p * TRT_STRIDE_H - TRT_PAD_H;
            unsigned short tw = (unsigned short)(fw * TRT_DILATION_W), th = (unsigned short)(fh * TRT_DILATION_H);
            if (TRT_MULTICAST == 2) tma_load_im2col(to, x, bar, c, iw, ih, n, tw, th, (unsigned short)3);
            else tma_load_im2col(to, x, bar, c, iw, ih, n, tw, th);
#else
            int b0 = TRT_X_BATCHED & 1 ? tile.batch0 : 0, b1 = TRT_X_BATCHED & 2 ? tile.batch1 : 0;
            if (TRT_MULTICAST == 2) tma_load_4d(to, x, bar, piece * kDepth, row, b0, b1, (unsigned short)3);
            else tma_load_4d(to, x, bar, piece * kDepth, row, b0, b1);
#endif
        }
    }
};

static __device__ __forceinline__ void multiply(Sum (&sum)[kBlocks][TRT_BQ / 2], u32 stage_base, int block0)
{
#pragma unroll
    for (int i = 0; i < TRT_SUB; i++)
    {
        u32 x = stage_base + i * kPieceX, w = stage_base + TRT_SUB * kPieceX + i * kPieceW;
        u64 dx = tile_descriptor<TRT_SPAN>(x, 0);
        u64 dw = TRT_W_MN ? tile_descriptor<128>(w, kDepth * 128) : tile_descriptor<TRT_SPAN>(w, 0);
#pragma unroll
        for (int s = 0; s < kSteps; s++)
        {
            u64 kx = dx + s * 2, kw = dw + (TRT_W_MN ? s * (32 / (int)sizeof(In)) * 8 : s * 2);
#pragma unroll
            for (int m = 0; m < kBlocks; m++)
            {
                if (TRT_SWAP) wgmma(sum[m], kw + (u64)(block0 + m) * ((TRT_W_MN ? kDepth * 128 : 64 * TRT_SPAN) / 16), kx);
                else wgmma(sum[m], kx + (u64)(block0 + m) * (64 * TRT_SPAN / 16), kw);
            }
        }
    }
}

// A sum that starts as the bits of 1.5 · 2^23 is that number plus the sum, read as a float: no conversion is needed, of which a multiprocessor makes few at a time.
constexpr float kMagic = 12582912.f;
constexpr int kSumStart = TRT_NARROW_SUM ? 0x4b400000 : 0;

// The sums over a tile's next count k-steps.
static __device__ __forceinline__ void accumulate(Sum (&sum)[kBlocks][TRT_BQ / 2], const Feeder &feeder, u32 empty, Ring &ring, int block0, int count)
{
    int previous = -1;
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int m = 0; m < kBlocks; m++)
    {
#pragma unroll
        for (int i = 0; i < TRT_BQ / 2; i++) sum[m][i] = kSumStart;
    }
#pragma unroll 1
    for (int i = 0; i < count; i++)
    {
        barrier_wait(feeder.full + ring.stage * 8, ring.parity);
        wgmma_fence();
        multiply(sum, feeder.base + ring.stage * kStageBytes, block0);
        wgmma_commit();
        wgmma_wait<1>();
        if (previous >= 0)
        {
            if (kCluster == 1) { if (lane == 0) barrier_arrive(empty + previous * 8); }
            else if (lane < kCluster) barrier_arrive_remote(empty + previous * 8, lane);
        }
        previous = ring.stage;
        ring.next();
    }
    wgmma_wait<0>();
#pragma unroll
    for (int m = 0; m < kBlocks; m++)
    {
#pragma unroll
        for (int i = 0; i < TRT_BQ / 2; i++) hold(sum[m][i]);
    }
    if (previous >= 0)
    {
        if (kCluster == 1) { if (lane == 0) barrier_arrive(empty + previous * 8); }
        else if (lane < kCluster) barrier_arrive_remote(empty + previous * 8, lane);
    }
}

// What the epilogue will read comes nearer while the product is computed.
static __device__ __forceinline__ void warm(const Epilogue &epilogue, const Tile &tile, int rank)
{
    constexpr int chunks = kTileCols / 8, items = kOwnRows * chunks;
    if constexpr (Epilogue::kReadsFull && !(TRT_STORE && TRT_SPLIT == 1) && items <= 16 * kMathThreads)
    {
        for (int item = threadIdx.x; item < items; item += kMathThreads)
        {
            int r = item / chunks + rank * kOwnRows, c = (item - item / chunks * chunks) * 8;
            if (tile.row + r < epilogue.rows && tile.col + c < epilogue.cols) epilogue.warm_full(tile.row + r, tile.col + c);
        }
    }
    for (int c = threadIdx.x * 8; c < kTileCols; c += kMathThreads * 8) if (tile.col + c < epilogue.cols) epilogue.warm_column(tile.col + c);
}

// From registers through shared memory: the panels of this warpgroup's 64-row blocks. Operand 0 may lie there already.
template <typename Out> static __device__ __forceinline__ void finish_panels(Sum (&sum)[kBlocks][TRT_BQ / 2], u32 out, const TensorMap *map, const Epilogue &epilogue, const Tile &tile, int block0, int group)
{
    int thread = threadIdx.x & 127, warp = thread >> 5, lane = thread & 31;
#pragma unroll
    for (int at = 0; at < kBlocks * kPanels; at++)
    {
        int m = at / kPanels, panel = at - m * kPanels;
        u32 block = out + (at % kHeldPanels) * kPanelBytes;
        if (!TRT_FIRST_TMA && (at == 0 || kHeldPanels < kBlocks * kPanels))
        {
            // What lay in the panel must have left.
            if (thread == 0) tma_wait_read<(kHeldPanels < kBlocks * kPanels ? kHeldPanels - 1 : 0)>();
            named_sync(3 + group, 128);
        }
        if constexpr (sizeof(Out) == 2)
        {
            // Two 8-column groups at a time: four 8×8 matrices.
            constexpr int groups = TRT_SWAP ? TRT_BQ / 8 : kPanelSpan / 16;
            constexpr bool odd = (groups & 1) != 0;
            int first_group = TRT_SWAP ? 0 : panel * groups;
#pragma unroll
            for (int j = 0; j < groups; j += 2)
            {
                // With an odd number of groups the last step does its first half twice, with the same numbers.
                int g = j + (lane >> 4);
                if (odd && g >= groups) g = groups - 1;
                int row_in_panel = TRT_SWAP ? g * 8 + (lane & 7) : warp * 16 + ((lane >> 3) & 1) * 8 + (lane & 7);
                int chunk = TRT_SWAP ? panel * (kPanelSpan / 16) + warp * 2 + ((lane >> 3) & 1) : g;
                u32 address = block + panel_place(row_in_panel, chunk * 16);
                u32 held[4] = {0, 0, 0, 0};
                if (TRT_FIRST_TMA)
                {
                    if (TRT_SWAP) ldmatrix_x4_trans(held, address);
                    else ldmatrix_x4(held, address);
                }
                u32 words[4];
#pragma unroll
                for (int q = 0; q < 4; q++)
                {
                    // q & 1: the lower 8 rows of the instruction's tile; q >> 1: the next 8 columns.
                    int jj = j + (q >> 1);
                    if (odd && jj >= groups) jj = groups - 1;
                    jj += first_group;
                    Sum pair[2] = {sum[m][jj * 4 + (q & 1) * 2], sum[m][jj * 4 + (q & 1) * 2 + 1]};
                    int p = (block0 + m) * 64 + warp * 16 + (q & 1) * 8 + (lane >> 2), c = jj * 8 + (lane & 3) * 2;
                    float first[2], result[2];
                    if (TRT_FIRST_TMA) Pair<Out>::unpack(held[q], first[0], first[1]);
                    if constexpr (TRT_SWAP)
                    {
                        // Neighbours in the register are neighbouring rows of the output.
#pragma unroll
                        for (int e = 0; e < 2; e++)
                        {
                            Sum one[1] = {pair[e]};
                            float f[1] = {first[e]}, r[1];
                            int row = min(tile.row + c + e, epilogue.rows - 1);
                            epilogue.apply<1, TRT_FIRST_TMA != 0>(one, f, row, tile.col + p, r);
                            result[e] = r[0];
                        }
                    }
                    else
                    {
                        int row = min(tile.row + p, epilogue.rows - 1);
                        epilogue.apply<2, TRT_FIRST_TMA != 0>(pair, first, row, tile.col + c, result);
                    }
                    words[q] = Pair<Out>::pack(result[0], result[1]);
                }
                if (TRT_SWAP) stmatrix_x4_trans(address, words[0], words[1], words[2], words[3]);
                else stmatrix_x4(address, words[0], words[1], words[2], words[3]);
            }
        }
        else
        {
            constexpr int groups = kPanelCols / 8;
#pragma unroll
            for (int jj = 0; jj < groups; jj++)
            {
                int j = panel * groups + jj;
#pragma unroll
                for (int h = 0; h < 2; h++)
                {
                    Sum pair[2] = {sum[m][j * 4 + h * 2], sum[m][j * 4 + h * 2 + 1]};
                    float first[2], result[2];
                    int r = warp * 16 + h * 8 + (lane >> 2), c = column_of(j, lane);
                    int row = min(tile.row + (block0 + m) * 64 + r, epilogue.rows - 1);
                    epilogue.apply<2, false>(pair, first, row, tile.col + c, result);
                    typename Pair<Out>::Word word = Pair<Out>::pack(result[0], result[1]);
                    store_shared(block + panel_place(r, (c - panel * kPanelCols) * (int)sizeof(Out)), word);
                }
            }
        }
        fence_async_proxy();
        named_sync(3 + group, 128);
        if (thread == 0)
        {
            int row = tile.row + (TRT_SWAP ? 0 : (block0 + m) * 64), col = tile.col + (TRT_SWAP ? (block0 + m) * 64 : panel * kPanelCols);
            if (row < epilogue.rows && col < epilogue.cols) tma_store_4d(map, block, col, row, tile.batch0, tile.batch1);
            tma_commit();
        }
    }
}

#if TRT_REQUANTIZE
// The same for integers that become integers. Conversions go by way of floats so large that their last bits are whole numbers: adding rounds to the nearest even, as storing would.
static __device__ __forceinline__ void requantize_panels(Sum (&sum)[kBlocks][TRT_BQ / 2], u32 out, const TensorMap *map, const float4 *scales, const Tile &tile, int block0, int group, int rows, int cols)
{
    int thread = threadIdx.x & 127, warp = thread >> 5, lane = thread & 31;
#pragma unroll
    for (int at = 0; at < kBlocks * kPanels; at++)
    {
        int m = at / kPanels, panel = at - m * kPanels;
        u32 block = out + (at % kHeldPanels) * kPanelBytes;
        if (!TRT_FIRST_TMA && (at == 0 || kHeldPanels < kBlocks * kPanels))
        {
            // What lay in the panel must have left.
            if (thread == 0) tma_wait_read<(kHeldPanels < kBlocks * kPanels ? kHeldPanels - 1 : 0)>();
            named_sync(3 + group, 128);
        }
#pragma unroll
        for (int g = 0; g < kPanelCols / 16; g++)
        {
            int from = min(tile.col + panel * kPanelCols + g * 16 + (lane & 3) * 4, cols - 4) >> 2;
            float4 scale4 = __ldg(scales + from * 2), shift4 = __ldg(scales + from * 2 + 1);
            float scale[4] = {scale4.x, scale4.y, scale4.z, scale4.w}, shift[4] = {shift4.x, shift4.y, shift4.z, shift4.w};
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                u32 address = block + panel_place(warp * 16 + h * 8 + (lane >> 2), g * 16 + (lane & 3) * 4), word[4];
#if TRT_FIRST_TMA
                u32 held = load_shared(address) ^ 0x80808080u;
#endif
#pragma unroll
                for (int e = 0; e < 4; e++)
                {
                    Sum whole = sum[m][(panel * kPanelCols / 8 + g * 2 + (e >> 1)) * 4 + h * 2 + (e & 1)];
                    float x = TRT_NARROW_SUM ? __int_as_float(whole) - kMagic : (float)whole;
                    x = fmaf(x, scale[e], shift[e]);
#if TRT_FIRST_TMA
                    x = fmaf(__int_as_float(__byte_perm(held, 0x4b000000u, 0x7650 + e)) - 8388736.f, TRT_RESIDUAL, x);
#endif
                    word[e] = __float_as_int(fmaf(__saturatef(x), TRT_SPREAD, kMagic + TRT_LOW));
                }
                store_shared(address, __byte_perm(__byte_perm(word[0], word[1], 0x0040), __byte_perm(word[2], word[3], 0x0040), 0x5410));
            }
        }
        fence_async_proxy();
        named_sync(3 + group, 128);
        if (thread == 0)
        {
            int row = tile.row + (block0 + m) * 64, col = tile.col + panel * kPanelCols;
            if (row < rows && col < cols) tma_store_4d(map, block, col, row, tile.batch0, tile.batch1);
            tma_commit();
        }
    }
}
#endif

// From registers straight to memory.
static __device__ __forceinline__ void finish_directly(Sum (&sum)[kBlocks][TRT_BQ / 2], Out *y, long long y_row, const Epilogue &epilogue, const Tile &tile, int block0)
{
    int thread = threadIdx.x & 127, warp = thread >> 5, lane = thread & 31;
#pragma unroll
    for (int m = 0; m < kBlocks; m++)
    {
#pragma unroll
        for (int j = 0; j < TRT_BQ / 8; j++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                int p = (block0 + m) * 64 + warp * 16 + h * 8 + (lane >> 2), c = column_of(j, lane);
                Sum pair[2] = {sum[m][j * 4 + h * 2], sum[m][j * 4 + h * 2 + 1]};
                if constexpr (TRT_SWAP)
                {
#pragma unroll
                    for (int e = 0; e < 2; e++)
                    {
                        int row = tile.row + c + e, col = tile.col + p;
                        Sum one[1] = {pair[e]};
                        float f[1], r[1];
                        if (row < epilogue.rows && col < epilogue.cols)
                        {
                            epilogue.apply<1, false>(one, f, row, col, r);
                            put<Out, 1>(y + row * y_row, col, epilogue.cols, r);
                        }
                    }
                }
                else
                {
                    int row = tile.row + p, col = tile.col + c;
                    float f[2], r[2];
                    if (row < epilogue.rows && col < epilogue.cols)
                    {
                        epilogue.apply<2, false>(pair, f, row, col, r);
                        put<Out, 2>(y + row * y_row, col, epilogue.cols, r);
                    }
                }
            }
        }
    }
}

static __device__ __forceinline__ float as_float(float x) { return x; }
static __device__ __forceinline__ float as_float(int x) { return __int_as_float(x); }

// This block's part of the sums to those who finish the rows.
static __device__ __forceinline__ void send_parts(Sum (&sum)[kBlocks][TRT_BQ / 2], u32 parts, u32 barrier, int block0, int rank)
{
    int thread = threadIdx.x & 127, warp = thread >> 5, lane = thread & 31;
#pragma unroll
    for (int m = 0; m < kBlocks; m++)
    {
#pragma unroll
        for (int j = 0; j < TRT_BQ / 8; j++)
        {
#pragma unroll
            for (int h = 0; h < 2; h++)
            {
                int p = (block0 + m) * 64 + warp * 16 + h * 8 + (lane >> 2), c = column_of(j, lane);
                float a = as_float(sum[m][j * 4 + h * 2]), b = as_float(sum[m][j * 4 + h * 2 + 1]);
#pragma unroll
                for (int e = 0; e < (TRT_SWAP ? 2 : 1); e++)
                {
                    int row = TRT_SWAP ? c + e : p, col = TRT_SWAP ? p : c, owner = row / kOwnRows;
                    u32 to = remote_address(parts + ((rank * kOwnRows + row - owner * kOwnRows) * kPartStride + col) * 4, owner), counted = remote_address(barrier, owner);
                    if (TRT_SWAP) store_remote(to, counted, e ? b : a);
                    else store_remote(to, counted, a, b);
                }
            }
        }
    }
}

// The rows that this block finishes, their parts added in the order of ranks.
static __device__ __forceinline__ void add_parts(const Sum *parts, Out *y, long long y_row, const Epilogue &epilogue, const Tile &tile, int rank)
{
    constexpr int chunks = kTileCols / 8;
    int rows = min(kOwnRows, kTileRows - rank * kOwnRows);
    for (int item = threadIdx.x; item < rows * chunks; item += kMathThreads)
    {
        int r = item / chunks, c = (item - r * chunks) * 8;
        int row = tile.row + rank * kOwnRows + r, col = tile.col + c;
        if (row >= epilogue.rows || col >= epilogue.cols) continue;
        Sum v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
#pragma unroll
        for (int s = 0; s < TRT_SPLIT; s++)
        {
            union { float4 words[2]; Sum items[8]; } part;
            const float4 *from = reinterpret_cast<const float4 *>(parts + (s * kOwnRows + r) * kPartStride + c);
            part.words[0] = from[0];
            part.words[1] = from[1];
#pragma unroll
            for (int i = 0; i < 8; i++) v[i] += part.items[i];
        }
        float f[8], result[8];
        epilogue.apply<8, false>(v, f, row, col, result);
        put<Out, 8>(y + row * y_row, col, epilogue.cols, result);
    }
}

static __device__ __forceinline__ u32 part_bytes(int rank) { return TRT_SPLIT * max(0, min(kOwnRows, kTileRows - rank * kOwnRows)) * kTileCols * 4; }

}

extern "C" __global__ void __launch_bounds__(tc::kThreads, TRT_RESIDENT) TRT_KERNEL(
    const __grid_constant__ TensorMap map_x, const __grid_constant__ TensorMap map_w,
#if TRT_STORE && TRT_SPLIT == 1
    const __grid_constant__ TensorMap map_y,
#endif
#if TRT_FIRST_TMA
    const __grid_constant__ TensorMap map_first,
#endif
    TRT_OUT *y, long long y_batch0, long long y_batch1, long long y_row,
    const void *op0, long long op0_batch0, long long op0_batch1, long long op0_row,
    const void *op1, long long op1_batch0, long long op1_batch1, long long op1_row,
    const void *op2, long long op2_batch0, long long op2_batch1, long long op2_row,
    const void *op3, long long op3_batch0, long long op3_batch1, long long op3_row,
    int rows, int cols, int pieces, int batches0, int batches1, int out_w, int out_h)
{
    using namespace tc;
    extern __shared__ unsigned char shared[];
    u32 base = (shared_address(shared) + 1023) & ~1023u;
    u32 out = base + TRT_STAGES * kStageBytes;
    u32 parts = out + kOutBytes, full = parts + kPartBytes, empty = full + TRT_STAGES * 8, first_ready = empty + TRT_STAGES * 8;
    int warp = threadIdx.x >> 5, group = warp >> 2;
    int rank = kCluster > 1 || TRT_SPLIT > 1 ? (int)cluster_rank() : 0;

#if TRT_PDL
    launch_dependents();
#endif
    if (threadIdx.x == 0)
    {
        for (int i = 0; i < TRT_STAGES; i++)
        {
            barrier_init(full + i * 8, 1);
            barrier_init(empty + i * 8, (TRT_PINGPONG ? 4 : kGroups * 4) * kCluster);
        }
        for (int i = 0; i < kGroups; i++) barrier_init(first_ready + i * 8, 1);
        fence_barrier_init();
        // Without splitting, the first of these counts operand 0, otherwise the parts.
        if (TRT_SPLIT > 1) barrier_expect(first_ready, part_bytes(rank));
    }
    __syncthreads();
    if (kCluster > 1 || TRT_SPLIT > 1) { cluster_arrive_relaxed(); cluster_wait(); }

    if (warp >= kGroups * 4)
    {
#if TRT_REGISTERS
        asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(TRT_GROUPS == 3 ? 24 : 40));
#endif
        if (threadIdx.x == kMathThreads)
        {
            prefetch_map(&map_x);
            prefetch_map(&map_w);
            Share share(rows, cols, batches0, batches1, pieces, rank);
            Feeder feeder{&map_x, &map_w, base, full, rank, out_w, out_h};
            // Weights need no predecessor: the first stages are on their way before this kernel may read anything else.
            int early = 0;
            if (share.start < share.space.total)
            {
                Tile tile = share.space.at(share.start, rank);
                early = min(TRT_STAGES, share.count);
                for (int i = 0; i < early; i++) { feeder.expect(i); feeder.load_w(i, share.first + i, tile); }
#if TRT_PDL
                // Where few blocks read the same weights; many would ask for them many times over.
                if (share.space.row_tiles * batches0 * batches1 <= 4)
                {
                    for (int i = early; i < share.count; i++) feeder.prefetch_w(share.first + i, tile);
                }
#endif
            }
#if TRT_PDL
            wait_for_predecessors();
#endif
            Ring ring;
            for (int t = share.start; t < share.space.total; t += share.stride)
            {
                Tile tile = share.space.at(t, rank);
                for (int i = 0; i < share.count; i++, ring.next())
                {
                    int k = share.first + i;
                    if (early > 0) early--;
                    else
                    {
                        barrier_wait(empty + ring.stage * 8, ring.parity ^ 1);
                        feeder.expect(ring.stage);
                        feeder.load_w(ring.stage, k, tile);
                    }
                    feeder.load_x(ring.stage, k, tile);
                }
            }
        }
        __syncwarp();
    }
    else
    {
#if TRT_REGISTERS
        asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(TRT_REGISTERS));
#endif
#if TRT_PDL
        wait_for_predecessors();
#endif
        Share share(rows, cols, batches0, batches1, pieces, rank);
        Feeder feeder{&map_x, &map_w, base, full, rank, out_w, out_h};
        Sum sum[kBlocks][TRT_BQ / 2];
        Ring ring;
        int block0 = TRT_PINGPONG ? 0 : group * kBlocks;
        u32 my_out = out + group * kHeldPanels * kPanelBytes;
        u32 my_first = first_ready + group * 8, first_parity = 0;
        int t = share.start, step = share.stride;
        if (TRT_PINGPONG)
        {
            t += group * share.stride;
            step = 2 * share.stride;
            if (group == 1) { ring.advance(share.count); named_arrive(1, 256); }
        }
        int rounds = TRT_PINGPONG ? (share.space.total - share.start + step - 1) / step : 0;
        for (int round = 0; TRT_PINGPONG ? round < rounds : t < share.space.total; round++, t += step)
        {
            bool mine = t < share.space.total;
            Tile tile = share.space.at(mine ? t : share.start, rank);
#if TRT_FIRST_TMA
            // Operand 0 on its way while the product is computed; what lay there has been read by its store.
            if (mine && (threadIdx.x & 127) == 0)
            {
                tma_wait_read<0>();
                int count = 0;
                for (int i = 0; i < kBlocks * kPanels; i++)
                {
                    int m = i / kPanels, p = i - m * kPanels;
                    if (tile.row + (TRT_SWAP ? 0 : (block0 + m) * 64) < rows && tile.col + (TRT_SWAP ? (block0 + m) * 64 : p * kPanelCols) < cols) count++;
                }
                barrier_expect(my_first, count * kPanelRows * kPanelSpan);
                for (int i = 0; i < kBlocks * kPanels; i++)
                {
                    int m = i / kPanels, p = i - m * kPanels;
                    int row = tile.row + (TRT_SWAP ? 0 : (block0 + m) * 64), col = tile.col + (TRT_SWAP ? (block0 + m) * 64 : p * kPanelCols);
                    if (row < rows && col < cols) tma_load_4d(my_out + i * kPanelBytes, &map_first, my_first, col, row, op0_batch0 ? tile.batch0 : 0, op0_batch1 ? tile.batch1 : 0);
                }
            }
#endif
            Epilogue epilogue{{op0, op0_batch0, op0_batch1, op0_row}, {op1, op1_batch0, op1_batch1, op1_row}, {op2, op2_batch0, op2_batch1, op2_row}, {op3, op3_batch0, op3_batch1, op3_row},
                              tile.batch0, tile.batch1, tile.batch1 * batches0 + tile.batch0, cols, rows};
            if (round == 0) warm(epilogue, tile, TRT_SPLIT > 1 ? rank : 0);
            if (TRT_PINGPONG) named_sync(1 + group, 256);
            if (mine) accumulate(sum, feeder, empty, ring, block0, share.count);
            if (TRT_PINGPONG)
            {
                // The other group's turn; nobody waits for the last call of group 1.
                if (group == 0 || round + 1 < rounds) named_arrive(2 - group, 256);
                ring.advance(share.count);
                if (!mine) continue;
            }
#if TRT_SPLIT > 1
            send_parts(sum, parts, first_ready, block0, rank);
            barrier_wait(first_ready, 0);
            add_parts((const Sum *)(shared + (parts - shared_address(shared))), y + tile.batch0 * y_batch0 + tile.batch1 * y_batch1, y_row, epilogue, tile, rank);
#elif TRT_STORE
#if TRT_FIRST_TMA
            barrier_wait(my_first, first_parity);
            first_parity ^= 1;
#endif
#if TRT_REQUANTIZE
            requantize_panels(sum, my_out, &map_y, (const float4 *)(TRT_FIRST_TMA ? op1 : op0), tile, block0, group, rows, cols);
#else
            finish_panels<Out>(sum, my_out, &map_y, epilogue, tile, block0, group);
#endif
#else
            finish_directly(sum, y + tile.batch0 * y_batch0 + tile.batch1 * y_batch1, y_row, epilogue, tile, block0);
#endif
        }
#if TRT_STORE && TRT_SPLIT == 1
        if ((threadIdx.x & 127) == 0) tma_wait_read<0>();
#endif
    }
    // Nobody leaves while its peer may still write to its memory. Where k is split, everyone has waited for all that comes.
    if (kCluster > 1) { cluster_arrive_relaxed(); cluster_wait(); }
}
