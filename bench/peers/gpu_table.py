"""Joins both sides of bench/gpu.sh into gpu.json and prints the table.

usage: gpu_table.py OURS.jsonl PEERS.jsonl GPU.json
"""
import json
import os
import sys


def rows(path):
    if not os.path.exists(path):
        return []
    with open(path) as lines:
        return [json.loads(line) for line in lines if line.strip()]


def main():
    ours, peers, target = sys.argv[1:4]
    found = {}
    for row in rows(peers):
        found[row["model"], row["precision"], row["batch"]] = row
    table = []
    for row in rows(ours):
        # PyTorch as it comes is what integers and TF32 are held against.
        peer = found.get((row["model"], "fp16" if row["precision"] == "fp16" else "fp32", row["batch"]), {})
        table.append({key: row.get(key, peer.get(key)) for key in ("device", "model", "precision", "batch", "trttools_ms", "eager_ms", "compile_ms", "freeze_ms", "max_error", "cosine", "build_s", "commit")})
    with open(target, "w") as file:
        file.write("[\n" + ",\n".join("  " + json.dumps(row) for row in table) + "\n]\n")
    print("| model | precision | batch | TrtTools, ms | eager | torch.compile | with freezing | ratio to the best | greatest error |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in table:
        best = min((row[c] for c in ("eager_ms", "compile_ms", "freeze_ms") if row[c]), default=None)
        text = lambda value, form="{:.4f}": "–" if value is None else form.format(value)
        ratio = row["trttools_ms"] / best if best and row["trttools_ms"] else None
        print(f"| {row['model']} | {row['precision']} | {row['batch']} | {text(row['trttools_ms'])} | {text(row['eager_ms'])} | {text(row['compile_ms'])} | {text(row['freeze_ms'])} | {text(ratio, '{:.2f}')} | {text(row['max_error'], '{:.3g}')} |")


if __name__ == "__main__":
    main()
