"""Quick checks that need neither photos nor the network."""

import argparse
import json
import pathlib
import sys
import tempfile
import unittest

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import calibrate  # noqa: E402
import equalise  # noqa: E402
import evaluate  # noqa: E402
import fetch  # noqa: E402
import lfw  # noqa: E402
import passes  # noqa: E402
import pipeline  # noqa: E402
import tune  # noqa: E402


class Sampler(unittest.TestCase):
    def test_identity_copies(self):
        image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        drawn = pipeline.sample(image, np.array([[1.0, 0, 0], [0, 1, 0]]), 12)
        np.testing.assert_allclose(drawn, image, atol=1e-3)

    def test_shrinking_takes_the_mean(self):
        image = np.zeros((8, 8, 3), np.uint8)
        image[:, ::2] = 200
        drawn = pipeline.sample(image, np.array([[2.0, 0, 0], [0, 2, 0]]), 4)
        np.testing.assert_allclose(drawn, 100, atol=1e-3)

    def test_outside_is_black(self):
        image = np.full((4, 4, 3), 255, np.uint8)
        drawn = pipeline.sample(image, np.array([[1.0, 0, -100], [0, 1, 0]]), 4)
        self.assertEqual(drawn.max(), 0)

    def test_letterbox_centres(self):
        to_image = pipeline.letterbox(np.zeros((480, 640, 3), np.uint8), 192)
        np.testing.assert_allclose(pipeline.apply(to_image, np.array([[96.0, 96.0]])), [[320, 240]])


class Geometry(unittest.TestCase):
    def test_similarity_is_found_again(self):
        angle, scale = 0.3, 1.7
        true = np.array([[scale * np.cos(angle), -scale * np.sin(angle), 5],
                         [scale * np.sin(angle), scale * np.cos(angle), -3]])
        moved = pipeline.apply(true, pipeline.TEMPLATE)
        np.testing.assert_allclose(pipeline.similarity(pipeline.TEMPLATE, moved), true, atol=1e-9)
        np.testing.assert_allclose(pipeline.apply(pipeline.invert(true), moved), pipeline.TEMPLATE, atol=1e-9)

    def test_overlapping_boxes_merge_by_score(self):
        keypoints = np.zeros((6, 2))
        found = [pipeline.Detection(np.array([0.0, 0, 10, 10]), 0.9, keypoints),
                 pipeline.Detection(np.array([2.0, 0, 10, 10]), 0.3, keypoints),
                 pipeline.Detection(np.array([50.0, 0, 10, 10]), 0.5, keypoints)]
        merged = pipeline.merge(found, 0.3)
        self.assertEqual([d.score for d in merged], [0.9, 0.5])
        self.assertAlmostEqual(merged[0].box[0], 0.5)


class Equalising(unittest.TestCase):
    def test_appended_channels_are_joined_by_their_place(self):
        joint = equalise._joint([np.array([3.0, 1.0]), np.array([2.0, 4.0, 5.0])])
        np.testing.assert_array_equal(joint, [3, 4, 5])


class SecondLook(unittest.TestCase):
    box = np.array([40.0, 30, 60, 80])
    points = np.array([[60.0, 55], [85, 57], [72, 70], [63, 86], [82, 88]])
    settings = pipeline.SETTINGS["landmarks"]

    def layout(self, box):
        return passes.layout(self.points, passes.first_crop(self.settings, box))

    def test_the_crop_moves_and_keeps_its_size(self):
        middle = np.array([0.52, 0.47])
        box = passes.again(self.settings, self.box, self.points, middle, None)
        np.testing.assert_allclose(self.layout(box).middle, middle)
        self.assertAlmostEqual(self.layout(box).spread, self.layout(self.box).spread)

    def test_the_crop_gets_the_size_that_is_asked_for(self):
        middle = np.array([0.5, 0.55])
        found = self.layout(passes.again(self.settings, self.box, self.points, middle, 0.3))
        np.testing.assert_allclose(found.middle, middle)
        self.assertAlmostEqual(found.spread, 0.3)

    def test_a_crop_that_is_right_stays(self):
        here = self.layout(self.box)
        box = passes.again(self.settings, self.box, self.points, here.middle, here.spread)
        np.testing.assert_allclose(passes.first_crop(self.settings, box), passes.first_crop(self.settings, self.box), atol=1e-9)

    def test_nobody_is_in_both_halves(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in "edcba":
                (pathlib.Path(folder) / name).mkdir()
            tuned, other = tune.halves(pathlib.Path(folder))
        self.assertEqual(([p.name for p in tuned], [p.name for p in other]), (["a", "c", "e"], ["b", "d"]))


class Evaluating(unittest.TestCase):
    def test_a_pack_has_a_label_of_its_own(self):
        self.assertEqual(evaluate.labelled(f"again={HERE.parent}"), ("again", HERE.parent))
        for text, complaint in {
                "dynamic": "'dynamic' is not LABEL=DIR",
                "=models": "'=models' is not LABEL=DIR",
                "int8=models": "'int8' is measured anyway: choose another label",
                f"empty={HERE}": f"{HERE} has no detector.tflite, landmarks.tflite, embedding.tflite: variants.py makes packs",
        }.items():
            with self.assertRaises(argparse.ArgumentTypeError) as raised:
                evaluate.labelled(text)
            self.assertEqual(str(raised.exception), complaint)

    def test_the_shipped_models_run_fully_accelerated(self):
        for role, content in evaluate.read_pack(HERE.parent).items():
            run = evaluate.Runner(content)
            run()
            self.assertTrue(run.accelerated, role)


class Protocol(unittest.TestCase):
    def test_perfect_scores(self):
        vectors = {"a": np.array([1.0, 0]), "b": np.array([1.0, 0.1]), "c": np.array([0, 1.0])}
        pairs = lfw.Pairs(["a", "a"] * 4, ["b", "c"] * 4, np.array([True, False] * 4), np.repeat([0, 1], 4))
        figures = lfw.score(pairs, vectors)
        self.assertEqual((figures["accuracy"], figures["tar_at_far_1e3"], figures["not_detected"]), (1, 1, 0))


class Pack(unittest.TestCase):
    """The committed pack agrees with its manifest and with the settings."""

    def setUp(self):
        self.manifest = json.loads((HERE.parent / "manifest.json").read_text())

    def test_files_match(self):
        for role, entry in self.manifest["models"].items():
            content = (HERE.parent / entry["file"]).read_bytes()
            self.assertEqual((fetch.digest(content), len(content)), (entry["sha256"], entry["bytes"]), role)

    def test_settings_match(self):
        self.assertEqual(self.manifest["pipeline"], pipeline.SETTINGS)

    def test_calibration_is_whole(self):
        for role in self.manifest["models"]:
            for name, pair in calibrate.load(HERE / "calibration" / f"{role}.json")["ranges"].items():
                self.assertTrue(np.isfinite(pair).all() and (pair[0] <= pair[1]).all(), name)


if __name__ == "__main__":
    unittest.main()
