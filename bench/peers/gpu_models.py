"""The networks of bench/gpu.sh: written as ONNX for TrtTools, and timed in PyTorch on the same GPU.

    python3 gpu_models.py export FOLDER [--models resnet50,bert-base-s128,...] [--calibration 16]
    python3 gpu_models.py time [--models ...] [--batches 1,64] [--columns freeze]   one JSON object a row

Weights are random (seed 0) and the same on both sides. PyTorch runs eager, torch.compile and torch.compile with freezing, each replayed as a CUDA graph;
milliseconds are medians of device-event times. Needs PyTorch, torchvision and transformers.
"""
import argparse
import json
import os
import sys
import time

import torch
import torch._inductor.config
from torch import nn
from torch.nn import functional as F

torch.backends.cudnn.benchmark = True


class TextEncoder(nn.Module):
    """BERT-base's last hidden state."""

    def __init__(self):
        super().__init__()
        from transformers import BertConfig, BertModel
        self.bert = BertModel(BertConfig(attn_implementation="sdpa"))

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids, attention_mask=attention_mask).last_hidden_state


def unit(c_in, c_out, kernel=1, stride=1):
    return nn.Sequential(nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(c_out), nn.SiLU(inplace=True))


class CrossStage(nn.Module):
    """1x1 convolution, two halves, a chain of bottlenecks on the second, all parts joined, 1x1 convolution."""

    def __init__(self, c_in, c_out, depth, residual):
        super().__init__()
        half = c_out // 2
        self.first, self.last = unit(c_in, c_out), unit((2 + depth) * half, c_out)
        self.steps = nn.ModuleList(nn.Sequential(unit(half, half, 3), unit(half, half, 3)) for _ in range(depth))
        self.residual = residual

    def forward(self, x):
        parts = list(torch.chunk(self.first(x), 2, 1))
        for step in self.steps:
            value = step(parts[-1])
            parts.append(parts[-1] + value if self.residual else value)
        return self.last(torch.cat(parts, 1))


class Pyramid(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.first, self.last, self.pool = unit(c, c // 2), unit(2 * c, c), nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        a = self.first(x)
        b = self.pool(a)
        c = self.pool(b)
        return self.last(torch.cat((a, b, c, self.pool(c)), 1))


class Detector(nn.Module):
    """A detector of YOLOv8-s's published shape: width 0.5, depth 0.33, 80 classes; boxes are decoded, suppression is left out."""

    def __init__(self, classes=80, bins=16):
        super().__init__()
        self.bins = bins
        self.stem = nn.Sequential(unit(3, 32, 3, 2), unit(32, 64, 3, 2), CrossStage(64, 64, 1, True))
        self.down3 = nn.Sequential(unit(64, 128, 3, 2), CrossStage(128, 128, 2, True))
        self.down4 = nn.Sequential(unit(128, 256, 3, 2), CrossStage(256, 256, 2, True))
        self.down5 = nn.Sequential(unit(256, 512, 3, 2), CrossStage(512, 512, 1, True), Pyramid(512))
        self.up = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.top4, self.top3 = CrossStage(768, 256, 1, False), CrossStage(384, 128, 1, False)
        self.to4, self.out4 = unit(128, 128, 3, 2), CrossStage(384, 256, 1, False)
        self.to5, self.out5 = unit(256, 256, 3, 2), CrossStage(768, 512, 1, False)
        widths = (128, 256, 512)
        self.boxes = nn.ModuleList(nn.Sequential(unit(c, 64, 3), unit(64, 64, 3), nn.Conv2d(64, 4 * bins, 1)) for c in widths)
        self.scores = nn.ModuleList(nn.Sequential(unit(c, 128, 3), unit(128, 128, 3), nn.Conv2d(128, classes, 1)) for c in widths)
        self.register_buffer("ladder", torch.arange(bins, dtype=torch.float32))

    def forward(self, x):
        f3 = self.down3(self.stem(x))
        f4 = self.down4(f3)
        f5 = self.down5(f4)
        t4 = self.top4(torch.cat((self.up(f5), f4), 1))
        t3 = self.top3(torch.cat((self.up(t4), f3), 1))
        o4 = self.out4(torch.cat((self.to4(t3), t4), 1))
        o5 = self.out5(torch.cat((self.to5(o4), f5), 1))
        boxes, scores = [], []
        for level, feature in enumerate((t3, o4, o5)):
            size = 8 << level
            h, w = feature.shape[2:]
            sides = (self.boxes[level](feature).flatten(2).unflatten(1, (4, self.bins)).softmax(2) * self.ladder[:, None].to(x.dtype)).sum(2)
            y = (torch.arange(h, device=x.device, dtype=x.dtype) + 0.5)[:, None].expand(h, w)
            c = (torch.arange(w, device=x.device, dtype=x.dtype) + 0.5).expand(h, w)
            centre = torch.stack((c.flatten(), y.flatten()))
            boxes.append(torch.cat((centre - sides[:, :2], centre + sides[:, 2:]), 1) * size)
            scores.append(self.scores[level](feature).flatten(2).sigmoid())
        return torch.cat((torch.cat(boxes, 2), torch.cat(scores, 2)), 1)


class DecoderBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.joint, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x, past):
        q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in self.joint(self.norm1(x)).chunk(3, 2))
        k, v = torch.cat((past[0], k), 2), torch.cat((past[1], v), 2)
        x = x + self.project(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.norm2(x)), approximate="tanh")), torch.stack((k, v))


class DecoderStep(nn.Module):
    """One token through a decoder of GPT-2-small's size; keys and values come in and go out one longer."""

    def __init__(self, layers=12, width=768, heads=12, vocabulary=50257):
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(1024, width)
        self.blocks = nn.ModuleList(DecoderBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, token, position, past):
        x, present = self.words(token) + self.places(position), []
        for block, cache in zip(self.blocks, past):
            x, longer = block(x, cache)
            present.append(longer)
        return self.norm(x) @ self.words.weight.T, torch.stack(present)


def image(build, side=224):
    def make(batch, half):
        model, x = build().eval().cuda(), torch.randn(batch, 3, side, side, device="cuda")
        if half:
            model, x = model.half(), x.half()
        return model.to(memory_format=torch.channels_last), (x.contiguous(memory_format=torch.channels_last),)
    return make


def text(length):
    def make(batch, half):
        model = TextEncoder().eval().cuda()
        return model.half() if half else model, (torch.randint(0, 30000, (batch, length), device="cuda"), torch.ones(batch, length, dtype=torch.long, device="cuda"))
    return make


def decoder(past):
    def make(batch, half):
        model, kind = DecoderStep().eval().cuda(), torch.half if half else torch.float
        return model.half() if half else model, (torch.randint(0, 50000, (batch, 1), device="cuda"), torch.full((batch, 1), past, device="cuda"),
                                                 torch.randn(12, 2, batch, 12, past, 64, device="cuda", dtype=kind))
    return make


def vision(name):
    def build():
        import torchvision
        return getattr(torchvision.models, name)(weights=None)
    return build


# name: (how to make it, names of inputs, batches of the table)
MODELS = {
    "resnet50": (image(vision("resnet50")), ["x"], (1, 64, 256)),
    "bert-base-s128": (text(128), ["input_ids", "attention_mask"], (1, 32)),
    "vit-b16": (image(vision("vit_b_16")), ["x"], (1, 64)),
    "yolov8s-shaped-640": (image(Detector, 640), ["x"], (1, 32)),
    "yolov8s-shaped-any": (image(Detector, 640), ["x"], ()),
    "mobilenet-v3-large": (image(vision("mobilenet_v3_large")), ["x"], (64,)),
    "gpt2-step-past512": (decoder(512), ["token", "position", "past"], (1,)),
}


def export(names, folder, calibration):
    os.makedirs(folder, exist_ok=True)
    for name in names:
        make, inputs_of, _ = MODELS[name]
        torch.manual_seed(0)
        model, inputs = make(2, False)  # the exporter would fix a batch of 1
        model = model.to(memory_format=torch.contiguous_format)
        inputs = tuple(i.contiguous() for i in inputs)
        path = os.path.join(folder, name + ".onnx")
        began = time.time()
        try:
            batch = torch.export.Dim("batch", min=1, max=1024)
            shapes = tuple({2: batch, 4: torch.export.Dim("past", min=1, max=1023)} if i.dim() == 6 else {0: batch} for i in inputs)
            if name.endswith("-any"):  # any height and width that three halvings and two more divide
                shapes = ({0: batch, 2: 32 * torch.export.Dim("rows", min=2, max=40), 3: 32 * torch.export.Dim("columns", min=2, max=40)},)
            torch.onnx.export(model, inputs, path, dynamo=True, opset_version=18, external_data=False, input_names=inputs_of, dynamic_shapes=shapes)
        except Exception as error:  # an installation without the newer exporter's packages
            print(f"{name}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
            axes = {n: ({2: "batch", 4: "past"} if i.dim() == 6 else {0: "batch", 2: "height", 3: "width"} if name.endswith("-any") else {0: "batch"}) for n, i in zip(inputs_of, inputs)}
            torch.onnx.export(model, inputs, path, dynamo=False, opset_version=17, input_names=inputs_of, dynamic_axes=axes)
        if calibration and len(inputs) == 1 and inputs[0].dim() == 4:
            import numpy
            numpy.save(os.path.join(folder, name + ".calibration.npy"), torch.randn(calibration, *inputs[0].shape[1:]).numpy())
        print(f"{path}: {os.path.getsize(path):,} bytes in {time.time() - began:.1f} s", flush=True)


def graph_ms(run, repeats=30, trials=9):
    """Milliseconds of one replay of a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    times = []
    for _ in range(trials):
        start, end = torch.cuda.Event(True), torch.cuda.Event(True)
        start.record()
        for _ in range(repeats):
            graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) / repeats)
    return sorted(times)[trials // 2]


def measure(names, batches, precisions, columns):
    for name in names:
        make, _, own = MODELS[name]
        for half in precisions:
            for batch in batches or own:
                torch.manual_seed(0)
                model, inputs = make(batch, half)
                row = {"model": name, "precision": "fp16" if half else "fp32", "batch": batch, "device": torch.cuda.get_device_name(), "eager_ms": round(graph_ms(lambda: model(*inputs)), 4)}
                for column, freezing in ((c, f) for c, f in (("compile_ms", False), ("freeze_ms", True)) if c.split("_")[0] in columns):
                    torch._inductor.config.freezing = freezing
                    fast = torch.compile(model)
                    fast(*inputs)
                    row[column] = round(graph_ms(lambda: fast(*inputs)), 4)
                    torch._dynamo.reset()
                print(json.dumps(row), flush=True)
                del model, inputs
                torch.cuda.empty_cache()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["export", "time"])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--models", default=",".join(m for m in MODELS if MODELS[m][2]))
    parser.add_argument("--batches", default="")
    parser.add_argument("--calibration", type=int, default=0, help="with export: so many random images beside each model of images")
    parser.add_argument("--precisions", default="fp16")
    parser.add_argument("--columns", default="compile,freeze", help="columns beside eager: torch.compile, and with freezing")
    args = parser.parse_args()
    names = [n for n in args.models.split(",") if n]
    for name in names:
        if name not in MODELS:
            parser.error(f"no model '{name}'; there are {', '.join(MODELS)}")
    with torch.inference_mode():
        if args.what == "export":
            export(names, args.folder or "models", args.calibration)
        else:
            measure(names, [int(b) for b in args.batches.split(",") if b], [p == "fp16" for p in args.precisions.split(",")], args.columns.split(","))


if __name__ == "__main__":
    main()
