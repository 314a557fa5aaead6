"""Which problems and variants are checked and timed."""
from products import Problem, variant


def dedupe(pairs):
    return [(p, v) for p, v in pairs if v is not None]


def checks():
    P, V = Problem, variant
    out = []
    small = [dict(), dict(bp=192, bq=192, groups=3, stages=4, registers=160, panels=1), dict(bp=128, bq=256, stages=3), dict(bp=64, bq=256, pingpong=1, stages=4), dict(bp=128, bq=128, pingpong=1), dict(bp=256, bq=128, stages=3, registers=232), dict(bp=128, bq=192, multicast=1, stages=3),
             dict(bp=128, bq=128, multicast=2), dict(bp=64, bq=64, groups=1, stages=4), dict(swap=1), dict(swap=1, bp=64, bq=256, groups=1), dict(swap=1, bp=128, bq=200, groups=2, stages=3),
             dict(bp=128, bq=72, split=4, stages=3, pdl=1), dict(swap=1, bp=64, bq=200, groups=1, split=4, stages=3, pdl=1), dict(swap=1, bp=64, bq=56, groups=1, split=8, stages=4, pdl=1),
             dict(bp=128, bq=128, pdl=1, pingpong=1, multicast=1, stages=5)]
    for epilogue in ("bias", "gelu", "residual_relu"):
        for rows, cols, k in ((128, 768, 768), (197, 768, 3072), (1000, 2304, 768)):
            for o in small:
                out.append((P(rows, cols, k, epilogue=epilogue), o))
    for rows, cols, k in ((1, 768, 768), (37, 136, 200), (300, 1000, 72), (131, 24, 8), (5000, 320, 64)):
        for o in (small[0], small[3], small[9], small[10], small[12], small[13], dict(store0=1)):
            out.append((P(rows, cols, k, epilogue="residual"), o))
            out.append((P(rows, cols, k, epilogue="relu", y_extra=24), o))
    out += [(P(257, 250, 64, epilogue="residual"), dict()), (P(257, 251, 64, epilogue="residual"), dict()), (P(257, 251, 64, epilogue="relu"), dict(swap=1)), (P(130, 251, 640, epilogue="residual"), dict(bp=128, bq=72, split=4, stages=3))]
    for o in (small[0], small[3], small[5], small[9], small[13]):
        out.append((P(200, 200, 64, 12, 3, epilogue="plain"), o))
        out.append((P(200, 64, 200, 12, 3, epilogue="plain", w_mn=1), o))
        out.append((P(333, 768, 768, 2, 1, epilogue="bias", w_mn=1, shared_w=1), o))
        out.append((P(333, 768, 768, 2, 1, epilogue="gelu", type="tc::bf16", out="tc::bf16"), o))
        out.append((P(333, 256, 384, epilogue="bias", type="float", out="float"), {**o, "registers": 0}))
        out.append((P(333, 256, 384, epilogue="requantize", type="tc::s8", out="tc::s8"), o))
        out.append((P(333, 256, 384, epilogue="bias", type="tc::bf16", out="float"), o))
    convs = [(2, 56, 56, 64, 64, 3, 3, 1, 1, 1), (3, 14, 14, 256, 256, 3, 3, 1, 1, 1), (1, 7, 7, 512, 512, 3, 3, 1, 1, 1), (2, 28, 28, 256, 256, 3, 3, 2, 1, 1), (3, 56, 56, 256, 128, 1, 1, 2, 0, 1), (1, 31, 17, 72, 88, 5, 3, 1, 2, 1),
             (5, 20, 20, 32, 48, 3, 3, 1, 2, 2), (2, 40, 40, 16, 32, 3, 3, 2, 1, 1), (1, 80, 80, 64, 64, 1, 1, 1, 0, 1)]
    for c in convs:
        for o in (small[0], small[3], small[4], small[6], small[7], small[9], small[10], small[13], small[14], dict(bp=128, bq=64, span=64, sub=2), dict(bp=128, bq=64, sub=2, stages=3), dict(swap=1, bp=64, bq=128, groups=1, span=32, sub=4)):
            if c[5] != c[6] and o.get("multicast") == 2:
                continue
            out.append((P(conv=c, epilogue="residual_relu"), o))
    for c in convs[:2]:
        for o in (small[0], small[9], small[13]):
            out.append((P(conv=c, epilogue="requantize", type="tc::s8", out="tc::s8"), o))
    done = []
    for p, o in out:
        o = dict(o)
        force = o.pop("store0", 0)
        v = variant(p, **o)
        if v is None:
            continue
        if force:
            v.store = v.first_tma = 0
        v.spin = 500000000
        done.append((p, v))
    return done


def gemm_variants(p):
    """For timing."""
    small = p.rows * p.batches0 * p.batches1 <= 400
    c = []
    if small:
        for rows in {64: (64,), 128: (64, 128), 256: (64, 128)}[64 if p.rows <= 64 else 128 if p.rows <= 128 else 256]:
            for n in (32, 48, 64, 96):
                for split in (1, 2, 3, 4, 6, 8):
                    c.append(dict(bp=rows, bq=n, groups=rows // 64, split=split))
        token_tiles = {(p.rows + t - 1) // t + 7 & ~7 for t in (1, 2, 3, 4) if (p.rows + t - 1) // t <= 256}
        for n in token_tiles:
            for bp in (64, 128):
                for split in (1, 2, 3, 4, 6, 8):
                    c.append(dict(swap=1, bp=bp, bq=n, groups=bp // 64, split=split))
        done = []
        for o in c:
            for sub in (1, 2, 4):
                v = variant(p, pdl=1, stages=2, sub=sub, **o)
                if v is None:
                    continue
                tiles = -(-p.rows // v.rows) * -(-p.cols // v.cols) * v.split
                steps = -(-(p.k // v.depth // sub) // v.split)
                if not 48 <= tiles <= 264 or steps * sub < 3 or steps * sub > 24 or p.k // v.depth // sub < v.split or (sub > 1 and v.split > 1 and sub == 2):
                    continue
                v.stages = max(2, min(steps, (100000 if tiles > 132 else 190000) // v.stage_bytes))
                if v.shared <= 232448:
                    done.append(v)
        return done
    options = []
    for bp, bq, stages in ((128, 256, 4), (128, 192, 5), (128, 128, 6)):
        for multicast in (0, 1, 2):
            options.append(dict(bp=bp, bq=bq, stages=stages, multicast=multicast, panels=2))
    for multicast in (0, 1, 2):
        options.append(dict(bp=192, bq=192, groups=3, stages=4, registers=160, panels=1, multicast=multicast))
        options.append(dict(bp=256, bq=128, groups=2, stages=4, registers=232, panels=2, multicast=multicast))
        options.append(dict(bp=192, bq=128, groups=3, stages=5, panels=1, multicast=multicast))
        options.append(dict(bp=128, bq=128, pingpong=1, stages=5, registers=232, multicast=multicast))
        options.append(dict(bp=64, bq=256, pingpong=1, stages=4, multicast=multicast))
    options += [dict(bp=128, bq=192, pingpong=1, stages=4, registers=232, panels=2), dict(bp=128, bq=192, pingpong=1, stages=4, registers=232, panels=2, multicast=1), dict(swap=1, bp=128, bq=256, stages=4), dict(swap=1, bp=128, bq=256, stages=4, multicast=1)]
    if p.epilogue == "residual":
        options += [dict(bp=192, bq=192, groups=3, stages=4, registers=160, panels=1, first=False), dict(bp=128, bq=192, stages=5, panels=2, first=False), dict(bp=128, bq=192, stages=5, panels=2, first=False, multicast=1), dict(bp=128, bq=256, stages=4, panels=2, first=False, multicast=1)]
    done = []
    for o in options:
        v = variant(p, **o)
        while v is None and o["stages"] > 2:
            o = {**o, "stages": o["stages"] - 1}
            v = variant(p, **o)
        if v is not None and v.cols <= p.cols * 1.5:
            done.append(v)
    return done


def conv_variants(p):
    n, h, w, c, k, r, s, st, pad, dil = p.conv
    options = []
    if p.rows <= 4000:
        for bp, bq in ((64, 56), (64, 64), (64, 104), (64, 128), (64, 200), (128, 56), (128, 64), (128, 128), (128, 200)):
            for split in (1, 2, 3, 4, 6, 8):
                tiles = -(-p.rows // bq) * -(-k // bp) * split
                if 32 <= tiles <= 300 and (bq <= p.rows + 16) and p.k // 64 >= 3 * split:
                    options.append(dict(swap=1, bp=bp, bq=bq, groups=bp // 64, split=split, stages=6 if bp == 64 else 4, pdl=1))
        for bp, bq in ((64, 32), (64, 64), (128, 64), (128, 128), (192, 128), (128, 256)):
            for split in (1, 2, 3, 4, 6, 8):
                tiles = -(-p.rows // bp) * -(-k // bq) * split
                if 32 <= tiles <= 300 and p.k // 64 >= 3 * split and bp * bq * split <= 40000:
                    options.append(dict(bp=bp, bq=bq, groups=bp // 64, split=split, stages=6, pdl=1))
    else:
        for multicast in (0, 1):
            options += [dict(bp=128, bq=256, stages=3, multicast=multicast), dict(bp=128, bq=128, stages=4, multicast=multicast), dict(bp=128, bq=128, pingpong=1, stages=4, registers=232, multicast=multicast), dict(bp=64, bq=256, pingpong=1, stages=3, multicast=multicast),
                        dict(bp=64, bq=128, pingpong=1, stages=6, multicast=multicast), dict(swap=1, bp=128, bq=256, stages=4, multicast=multicast), dict(bp=192, bq=192, groups=3, stages=4, registers=160, panels=1, multicast=multicast), dict(bp=192, bq=128, groups=3, stages=4, multicast=multicast)]
        options += [dict(bp=128, bq=64, stages=4), dict(bp=256, bq=64, stages=3), dict(bp=128, bq=64, pingpong=1, stages=4), dict(swap=1, bp=64, bq=256, groups=1, stages=3), dict(swap=1, bp=64, bq=128, groups=1, stages=4),
                    dict(swap=1, bp=64, bq=256, groups=2, pingpong=1, stages=3), dict(swap=1, bp=64, bq=256, groups=2, pingpong=1, stages=3, sub=3), dict(swap=1, bp=128, bq=128, pingpong=1, stages=4, registers=232), dict(bp=128, bq=192, stages=4), dict(bp=192, bq=64, groups=3, stages=5), dict(bp=256, bq=64, groups=4, stages=4)]
    done = []
    for o in options:
        v = variant(p, **o)
        while v is None and o["stages"] > 2:
            o = {**o, "stages": o["stages"] - 1}
            v = variant(p, **o)
        if v is not None and v.cols < 2 * k:
            done.append(v)
    return done


RESNET = [(64, 56, 64, 1, 1), (256, 56, 64, 1, 1), (64, 56, 64, 3, 1), (64, 56, 256, 1, 1), (256, 56, 128, 1, 1), (512, 28, 128, 1, 1), (128, 56, 128, 3, 2), (128, 28, 128, 3, 1), (128, 28, 512, 1, 1), (256, 56, 512, 1, 2),
          (1024, 14, 256, 1, 1), (256, 14, 256, 3, 1), (256, 14, 1024, 1, 1), (2048, 7, 512, 1, 1), (512, 14, 512, 3, 2), (512, 7, 512, 3, 1), (512, 7, 2048, 1, 1), (1024, 14, 2048, 1, 2)]


def timings(part):
    """(problem, variants) for `gemm`, `large`, `gelu`, `conv1`, `conv64`, `conv256`, `int8`."""
    out = []
    if part == "gemm":
        for rows in (128, 197):
            for cols, k, e in ((2304, 768, "bias"), (768, 768, "residual"), (3072, 768, "gelu"), (768, 3072, "residual")):
                out.append(Problem(rows, cols, k, epilogue=e))
        return [(p, gemm_variants(p)) for p in out]
    if part == "gelu":
        return [(p, gemm_variants(p)) for p in (Problem(4096, 3072, 768, epilogue="gelu"), Problem(12608, 3072, 768, epilogue="gelu"))]
    if part == "large":
        for rows in (4096, 12608):
            for cols, k, e in ((2304, 768, "bias"), (768, 768, "residual"), (3072, 768, "gelu"), (768, 3072, "residual")):
                out.append(Problem(rows, cols, k, epilogue=e))
        return [(p, gemm_variants(p)) for p in out]
    batch = int(part[4:])
    for c, h, k, r, st in RESNET:
        residual = r == 1 and k == 4 * c and st == 1
        out.append(Problem(conv=(batch, h, h, c, k, r, r, st, r // 2, 1), epilogue="residual_relu" if residual else "relu"))
    return [(p, conv_variants(p)) for p in out]
