#!/bin/bash
# The GPU table: every network of bench/peers/gpu_models.py, or models of your own, built by TrtTools, checked, timed beside PyTorch in one run.
#
#   bench/gpu.sh [--models resnet50,bert-base-s128] [--model FILE.onnx]... [--precision Fp16|Fp32|Tf32|Bf16|Int8] [--batches 1,64] [--columns compile,freeze] [--level 0..5] [--quick] [--scenes] [--out FOLDER]
#
# --scenes measures examples/05-camera-streams with 64 cameras and examples/06-three-resolutions with a detector of YOLOv8-s's shape, and nothing else; it writes bench/results/scenes.jsonl.
#
# Int8: calibrated on 16 random images where a model takes images, the rest in FP16. Beside every precision but Fp16 stands PyTorch in FP32 as it comes (convolutions in TF32).
# Needs an NVIDIA GPU, PyTorch with torchvision and transformers for the peers' side, and PowerShell 7.6 or TrtTools.Shell with the module at out/TrtTools:
# $TRTTOOLS_PWSH says how to run a script (by default: pwsh -NoProfile -File). Writes bench/results/gpu.json and prints the table.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
models="" own="" batches="" columns=compile,freeze precision=Fp16 level=3 quick="" scenes="" out="$here/results"
while [ $# -gt 0 ]; do
  case "$1" in
    --models) models=$2; shift 2 ;;
    --model) own="$own;$(realpath "$2")"; shift 2 ;;
    --batches) batches=$2; shift 2 ;;
    --columns) columns=$2; shift 2 ;;
    --precision) precision=$2; shift 2 ;;
    --level) level=$2; shift 2 ;;
    --quick) quick=1 columns=""; shift ;;
    --scenes) scenes=1; shift ;;
    --out) out=$2; shift 2 ;;
    *) echo "unknown: $1" >&2; sed -n '2,7p' "$0" >&2; exit 2 ;;
  esac
done
mkdir -p "$out"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
export GPU_WORK="$work" GPU_OUT="$out" GPU_MODELS="$models" GPU_OWN="$own" GPU_PRECISION="$precision" GPU_LEVEL="$level" GPU_BATCHES="$batches" GPU_QUICK="$quick"
export GPU_COMMIT=${GPU_COMMIT:-$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)}
if [ -n "$scenes" ]; then
  python3 "$here/peers/gpu_models.py" export "$work" --models yolov8s-shaped-any || echo "the detector could not be exported" >&2
  ${TRTTOOLS_PWSH:-pwsh -NoProfile -File} "$here/scenes.ps1"
  exit
fi
if [ -z "$own" ] || [ -n "$models" ]; then
  python3 "$here/peers/gpu_models.py" export "$work" ${models:+--models "$models"} --calibration "$([ "$precision" = Int8 ] && echo 16 || echo 0)"
fi
# Our side first: engines, errors and times as one JSON object a line.
${TRTTOOLS_PWSH:-pwsh -NoProfile -File} "$here/gpu.ps1"
# The peers on the same device in the same run.
if [ -z "$own" ] || [ -n "$models" ]; then
  python3 "$here/peers/gpu_models.py" time ${models:+--models "$models"} --precisions "$([ "$precision" = Fp16 ] && echo fp16 || echo fp32)" --batches "$batches" --columns "$columns" > "$work/peers.jsonl" || echo "PyTorch's side ended early" >&2
fi
python3 "$here/peers/gpu_table.py" "$work/ours.jsonl" "$work/peers.jsonl" "$out/gpu.json"
