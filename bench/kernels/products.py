"""Matrix products and convolutions by wgmma_gemm.cuh: problems, their launches and references."""
import ctypes as C
from dataclasses import dataclass

import gpu
from texts import SIZES, Gemm

TORCH = {"tc::f16": "float16", "tc::bf16": "bfloat16", "float": "float32", "tc::s8": "int8"}


@dataclass
class Problem:
    """A product (rows × k by cols × k, batched) or, with geometry, a convolution over NHWC."""
    rows: int = 0
    cols: int = 0
    k: int = 0
    batches0: int = 1
    batches1: int = 1
    conv: tuple = None      # n, h, w, c, k, r, s, stride, pad, dilation
    epilogue: str = "bias"  # plain, bias, relu, gelu, residual (bias + residual), residual_relu, requantize
    type: str = "tc::f16"
    out: str = "tc::f16"
    y_extra: int = 0        # columns that the output's rows have beyond ours
    w_mn: int = 0
    shared_w: int = 0       # the same weights for every batch

    def __post_init__(self):
        if self.conv:
            n, h, w, c, k, r, s, st, pad, dil = self.conv
            self.p = (h + 2 * pad - dil * (r - 1) - 1) // st + 1
            self.q = (w + 2 * pad - dil * (s - 1) - 1) // st + 1
            self.rows, self.cols, self.k = n * self.p * self.q, k, r * s * c

    @property
    def flops(self):
        return 2 * self.rows * self.cols * self.k * self.batches0 * self.batches1

    @property
    def label(self):
        if self.conv:
            n, h, w, c, k, r, s, st, pad, dil = self.conv
            t = f"conv n{n} {h}x{w}x{c}->{k} {r}x{s}/{st}" + (f" d{dil}" if dil > 1 else "")
        else:
            t = f"gemm {self.rows}x{self.cols}x{self.k}" + (f" b{self.batches0}x{self.batches1}" if self.batches0 * self.batches1 > 1 else "")
        return t + f" {self.epilogue} {self.type[4:] if ':' in self.type else 'tf32'}" + (" kn" if self.w_mn else "")


EPILOGUES = {
    "plain": ((), "acc"),
    "bias": ((("float", "Column"),), "acc + e0"),
    "relu": ((("float", "Column"),), "fmaxf(acc + e0, 0.f)"),
    "gelu": ((("float", "Column"),), "tc::gelu_fast(acc + e0)"),
    "residual": ((("T", "Full"), ("float", "Column")), "acc + e1 + e0"),
    "residual_relu": ((("T", "Full"), ("float", "Column")), "fmaxf(acc + e1 + e0, 0.f)"),
    "requantize": ((("float", "Column"), ("float", "Column")), "fmaxf(acc * e0 + e1, 0.f)"),
}


def variant(problem, **options):
    """A variant's description for a problem; None if it can't be."""
    operands, expression = EPILOGUES[problem.epilogue]
    operands = tuple((problem.out if t == "T" else t, k) for t, k in operands)
    conv = None
    if problem.conv:
        n, h, w, c, k, r, s, st, pad, dil = problem.conv
        depth = options.get("span", 128) // SIZES[problem.type]
        conv = dict(TAPS=r * s, FILTER_W=s, CHANNEL_BLOCKS=(c + depth - 1) // depth, STRIDE_H=st, STRIDE_W=st, PAD_H=pad, PAD_W=pad, DILATION_H=dil, DILATION_W=dil)
    first = options.pop("first", None)
    if problem.type == "tc::s8" and options.get("bq", 128) > 32:
        options["bq"] = (options.get("bq", 128) + 15) // 16 * 16
    v = Gemm(type=problem.type, out=problem.out, operands=operands, expression=expression, conv=conv, w_mn=problem.w_mn, batched=(3, 0 if problem.shared_w else 3), **options)
    size = SIZES[problem.out]
    if (problem.cols + problem.y_extra) * size % 16 or problem.cols % 8:
        v.vector = 8 if (problem.cols + problem.y_extra) % 8 == 0 and problem.cols % 8 == 0 else 2 if problem.cols % 2 == 0 and problem.y_extra % 2 == 0 else 1
    if (problem.cols + problem.y_extra) * size % 16 or v.split > 1 or (v.swap and size != 2) or (not v.swap and v.row_bytes % 32):
        v.store = 0
    v.first_tma = 1 if first is not False and operands and operands[0][1] == "Full" and v.store and size == 2 else 0
    if v.first_tma or not v.store:
        v.panels = 0
    if v.sub > 1:
        pieces = conv["TAPS"] * conv["CHANNEL_BLOCKS"] if conv else -(-problem.k // v.depth)
        if pieces % v.sub:
            return None
    return v if v.shared <= 232448 else None


class Data:
    """Tensors of a problem, with random content; and what double precision says of them."""
    def __init__(self, torch, p, seed=0):
        self.p = p
        g = torch.Generator(device="cuda").manual_seed(seed)
        t = getattr(torch, TORCH[p.type])
        o = getattr(torch, TORCH[p.out])

        def random(shape, dtype, scale=1.0):
            if dtype == torch.int8:
                return torch.randint(-127, 128, shape, device="cuda", dtype=torch.int8, generator=g)
            return (torch.randn(shape, device="cuda", generator=g) * scale).to(dtype)
        if p.conv:
            n, h, w, c, k, r, s, st, pad, dil = p.conv
            self.x = random((n, h, w, c), t)
            self.w = random((k, r, s, c), t, (r * s * c) ** -0.5)
        else:
            self.x = random((p.batches1, p.batches0, p.rows, p.k), t)
            wb = (1, 1) if p.shared_w else (p.batches1, p.batches0)
            self.w = random((*wb, p.k, p.cols) if p.w_mn else (*wb, p.cols, p.k), t, p.k ** -0.5)
        self.whole = torch.full((p.batches1, p.batches0, p.rows, p.cols + p.y_extra), 77 if o == torch.int8 else float("nan"), device="cuda", dtype=o)
        self.y = self.whole[..., :p.cols]
        self.ops = []
        for kind, (dtype, how) in enumerate(EPILOGUES[p.epilogue][0]):
            if how == "Full":
                self.ops.append(random((p.batches1, p.batches0, p.rows, p.cols), o))
            else:
                v = random((p.cols,), torch.float32)
                if p.epilogue == "requantize":
                    v = v.abs() * (40 / (5400 * p.k ** 0.5)) if kind == 0 else v * 10
                self.ops.append(v)
        self.bytes = sum(a.numel() * a.element_size() for a in (self.x, self.w, self.whole, *self.ops))

    def reference(self, torch):
        p = self.p
        if p.conv:
            n, h, w, c, k, r, s, st, pad, dil = p.conv
            acc = torch.nn.functional.conv2d(self.x.double().permute(0, 3, 1, 2), self.w.double().permute(0, 3, 1, 2), None, st, pad, dil).permute(0, 2, 3, 1).reshape(1, 1, p.rows, p.cols)
        else:
            wd = self.w.double()
            acc = self.x.double() @ (wd if p.w_mn else wd.transpose(-1, -2))
        e = [a.double() for a in self.ops]
        y = {"plain": lambda: acc, "bias": lambda: acc + e[0], "relu": lambda: (acc + e[0]).relu(), "gelu": lambda: torch.nn.functional.gelu(acc + e[0]),
             "residual": lambda: acc + e[1] + e[0], "residual_relu": lambda: (acc + e[1] + e[0]).relu(), "requantize": lambda: (acc * e[0] + e[1]).relu()}[p.epilogue]()
        return y.round().clamp(-128, 127) if p.out == "tc::s8" else y


def prepare(kernel, v, d, sms=132, persistent=True):
    """The launch of a variant on data."""
    p = d.p
    size, out = SIZES[v.type], SIZES[v.out]
    xs = d.x.data_ptr()
    if p.conv:
        n, h, w, c, k, r, s, st, pad, dil = p.conv
        rows = v.rows // (2 if v.multicast == 2 else 1)
        map_x = gpu.im2col(v.type, xs, (c, w, h, n), (c * size, w * c * size, h * w * c * size), (-pad, -pad), (pad - (s - 1) * dil, pad - (r - 1) * dil), v.depth, rows, (1, st, st, 1), v.span)
        map_w = gpu.tiled(v.type, d.w.data_ptr(), (c, r * s, k), (c * size, r * s * c * size), (v.depth, 1, v.cols // (2 if v.multicast == 1 else 1)), v.span)
        pieces = v.conv["TAPS"] * v.conv["CHANNEL_BLOCKS"]
    else:
        map_x = gpu.tiled(v.type, xs, (p.k, p.rows, p.batches0, p.batches1), tuple(a * size for a in (d.x.stride(2), d.x.stride(1), d.x.stride(0))), (v.depth, v.rows // (2 if v.multicast == 2 else 1), 1, 1), v.span)
        ws = tuple(a * size for a in (d.w.stride(2), d.w.stride(1), d.w.stride(0)))
        wb = (1, 1) if p.shared_w else (p.batches0, p.batches1)
        if p.w_mn:
            map_w = gpu.tiled(v.type, d.w.data_ptr(), (p.cols, p.k, *wb), ws, (64, v.depth, 1, 1), 128)
        else:
            map_w = gpu.tiled(v.type, d.w.data_ptr(), (p.k, p.cols, *wb), ws, (v.depth, v.cols // (2 if v.multicast == 1 else 1), 1, 1), v.span)
        pieces = (p.k + v.depth - 1) // v.depth
    arguments = [map_x, map_w]
    box = (v.panel_span // out, v.bq if v.swap else 64, 1, 1)
    ys = d.y.stride()
    if v.store and v.split == 1:
        arguments.append(gpu.tiled(v.out, d.y.data_ptr(), (p.cols, p.rows, p.batches0, p.batches1), (ys[2] * out, ys[1] * out, ys[0] * out), box, v.panel_span, 0))
    if v.first_tma:
        f = d.ops[0]
        fs = f.stride()
        arguments.append(gpu.tiled(v.out, f.data_ptr(), (p.cols, p.rows, p.batches0, p.batches1), (fs[2] * out, fs[1] * out, fs[0] * out), box, v.panel_span, 0))
    L = C.c_longlong
    arguments += [gpu.pointer(d.y), L(ys[1]), L(ys[0]), L(ys[2])]
    for i in range(4):
        t = d.ops[i] if i < len(d.ops) else None
        if t is None or t.dim() == 1:
            arguments += [gpu.pointer(t), L(0), L(0), L(0)]
        else:
            arguments += [gpu.pointer(t), L(t.stride(1)), L(t.stride(0)), L(t.stride(2))]
    I = C.c_int
    arguments += [I(p.rows), I(p.cols), I(pieces), I(p.batches0), I(p.batches1), I(p.q if p.conv else 1), I(p.p if p.conv else 1)]
    row_tiles, col_tiles = -(-p.rows // v.rows), -(-p.cols // v.cols)
    if v.multicast == 1:
        row_tiles = -(-row_tiles // 2)
    if v.multicast == 2:
        col_tiles = -(-col_tiles // 2)
    tiles = row_tiles * col_tiles * p.batches0 * p.batches1
    cluster = 2 if v.multicast else v.split
    if v.split > 1:
        grid = tiles * v.split
    else:
        room = kernel.clusters(v.threads, 2) if v.multicast else sms * max(1, kernel.blocks(v.threads))
        grid = (min(tiles, room) if persistent else tiles) * (2 if v.multicast else 1)
    return gpu.Launch(kernel, (grid,), v.threads, arguments, cluster, bool(v.pdl))
