#!/usr/bin/env python3
"""Train a small CNN on 8x8 handwritten digits and export it to ONNX.

Writes three files next to this script (or into the folder given by --out):

  digits.onnx       the trained network, BatchNormalization nodes kept as they are
  calibration.npz   image [160,1,8,8] float32, part of the training split
  heldout.npz       image [450,1,8,8] float32 and label [450] int64, never trained on

Needs scikit-learn (which ships the data set) and PyTorch, no network access:

  apt-get install python3-sklearn python3-torch      # Debian 12

Runs in well under a minute on one CPU core. The same versions on the same
kind of CPU give the same files again.
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

SEED = 2026
HELDOUT_SIZE = 450
CALIBRATION_SIZE = 160
EPOCHS = 40
BATCH_SIZE = 64
OPSET = 13


def conv_bn(c_in, c_out, kernel, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out),
    )


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = conv_bn(channels, channels, 3)
        self.conv2 = conv_bn(channels, channels, 3)

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class DigitsNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_bn(1, 32, 3)
        self.down = conv_bn(32, 64, 3, stride=2)
        self.residual = Residual(64)
        self.depthwise = conv_bn(64, 64, 3, groups=64)
        self.pointwise = conv_bn(64, 64, 1)
        self.classifier = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(self.down(x))
        x = self.residual(x)
        x = F.relu(self.depthwise(x))
        x = F.relu(self.pointwise(x))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.classifier(x)


def load_split():
    """Return (train, calibration, heldout), each a pair (images, labels)."""
    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    labels = digits.target.astype(np.int64)
    x_train, x_heldout, y_train, y_heldout = train_test_split(
        images, labels, test_size=HELDOUT_SIZE, stratify=labels, random_state=SEED)
    _, x_cal, _, y_cal = train_test_split(
        x_train, y_train, test_size=CALIBRATION_SIZE, stratify=y_train, random_state=SEED)
    return (x_train, y_train), (x_cal, y_cal), (x_heldout, y_heldout)


def random_shift(x):
    """Move each image by -1, 0 or +1 pixel in both directions."""
    padded = F.pad(x, (1, 1, 1, 1))
    dy, dx = torch.randint(0, 3, (2, len(x))).tolist()
    return torch.stack([padded[i, :, v:v + 8, h:h + 8] for i, (v, h) in enumerate(zip(dy, dx))])


def train(images, labels):
    torch.manual_seed(SEED)
    model = DigitsNet()
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    steps = EPOCHS * (len(x) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    model.train()
    for epoch in range(EPOCHS):
        total = 0.0
        order = torch.randperm(len(x))[:len(x) // BATCH_SIZE * BATCH_SIZE]
        for batch in order.split(BATCH_SIZE):
            loss = F.cross_entropy(model(random_shift(x[batch])), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1:3d}  loss {total / len(order):.4f}")
    return model.eval()


@torch.no_grad()
def count_correct(model, images, labels):
    return int((model(torch.from_numpy(images)).argmax(1).numpy() == labels).sum())


def export(model, path):
    # PRESERVE with no constant folding keeps the BatchNormalization nodes;
    # the default export would fold them into the convolutions.
    torch.onnx.export(
        model, torch.zeros(1, 1, 8, 8), str(path),
        input_names=["image"], output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        opset_version=OPSET)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)

    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)

    fit, calibration, heldout = load_split()
    model = train(*fit)
    print(f"parameters: {sum(p.numel() for p in model.parameters()):,}")
    for name, (x, y) in (("training", fit), ("held-out", heldout)):
        correct = count_correct(model, x, y)
        print(f"{name}: {correct}/{len(y)} correct ({correct / len(y):.2%})")

    export(model, out / "digits.onnx")
    np.savez_compressed(out / "calibration.npz", image=calibration[0])
    np.savez_compressed(out / "heldout.npz", image=heldout[0], label=heldout[1])


if __name__ == "__main__":
    main()
