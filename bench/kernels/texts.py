"""Text of a hand-made kernel, assembled as the C# classes do it: definitions, the epilogue's function, then the .cuh file with its includes put in once."""
import os
import re
from dataclasses import dataclass, field, replace

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = [os.path.join(HERE, "..", "..", "src", "TrtTools.Core", "Kernels"), os.path.join(HERE, "cuh")]


def read(name):
    for folder in FOLDERS:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return open(path, encoding="utf-8").read()
    raise FileNotFoundError(name)


def expand(name, seen):
    if name in seen:
        return ""
    seen.add(name)
    lines = []
    for line in read(name).splitlines():
        found = re.match(r'\s*#include "(.+)"', line)
        if found:
            lines.append(expand(found.group(1), seen))
        elif line.strip() != "#pragma once":
            lines.append(line)
    return "\n".join(lines) + "\n"


def assemble(defines, functor, file):
    head = "".join(f"#define {k} {v}\n" for k, v in defines.items())
    # types come first, so that the function and the definitions can name them
    seen = set()
    types = expand("types.cuh", seen)
    return types + head + functor + "\n" + expand(file, seen)


SIZES = {"tc::f16": 2, "tc::bf16": 2, "float": 4, "tc::s8": 1}
KINDS = {"tc::f16": 0, "tc::bf16": 1, "float": 2, "tc::s8": 3}

PLAIN = "static __device__ __forceinline__ float trt_epilogue(float acc, float e0, float e1, float e2, float e3, int batch, int row, int col) { return %s; }"


@dataclass
class Gemm:
    """One variant of wgmma_gemm.cuh."""
    swap: int = 0
    bp: int = 128
    bq: int = 128
    groups: int = 2
    pingpong: int = 0
    span: int = 128
    sub: int = 1
    stages: int = 4
    split: int = 1
    multicast: int = 0
    w_mn: int = 0
    store: int = 1
    first_tma: int = 0
    pdl: int = 0
    registers: int = 0
    panels: int = 0
    vector: int = 8
    type: str = "tc::f16"
    out: str = "tc::f16"
    conv: dict = None
    operands: tuple = ()           # (type, kind) in the order e0…
    expression: str = "acc"
    batched: tuple = (3, 3)        # x, w
    spin: int = 0

    @property
    def rows(self):
        return self.bq if self.swap else self.bp

    @property
    def cols(self):
        return self.bp if self.swap else self.bq

    @property
    def depth(self):
        return self.span // SIZES[self.type]

    @property
    def threads(self):
        return self.groups * 128 + (128 if self.registers else 32)

    @property
    def stage_bytes(self):
        w = (self.cols + 63) // 64 * self.depth * 128 if self.w_mn else self.cols * self.span
        return self.sub * (self.rows * self.span + w)

    @property
    def row_bytes(self):
        return (64 if self.swap else self.bq) * SIZES[self.out]

    @property
    def panel_span(self):
        return next((p for p in (128, 64) if self.row_bytes % p == 0), 32)

    @property
    def shared(self):
        blocks = self.bp // 64 // (1 if self.pingpong else self.groups)
        panels = self.row_bytes // self.panel_span
        panel = ((self.bq if self.swap else 64) * self.panel_span + 1023) // 1024 * 1024
        out = self.groups * (self.panels or blocks * panels) * panel if self.store and self.split == 1 else 0
        ring = self.stages * self.stage_bytes
        if self.split > 1:
            stride = self.bp + 4 if self.swap else (self.bq + 31) // 32 * 32 + 8
            ring += self.split * -(-self.rows // self.split) * stride * 4
        return 1024 + ring + out + (2 * self.stages + self.groups) * 8

    @property
    def name(self):
        s = f"{'s' if self.swap else 'n'}{self.bp}x{self.bq}g{self.groups}{'p' if self.pingpong else 'c'}s{self.stages}"
        if self.span != 128 or self.sub != 1:
            s += f"k{self.span}x{self.sub}"
        if self.split > 1:
            s += f"/{self.split}"
        if self.multicast:
            s += f"m{self.multicast}"
        if self.w_mn:
            s += "t"
        if not self.store:
            s += "d"
        if self.registers:
            s += "r"
        if self.panels:
            s += f"e{self.panels}"
        if self.first_tma:
            s += "f"
        return s

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_IN": self.type, "TRT_IN_KIND": KINDS[self.type], "TRT_OUT": self.out, "TRT_SWAP": self.swap, "TRT_BP": self.bp, "TRT_BQ": self.bq,
             "TRT_GROUPS": self.groups, "TRT_PINGPONG": self.pingpong, "TRT_SPAN": self.span, "TRT_SUB": self.sub, "TRT_STAGES": self.stages, "TRT_SPLIT": self.split,
             "TRT_MULTICAST": self.multicast, "TRT_W_MN": self.w_mn, "TRT_X_BATCHED": self.batched[0], "TRT_W_BATCHED": self.batched[1], "TRT_STORE": self.store,
             "TRT_FIRST_TMA": self.first_tma, "TRT_PDL": self.pdl, "TRT_REGISTERS": self.registers, "TRT_PANELS": self.panels, "TRT_VECTOR": self.vector, "TRT_CONV": 1 if self.conv else 0}
        if self.conv:
            for k in ("TAPS", "FILTER_W", "CHANNEL_BLOCKS", "STRIDE_H", "STRIDE_W", "PAD_H", "PAD_W", "DILATION_H", "DILATION_W"):
                d["TRT_" + k] = self.conv[k]
        if self.spin:
            d["TRT_SPIN_LIMIT"] = self.spin
        for i, (t, k) in enumerate(self.operands):
            d[f"TRT_OP{i}_TYPE"] = t
            d[f"TRT_OP{i}_KIND"] = "tc::Operand" + k
        return assemble(d, PLAIN % self.expression, "wgmma_gemm.cuh")


@dataclass
class Attention:
    """One variant of attention.cuh."""
    head: int = 64
    group: int = 1
    query_warps: int = 4
    key_warps: int = 1
    row_tiles: int = 1
    keys: int = 64
    stages: int = 2
    resident: int = 0
    persistent: int = 0
    split: int = 1
    causal: int = 0
    mask: str = ""
    pdl: int = 0
    type: str = "tc::f16"

    @property
    def threads(self):
        return self.query_warps * self.key_warps * 32

    @property
    def rows(self):
        return self.query_warps * self.row_tiles * 16

    @property
    def shared(self):
        head = (self.head + 15) // 16 * 16
        pitch = head * 2 + 16
        tiles = self.rows * pitch + 2 * (self.resident or self.stages) * self.key_warps * self.keys * pitch
        parts = self.key_warps * self.rows * (head + 4 + 2) * 4 if self.key_warps * self.split > 1 else 0
        return max(tiles * (2 if self.persistent else 1), parts)

    @property
    def name(self):
        return f"q{self.query_warps}{'w' if self.row_tiles == 2 else ''}k{self.key_warps}x{self.keys}" + (f"r{self.resident}{'p' if self.persistent else ''}" if self.resident else f"s{self.stages}") + (f"/{self.split}" if self.split > 1 else "")

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_TYPE": self.type, "TRT_HEAD": self.head, "TRT_GROUP": self.group, "TRT_QUERY_WARPS": self.query_warps, "TRT_KEY_WARPS": self.key_warps, "TRT_ROW_TILES": self.row_tiles, "TRT_RESIDENT": self.resident, "TRT_PERSISTENT": self.persistent, "TRT_KEYS": self.keys,
             "TRT_STAGES": self.stages, "TRT_SPLIT": self.split, "TRT_CAUSAL": self.causal, "TRT_MASK": 1 if self.mask else 0, "TRT_MASK_TYPE": self.mask or "float", "TRT_PDL": self.pdl}
        return assemble(d, "", "attention.cuh")


def operand_defines(operands):
    d = {}
    for i, (t, k) in enumerate(operands):
        d[f"TRT_OP{i}_TYPE"] = t
        d[f"TRT_OP{i}_KIND"] = "tc::Operand" + k
    return d


@dataclass
class Stem:
    """stem.cuh"""
    channels: int = 3
    r: int = 7
    stride: int = 2
    pad: int = 3
    cols: int = 64
    image: str = "float"
    type: str = "tc::f16"
    vector: int = 8
    pdl: int = 0
    operands: tuple = ()
    expression: str = "acc"

    @property
    def shared(self):
        stepped = self.channels + (self.stride * self.channels % 2)
        run = (self.r * stepped + 1) // 2 * 2
        k = (self.r * run + 15) // 16 * 16
        side = 15 * self.stride + self.r
        row = (side * stepped + 2) // 2 * 2
        patch = (side * row * 2 + 16 + 15) // 16 * 16
        pitch = k * 2 + 16 + (16 if k // 8 % 2 else 0)
        return self.cols * pitch + patch + 256 * (self.cols * 2 + 16)

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_TYPE": self.type, "TRT_IN": self.image, "TRT_W": self.type, "TRT_CHANNELS": self.channels, "TRT_R": self.r, "TRT_S": self.r, "TRT_STRIDE_H": self.stride, "TRT_STRIDE_W": self.stride,
             "TRT_PAD_H": self.pad, "TRT_PAD_W": self.pad, "TRT_COLS": self.cols, "TRT_PDL": self.pdl, "TRT_VECTOR": self.vector, **operand_defines(self.operands)}
        return assemble(d, PLAIN % self.expression, "stem.cuh")


@dataclass
class Depthwise:
    """depthwise.cuh"""
    r: int = 3
    stride: int = 1
    pad: int = 1
    dilation: int = 1
    th: int = 2
    tw: int = 4
    lanes: int = 8
    threads: int = 128
    type: str = "tc::f16"
    pdl: int = 0
    operands: tuple = ()
    expression: str = "acc"

    @property
    def name(self):
        return f"{self.th}x{self.tw}l{self.lanes}t{self.threads}"

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_TYPE": self.type, "TRT_W": self.type, "TRT_R": self.r, "TRT_S": self.r, "TRT_STRIDE_H": self.stride, "TRT_STRIDE_W": self.stride, "TRT_PAD_H": self.pad, "TRT_PAD_W": self.pad,
             "TRT_DILATION_H": self.dilation, "TRT_DILATION_W": self.dilation, "TRT_TH": self.th, "TRT_TW": self.tw, "TRT_LANES": self.lanes, "TRT_THREADS": self.threads, "TRT_PDL": self.pdl, "TRT_VECTOR": 8,
             **operand_defines(self.operands)}
        return assemble(d, PLAIN % self.expression, "depthwise.cuh")


@dataclass
class Mma:
    """mma_gemm.cuh"""
    bm: int = 128
    bn: int = 128
    wm: int = 2
    wn: int = 4
    depth: int = 64
    stages: int = 4
    copy: int = 16
    conv: dict = None
    x_mn: int = 0
    w_mn: int = 0
    vector: int = 8
    pdl: int = 0
    type: str = "tc::f16"
    out: str = "tc::f16"
    operands: tuple = ()
    expression: str = "acc"

    @property
    def threads(self):
        return self.wm * self.wn * 32

    @property
    def shared(self):
        size = SIZES[self.type]
        k = self.depth // size
        x = k * (self.bm * size + 16) if self.x_mn else self.bm * (self.depth + 16)
        w = k * (self.bn * size + 16) if self.w_mn else self.bn * (self.depth + 16)
        return self.stages * (x + w)

    @property
    def name(self):
        return f"mma{self.bm}x{self.bn}w{self.wm}x{self.wn}k{self.depth}s{self.stages}" + (f"c{self.copy}" if self.copy != 16 else "")

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_IN": self.type, "TRT_IN_KIND": KINDS[self.type], "TRT_OUT": self.out, "TRT_BM": self.bm, "TRT_BN": self.bn, "TRT_WM": self.wm, "TRT_WN": self.wn, "TRT_DEPTH": self.depth,
             "TRT_STAGES": self.stages, "TRT_COPY": self.copy, "TRT_CONV": 1 if self.conv else 0, "TRT_X_MN": self.x_mn, "TRT_W_MN": self.w_mn, "TRT_PDL": self.pdl, "TRT_VECTOR": self.vector, **operand_defines(self.operands)}
        for k, v in (self.conv or {}).items():
            d["TRT_" + k] = v
        return assemble(d, PLAIN % self.expression, "mma_gemm.cuh")


@dataclass
class WideAttention:
    """wgmma_attention.cuh"""
    head: int = 64
    group: int = 1
    keys: int = 128
    length: int = 0
    tiles: int = 2
    groups: int = 3
    stages: int = 2
    causal: int = 0
    mask: int = 0
    mask_type: str = "float"
    pairs: int = 0
    pdl: int = 0
    type: str = "tc::f16"

    @property
    def threads(self):
        return self.groups * 128 + (128 if self.groups > 1 else 32)

    @property
    def panels(self):
        return (self.head + 63) // 64

    @property
    def stage_bytes(self):
        return self.tiles * self.panels * 8192 + self.panels * (self.keys + (self.keys + 15) // 16 * 16) * 128 + (self.tiles * ((self.keys + 63) // 64) * 8192 if self.mask == 2 else 0)

    @property
    def shared(self):
        return 1024 + self.stages * (self.stage_bytes + 16) + self.groups * self.panels * 8192

    @property
    def name(self):
        return f"wg{self.groups}t{self.tiles}x{self.keys}s{self.stages}" + ("" if self.length else "v") + ({0: "", 1: "m", 2: "M"}[self.mask])

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_TYPE": self.type, "TRT_TYPE_KIND": KINDS[self.type], "TRT_HEAD": self.head, "TRT_GROUP": self.group, "TRT_KEYS": self.keys, "TRT_LENGTH": self.length, "TRT_TILES": self.tiles,
             "TRT_GROUPS": self.groups, "TRT_STAGES": self.stages, "TRT_CAUSAL": self.causal, "TRT_MASK": self.mask, "TRT_MASK_TYPE": self.mask_type, "TRT_MASK_PAIRS": self.pairs, "TRT_PDL": self.pdl}
        return assemble(d, "", "wgmma_attention.cuh")


@dataclass
class WideStem:
    """wgmma_stem.cuh"""
    channels: int = 3
    r: int = 7
    pad: int = 3
    cols: int = 64
    th: int = 4
    wt: int = 2
    quads: int = 0
    image: str = "float"
    type: str = "tc::f16"
    vector: int = 8
    pdl: int = 0
    operands: tuple = ()
    expression: str = "acc"

    @property
    def steps(self):
        return (self.r + 3) // 4

    @property
    def patch(self):
        return ((self.th - 1) * 2 + self.r) * ((self.wt * 64 - 1) * 2 + self.steps * 4) * 8

    @property
    def shared(self):
        return self.r * self.steps * self.cols * 32 + 2 * self.patch + 8 * 16 * (self.cols * 2 + 16)

    @property
    def name(self):
        return f"wide{self.th}x{self.wt}c{self.cols}" + ("q" if self.quads else "")

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_TYPE": self.type, "TRT_TYPE_KIND": KINDS[self.type], "TRT_IN": self.image, "TRT_W": self.type, "TRT_CHANNELS": self.channels, "TRT_FILTER_H": self.r, "TRT_FILTER_W": self.r, "TRT_PAD_H": self.pad, "TRT_PAD_W": self.pad,
             "TRT_COLS": self.cols, "TRT_TH": self.th, "TRT_WT": self.wt, "TRT_QUADS": self.quads, "TRT_PDL": self.pdl, "TRT_VECTOR": self.vector, **operand_defines(self.operands)}
        return assemble(d, PLAIN % self.expression, "wgmma_stem.cuh")


@dataclass
class TileDepthwise:
    """tma_depthwise.cuh"""
    r: int = 3
    stride: int = 1
    pad: int = 1
    dilation: int = 1
    slab: int = 64
    tp: int = 14
    tq: int = 14
    tr: int = 2
    tw: int = 7
    threads: int = 128
    type: str = "tc::f16"
    pdl: int = 0
    operands: tuple = ()
    expression: str = "acc"

    @property
    def box(self):
        return (self.tp - 1) * self.stride + (self.r - 1) * self.dilation + 1, (self.tq - 1) * self.stride + (self.r - 1) * self.dilation + 1

    @property
    def shared(self):
        return 128 + 2 * ((self.box[0] * self.box[1] * self.slab * 2 + 127) // 128 * 128)

    @property
    def name(self):
        return f"tile{self.tp}x{self.tq}u{self.tr}x{self.tw}c{self.slab}t{self.threads}"

    def text(self):
        d = {"TRT_KERNEL": "kernel", "TRT_TYPE": self.type, "TRT_W": self.type, "TRT_R": self.r, "TRT_S": self.r, "TRT_STRIDE_H": self.stride, "TRT_STRIDE_W": self.stride, "TRT_PAD_H": self.pad, "TRT_PAD_W": self.pad,
             "TRT_DILATION_H": self.dilation, "TRT_DILATION_W": self.dilation, "TRT_SLAB": self.slab, "TRT_TP": self.tp, "TRT_TQ": self.tq, "TRT_TR": self.tr, "TRT_TW": self.tw, "TRT_THREADS": self.threads, "TRT_PDL": self.pdl,
             "TRT_VECTOR": 8, **operand_defines(self.operands)}
        return assemble(d, PLAIN % self.expression, "tma_depthwise.cuh")
