"""Photos as a camera's frames, and the clock, for the contenders of compare.py.

Each contender is a program of its own:

    contender.py --images DIR --format yuyv|mjpeg --size WxH --frames N

It prints one JSON object with the milliseconds of each frame, of those in which
it finds exactly one face. It uses one thread.
"""

import argparse
import json
import os
import pathlib
import resource
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import cv2  # noqa: E402  (after the variables)
import numpy as np  # noqa: E402

cv2.setNumThreads(1)

PEOPLE = 1000  # with whom each face is compared
JPEG_QUALITY = 85  # as facerecd bench has it


def fit(photo, width, height):
    """The photo as large as it fits into a gray frame, in the middle."""
    scale = min(width / photo.shape[1], height / photo.shape[0])
    w, h = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
    frame = np.full((height, width, 3), 128, np.uint8)
    x, y = (width - w) // 2, (height - h) // 2
    frame[y:y + h, x:x + w] = cv2.resize(photo, (w, h))
    return frame


def yuyv(frame):
    """BT.601 with limited range, as a camera has it, from BGR."""
    b, g, r = (frame[..., i].astype(np.float32) for i in range(3))
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    cb = 128 + (-37.797 * r - 74.203 * g + 112 * b) / 255
    cr = 128 + (112 * r - 93.786 * g - 18.214 * b) / 255
    out = np.empty(frame.shape[:2] + (2,), np.uint8)
    out[..., 0] = np.rint(y)
    out[:, 0::2, 1] = np.rint((cb[:, 0::2] + cb[:, 1::2]) / 2)
    out[:, 1::2, 1] = np.rint((cr[:, 0::2] + cr[:, 1::2]) / 2)
    return out


def reader(fmt):
    """What makes RGB of a frame, the fast way."""
    if fmt == "mjpeg":
        return lambda f: cv2.cvtColor(cv2.imdecode(f, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return lambda f: cv2.cvtColor(f, cv2.COLOR_YUV2RGB_YUY2)


def load(folder, fmt, width, height, most=16):
    paths = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise SystemExit(f"no photos in {folder}: name a folder with .jpg or .png files")
    most = min(most, len(paths))
    frames = []
    for path in (paths[i * len(paths) // most] for i in range(most)):
        frame = fit(cv2.imread(str(path)), width, height)
        if fmt == "mjpeg":
            frames.append(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
        else:
            frames.append(yuyv(frame))
    return frames


def cpu_time():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def main(make):
    """make(models, all_steps) returns a function of an RGB picture that finds,
    embeds and matches every face of it, and returns how many there were."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", required=True)
    parser.add_argument("--models", default=str(pathlib.Path(__file__).resolve().parent.parent / "models"))
    parser.add_argument("--format", choices=["yuyv", "mjpeg"], default="yuyv")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--all-steps", action="store_true", help="do what the daemon does beside recognition, too")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    frames, read, look = load(args.images, args.format, width, height), reader(args.format), make(args.models, args.all_steps)
    frames = [f for f in frames if look(read(f)) == 1]
    if not frames:
        raise SystemExit("no frame shows exactly one face to this program")
    clock = cpu_time if args.cpu_time else time.perf_counter
    spent = []
    for i in range(-args.warmup, args.frames):
        frame = frames[(i + args.warmup) % len(frames)]
        start = clock()
        look(read(frame))
        if i >= 0:
            spent.append(1000 * (clock() - start))
    print(json.dumps({"ms": spent, "photos": len(frames)}))
