"""Checks and times attention.cuh beside PyTorch's scaled_dot_product_attention.

    python3 bench/kernels/run_attention.py check|time|wide [SECONDS]        (wide: the problems whose keys fit in one tile)
"""
import ctypes as C
import os
import pickle
import sys
import time
from dataclasses import dataclass, replace

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gpu
import worker
from texts import Attention, WideAttention

CACHE = os.environ.get("KERNEL_CACHE", "/tmp/attention-cache.pickle")
ME = os.path.abspath(__file__)


@dataclass
class Problem:
    batch: int
    heads: int
    kv_heads: int
    queries: int
    keys: int
    head: int = 64
    causal: int = 0
    mask: str = ""           # "", padding (batch, 1, 1, keys), full (1, heads, queries, keys), batch (batch, 1, queries, keys, 16-bit)
    type: str = "tc::f16"
    wide_only: int = 0       # of the kernel that streams keys, time few variants
    fused: int = 1           # views of one [batch, rows, 3·heads·head] tensor, output [batch, rows, heads·head]

    @property
    def label(self):
        return f"b{self.batch} h{self.heads}/{self.kv_heads} {self.queries}x{self.keys} d{self.head}" + (" causal" if self.causal else "") + (" " + self.mask if self.mask else "") + ("" if self.type == "tc::f16" else " bf16")


MASKS = {"padding": "float", "full": "float", "batch": "tc::f16"}


def wide_variants(p, everything=False):
    """All keys in one tile."""
    done = []
    if p.keys > 256:
        return done
    keys = -(-p.keys // 8) * 8
    tiles_of_all = -(-p.queries // 64)
    for groups in (1, 2, 3):
        for tiles in (1, 2, 3, 4):
            if tiles > tiles_of_all or (tiles < min(2, groups) and not everything and tiles_of_all * p.batch * p.heads > 400):
                continue
            for length in (p.keys, 0) if everything else (p.keys,):
                for mask in (1, 2) if p.mask == "batch" and p.keys % 8 == 0 else (1,) if p.mask else (0,):
                    v = WideAttention(head=p.head, group=p.heads // p.kv_heads, keys=keys, length=length, tiles=tiles, groups=groups, causal=p.causal, mask=mask, mask_type=MASKS.get(p.mask, "float"), pairs=1 if mask == 1 and p.keys % 2 == 0 and not (everything and tiles == 2) else 0, type=p.type)
                    for stages in (1, 2, 3, 4):
                        w = replace(v, stages=stages)
                        if w.shared <= 232448 and (stages == 1) == (tiles * p.batch * p.heads <= 132) and keys * groups <= 600 and -(-groups // tiles) <= stages:
                            done.append(w)
    return done


def variants(p, everything=False):
    group = p.heads // p.kv_heads
    rows = p.queries * group
    done = []
    few = p.batch * p.kv_heads * -(-rows // 64) < 200
    for wide in (1, 2):
        for qw in (1, 2, 3, 4, 7, 8):
            for kw in (1, 2, 4, 8):
                for keys in (16, 32, 48, 64, 80, 96, 112, 128):
                    for split in (1, 2, 4, 8):
                        for resident in (0, 1):
                            v = Attention(head=p.head, group=group, query_warps=qw, key_warps=kw, row_tiles=wide, keys=keys, stages=2, split=split, causal=p.causal, mask=MASKS.get(p.mask, ""), type=p.type)
                            tile = kw * keys
                            steps = -(-p.keys // tile)
                            if qw * kw > 16 or qw * kw < 2 or v.rows >= rows + 16 * max(1, v.rows // 32) or steps < split or keys * wide * max(1, p.head // 64) > 128:
                                continue
                            if qw in (3, 7) and not (v.rows >= rows > v.rows - 32):
                                continue
                            if resident:
                                if steps > 8 or split > 1:
                                    continue
                                v.resident = steps
                            if steps == split:
                                v.stages = 1
                            waste = steps * tile - p.keys
                            if waste > max(16, p.keys // 6) + 16 * (kw - 1):
                                continue
                            if not resident and steps != split and keys not in (32, 64, 128):
                                continue
                            blocks = p.batch * p.kv_heads * -(-rows // v.rows) * split
                            if v.shared > 232448 or (split > 1 and blocks > 264) or (kw > 1 and blocks > 800):
                                continue
                            if not everything and few and blocks < 40 and p.batch * p.kv_heads * -(-rows // 16) >= 40:
                                continue
                            if not everything and not few and (qw == 1 or (p.keys > 512 and kw > 1)) and rows > 16:
                                continue
                            done.append(v)
                            if resident and kw == 1 and (everything or not few):
                                w = replace(v, persistent=1)
                                if w.shared <= 232448:
                                    done.append(w)
    return done


CHECKS = [Problem(2, 12, 12, 128, 128), Problem(2, 3, 3, 197, 197), Problem(1, 4, 2, 100, 77, mask="padding"), Problem(2, 8, 2, 1, 513), Problem(1, 12, 12, 1, 40), Problem(2, 4, 4, 300, 300, causal=1), Problem(1, 8, 2, 65, 200, causal=1, mask="full"),
          Problem(1, 2, 2, 1000, 1000), Problem(1, 2, 2, 64, 64, head=128), Problem(1, 4, 4, 77, 77, head=72), Problem(1, 4, 4, 130, 130, head=40, type="tc::bf16"), Problem(1, 2, 2, 200, 333, head=80), Problem(1, 5, 1, 33, 1024, head=96), Problem(2, 12, 12, 128, 128, mask="batch"), Problem(50, 4, 2, 70, 200, mask="batch"), Problem(3, 4, 4, 256, 256, head=128), Problem(20, 12, 12, 197, 197, type="tc::bf16"),
          Problem(3, 2, 2, 49, 49, head=32, mask="padding"), Problem(9, 4, 4, 130, 130, head=72, causal=1)]
WIDE = [Problem(32, 12, 12, 128, 128, wide_only=1), Problem(32, 12, 12, 128, 128, mask="batch", wide_only=1), Problem(32, 12, 12, 128, 128, mask="padding", wide_only=1), Problem(64, 12, 12, 197, 197, wide_only=1), Problem(1, 12, 12, 128, 128, mask="batch", wide_only=1), Problem(1, 12, 12, 197, 197, wide_only=1),
        Problem(8, 12, 12, 77, 77, causal=1, wide_only=1), Problem(16, 16, 16, 256, 256, wide_only=1)]
TIMES = [Problem(1, 12, 12, 128, 128), Problem(32, 12, 12, 128, 128), Problem(1, 12, 12, 197, 197), Problem(64, 12, 12, 197, 197), Problem(1, 12, 12, 1, 513), Problem(32, 12, 12, 1, 513), Problem(1, 16, 16, 2048, 2048), Problem(4, 16, 16, 1024, 1024, causal=1), Problem(8, 12, 12, 77, 77, causal=1)]


def few_variants(p):
    done = [v for v in variants(p) if v.key_warps == 1]
    return [v for v in done if v.name in ("q8k1x128r1p", "q4k1x128r1p", "q8k1x128s1", "q8k1x112r2p", "q4k1x112r2p", "q7wk1x64s2", "q7k1x112r2p")]


def random(torch, p, seed):
    g = torch.Generator(device="cuda").manual_seed(seed)
    t = torch.bfloat16 if p.type == "tc::bf16" else torch.float16
    r = lambda *s: torch.randn(s, device="cuda", generator=g).to(t)
    if p.fused and p.queries == p.keys and p.heads == p.kv_heads:
        x = r(p.batch, p.queries, 3, p.heads, p.head)
        q, k, v = (x[:, :, i].transpose(1, 2) for i in range(3))
    else:
        q = r(p.batch, p.queries, p.heads, p.head).transpose(1, 2)
        k, v = (r(p.batch, p.kv_heads, p.keys, p.head) for _ in range(2))
    y = torch.full((p.batch, p.queries, p.heads, p.head), float("nan"), device="cuda", dtype=t).transpose(1, 2)
    m = None
    if p.mask == "batch":
        m = torch.where(torch.rand((p.batch, 1, p.queries, p.keys), device="cuda", generator=g) < 0.3, -10000.0, 0.0).half()
    if p.mask == "padding":
        m = torch.where(torch.rand((p.batch, 1, 1, p.keys), device="cuda", generator=g) < 0.3, -10000.0, 0.0)
    elif p.mask == "full":
        m = torch.randn((1, p.heads, p.queries, p.keys), device="cuda", generator=g)
    return q, k, v, y, m


def reference(torch, p, q, k, v, m):
    q, k, v = q.double(), k.double(), v.double()
    g = p.heads // p.kv_heads
    k, v = k.repeat_interleave(g, 1), v.repeat_interleave(g, 1)
    s = q @ k.transpose(-1, -2) * p.head ** -0.5
    if m is not None:
        s = s + m.double()
    if p.causal:
        i = torch.arange(p.queries, device="cuda")[:, None] + (p.keys - p.queries)
        s = s.masked_fill(torch.arange(p.keys, device="cuda")[None] > i, float("-inf"))
    return s.softmax(-1) @ v


def prepare_wide(kernel, v, p, q, k, vv, y, m):
    L, I = C.c_longlong, C.c_int

    def rows(t, box):
        b, h, r, d = t.shape
        return gpu.tiled(v.type, t.data_ptr(), (d, r, h, b), (t.stride(2) * 2, t.stride(1) * 2, t.stride(0) * 2), (64, box, 1, 1), 128)
    a = [rows(q, 64), rows(k, v.keys), rows(vv, -(-v.keys // 16) * 16), rows(y, 64)]
    if v.mask == 2:
        b, h, r, d = m.shape
        a += [gpu.tiled(v.mask_type, m.data_ptr(), (d, r, h, b), (m.stride(2) * 2, m.stride(1) * 2, m.stride(0) * 2), (64, 64, 1, 1), 128), I(h > 1), I(b > 1)]
    elif v.mask:
        e = m.expand(p.batch, p.heads, p.queries, p.keys)
        a += [gpu.pointer(m), *(L(s) for s in e.stride())]
    a += [I(p.queries), I(p.keys), I(p.keys - p.queries), I(p.heads), I(p.batch), C.c_float(p.head ** -0.5)]
    items = -(-p.queries // (64 * v.tiles)) * p.heads * p.batch
    return gpu.Launch(kernel, (min(items, 132 * kernel.blocks(v.threads)),), v.threads, a, 1, bool(v.pdl))


def prepare(kernel, v, p, q, k, vv, y, m):
    if isinstance(v, WideAttention):
        return prepare_wide(kernel, v, p, q, k, vv, y, m)
    L, I = C.c_longlong, C.c_int
    a = []
    for t in (q, k, vv, y):
        assert t.stride(3) == 1
        a += [gpu.pointer(t), L(t.stride(0)), L(t.stride(1)), L(t.stride(2))]
    if m is not None:
        e = m.expand(p.batch, p.heads, p.queries, p.keys)
        a += [gpu.pointer(m), *(L(s) for s in e.stride())]
    a += [I(p.queries), I(p.keys), I(p.keys - p.queries), I(p.kv_heads), I(p.batch), C.c_float(p.head ** -0.5)]
    tiles = -(-p.queries * v.group // v.rows)
    if v.persistent:
        return gpu.Launch(kernel, (min(tiles * p.kv_heads * p.batch, 132 * kernel.blocks(v.threads)),), v.threads, a, 1, bool(v.pdl))
    return gpu.Launch(kernel, (tiles * v.split, p.kv_heads, p.batch), v.threads, a, v.split, bool(v.pdl))


def cases(mode):
    done = []
    for p in CHECKS if mode == "check" else WIDE if mode == "wide" else TIMES:
        if mode != "check":
            done.append((p, None))
        ours = variants(p, mode == "check") if mode == "check" or not p.wide_only else few_variants(p)
        for v in wide_variants(p, mode == "check") + ours:
            if mode != "check":
                v = replace(v, pdl=1 if p.batch == 1 else 0)
            done.append((p, v))
    if mode == "check":
        kept, n = [], 0
        for p in CHECKS:
            mine = [c for c in done if c[0] is p]
            wide = [c for c in mine if isinstance(c[1], WideAttention)]
            mine = [c for c in mine if not isinstance(c[1], WideAttention)]
            kept += wide[::max(1, len(wide) // 10)] + mine[::max(1, len(mine) // 6)]
        done = kept
    return done


def parent(mode, budget):
    todo = cases(mode)
    cache = pickle.load(open(CACHE, "rb")) if os.path.exists(CACHE) else {}
    texts = {v.text(): v.text() for _, v in todo if v is not None}
    began = time.time()
    cache.update(gpu.compile_all({t: t for t in texts if t not in cache}))
    pickle.dump(cache, open(CACHE, "wb"))
    print(f"{len(texts)} texts in {time.time() - began:.1f} s", flush=True)
    results = worker.run_cases(ME, mode + "-child", len(todo), budget)
    good, rows = 0, {}
    for i, (p, v) in enumerate(todo):
        r = results.get(i)
        name = v.name if v else "library"
        if r is None or "error" in r:
            print("ERROR", p.label, name, r and r["error"][:300])
        elif not r["relative"] < (8e-3 if p.type == "tc::bf16" else 2e-3):
            print("WRONG", p.label, name, r["relative"])
        else:
            good += 1
            if mode != "check":
                rows.setdefault(p.label, []).append((r["us"], name))
    if mode == "check":
        print(f"{good} of {len(todo)} right", flush=True)
    for label, r in rows.items():
        lib = [u for u, n in r if n == "library"]
        print(f"{label:32s} lib {lib[0] if lib else float('nan'):7.2f} | " + "  ".join(f"{n} {u:.2f}" for u, n in sorted(r)[:8] if n != "library"), flush=True)


def child(mode, first):
    torch = gpu.start()
    cache = pickle.load(open(CACHE, "rb"))
    todo = cases(mode)
    last = None
    for i in range(first, len(todo)):
        p, v = todo[i]
        worker.at(i)
        if v is not None and v.text() not in cache:
            worker.done(i, error="not compiled")
            continue
        if last is not p:
            one = random(torch, p, i)
            bytes_ = sum(t.numel() * t.element_size() for t in one if t is not None)
            want = reference(torch, p, *one[:3], one[4])
            count = 1 if mode == "check" else max(2, min(24, int(130e6 / bytes_) + 1))
            sets = [one] + [random(torch, p, 1000 + j) for j in range(count - 1)]
            last = p
        one[3].fill_(float("nan"))
        stream = torch.cuda.current_stream().cuda_stream
        if v is None:
            F = torch.nn.functional
            calls = [lambda _, s=s: F.scaled_dot_product_attention(s[0], s[1], s[2], attn_mask=None if s[4] is None else s[4].to(s[0].dtype), is_causal=bool(p.causal), enable_gqa=p.heads != p.kv_heads) for s in sets]
            worker.done(i, us=gpu.time_graph(torch, calls, repeat=max(1, 16 // len(calls))), relative=0)
            continue
        kernel = gpu.Kernel(cache[v.text()], shared=v.shared)
        launches = [prepare(kernel, v, p, *s) for s in sets]
        launches[0](stream)
        torch.cuda.synchronize()
        error = ((one[3].double() - want).norm() / want.norm()).item()
        worker.done(i, relative=error, us=0 if mode == "check" else gpu.time_graph(torch, launches, repeat=max(1, 16 // len(launches))))
        kernel.unload()


if __name__ == "__main__":
    mode = sys.argv[1]
    if mode.endswith("-child"):
        child(mode[:-6], int(sys.argv[2]))
    else:
        parent(mode, float(sys.argv[2]) if len(sys.argv) > 2 else 60)
