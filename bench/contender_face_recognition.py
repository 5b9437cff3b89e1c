"""face_recognition 1.3.0 (dlib's HOG detector and ResNet) as its README uses it."""

import frames

import face_recognition  # noqa: E402
import numpy as np  # noqa: E402


def make(_models, _all_steps):
    known = np.random.default_rng(1).normal(size=(frames.PEOPLE, 128))
    known /= np.linalg.norm(known, axis=1, keepdims=True)

    def look(rgb):
        places = face_recognition.face_locations(rgb)
        for vector in face_recognition.face_encodings(rgb, places):
            face_recognition.face_distance(known, vector).argmin()
        return len(places)

    return look


if __name__ == "__main__":
    frames.main(make)
