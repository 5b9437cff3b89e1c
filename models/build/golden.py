"""Writes the golden files that the Go code's tests compare with.

    python models/build/golden.py

For the runtime: real input tensors and the outputs LiteRT's Python interpreter
gives, in inference/litert/testdata/golden. For the pipeline: what this folder's
pipeline.py finds on official White House portraits (public domain), in
inference/testdata/golden.json. The portraits come from the tests of a PyPI
package; only numbers computed from them are written.
"""

import argparse
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from PIL import Image

import fetch
import make
import manifest
import pipeline

ROOT = make.HERE.parent.parent
ROLES = ("detector", "landmarks", "embedding")
SDIST = "face_recognition-1.3.0.tar.gz"
SDIST_SHA256 = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
PORTRAITS = ("obama.jpg", "obama2.jpg", "biden.jpg")


def portraits(cache: pathlib.Path) -> dict[str, bytes]:
    kept = cache / SDIST
    if not kept.exists() or fetch.digest(kept.read_bytes()) != SDIST_SHA256:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as room:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
                            "--dest", room, "face-recognition==1.3.0"], check=True)
            (found,) = pathlib.Path(room).glob("*.tar.gz")
            if fetch.digest(found.read_bytes()) != SDIST_SHA256:
                raise fetch.FetchError(f"{found.name}: sha256 is not the pinned one")
            found.replace(kept)
    with tarfile.open(kept) as tar:
        return {name: tar.extractfile(f"face_recognition-1.3.0/tests/test_images/{name}").read() for name in PORTRAITS}


def runtime_files(out: pathlib.Path, contents: dict[str, bytes], inputs: dict[str, np.ndarray]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    record = {}
    for label, content in contents.items():
        model = pipeline.Model(content)
        stored = model.encode(inputs[label.split(".")[0]])
        outputs = model.raw(stored)
        check_compiled(label, content, stored, outputs)
        (out / f"{label}.input.bin").write_bytes(stored.tobytes())
        entry = {"sha256": fetch.digest(content),
                 "input": [manifest.tensor("image", model.input) | {"file": f"{label}.input.bin"}], "output": []}
        for i, (name, detail, value) in enumerate(zip(model.names, model.outputs, outputs)):
            (out / f"{label}.output{i}.bin").write_bytes(value.tobytes())
            entry["output"].append(manifest.tensor(name, detail) | {"file": f"{label}.output{i}.bin"})
        record[label] = entry
    (out / "landmarks.float.tflite").write_bytes(contents["landmarks.float"])
    (out / "golden.json").write_text(manifest.pretty(record))


def check_compiled(label: str, content: bytes, stored: np.ndarray, outputs: list[np.ndarray]) -> None:
    """The interpreter and LiteRT's compiled model, which the daemon uses, must
    agree on the order of outputs and on every value."""
    model = CompiledModel.from_buffer(content)
    if not model.is_fully_accelerated():
        raise SystemExit(f"{label} is not fully accelerated")
    into, out = model.create_input_buffers(0), model.create_output_buffers(0)
    into[0].write(stored)
    model.run_by_index(0, into, out)
    for i, (buffer, want) in enumerate(zip(out, outputs)):
        got = buffer.read(want.size, want.dtype.type).reshape(want.shape)
        if not np.allclose(got, want, rtol=0, atol=1e-5):
            raise SystemExit(f"{label} output {i}: interpreter and compiled model differ by {np.abs(got - want).max()}")


def describe(face: pipeline.Face) -> dict:
    rounded = lambda values, digits: np.round(np.asarray(values, np.float64), digits).tolist()
    return {
        "box": rounded(face.detection.box, 3),
        "score": round(face.detection.score, 5),
        "keypoints": rounded(face.detection.keypoints, 3),
        "landmarks": rounded(face.landmarks, 3),
        "probability": round(face.probability, 5),
        "embedding": rounded(face.embedding, 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=pathlib.Path, default=make.HERE.parent)
    parser.add_argument("--cache", type=pathlib.Path, default=make.CACHE)
    args = parser.parse_args()

    contents = {role: (args.models / f"{role}.tflite").read_bytes() for role in (*ROLES, "detector_short")}
    pipe = pipeline.Pipeline(*(pipeline.Model(contents[role]) for role in ROLES))
    files = portraits(args.cache)
    images = {name: np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for name, data in files.items()}
    faces = {name: pipe.face(image, pipeline.central(pipe.detect(image), image)) for name, image in images.items()}

    image, face = images["obama.jpg"], faces["obama.jpg"]
    runtime_files(
        ROOT / "inference" / "litert" / "testdata" / "golden",
        contents | {"landmarks.float": make.float_models(args.cache)["landmarks"]},
        {"detector": pipe.detector_input(image)[0],
         "detector_short": pipe.detector_short_input(image),
         "landmarks": pipe.landmarks_input(image, face.detection.box)[0],
         "embedding": pipe.embedding_input(image, face.landmarks)})

    cosine = lambda a, b: round(float(faces[a].embedding @ faces[b].embedding), 5)
    results = {
        "images": {name: {"sha256": fetch.digest(files[name]), "size": [images[name].shape[1], images[name].shape[0]],
                          "detections": len(pipe.detect(images[name]))} | describe(faces[name]) for name in PORTRAITS},
        "cosine": [["obama.jpg", "obama2.jpg", cosine("obama.jpg", "obama2.jpg")],
                   ["obama.jpg", "biden.jpg", cosine("obama.jpg", "biden.jpg")]]}
    path = ROOT / "inference" / "testdata" / "golden.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(manifest.pretty(results))
    print(path.relative_to(ROOT), json.dumps(results["cosine"]))


if __name__ == "__main__":
    main()
