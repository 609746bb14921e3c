"""verify_opencv.py SCENE: OpenCV's own detector on the raw images of a scene `charuco`. It must name the corners rightly: each within 1.5 px
of where the truth, projected by an independent refraction, has it, and at least 40 % of all (its markers are small here). Refined by its
cornerSubPix (the corners that interpolateCornersCharuco of 4.6 gives lie half a pixel off), they must be there to 0.05 px on average."""
import glob
import json
import sys

import cv2
import numpy as np

scene = sys.argv[1]
truth = json.load(open(f"{scene}/gt/scene.json"))
rig = json.load(open(f"{scene}/calibration.json"))


def project(camera, point, n_air, n_water, water_z):
    """By bisection for the place where the ray meets the water (Snell)."""
    R, t = np.array(camera["extrinsics"]["R"]), np.array(camera["extrinsics"]["t"]).reshape(3)
    C = -R.T @ t
    away = point[:2] - C[:2]
    r = np.hypot(*away)
    h_air, h_water = water_z - C[2], point[2] - water_z
    low, high = 0.0, r
    for _ in range(80):
        x = 0.5 * (low + high)
        bent = n_air * x / np.hypot(x, h_air) - n_water * (r - x) / np.hypot(r - x, h_water)
        low, high = (low, x) if bent > 0 else (x, high)
    surface = np.append(C[:2] + away * (low / r), water_z)
    pixels, _ = cv2.projectPoints(surface.reshape(1, 1, 3), cv2.Rodrigues(R)[0], t, np.array(camera["intrinsics"]["K"]),
                                  np.array(camera["intrinsics"]["dist_coeffs"]))
    return pixels.reshape(2)


stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
failed = 0
for frame in truth["frames"]:
    board = frame["board"]
    dictionary = cv2.aruco.Dictionary_get(getattr(cv2.aruco, "DICT_" + board["dictionary"].upper()))
    charuco = cv2.aruco.CharucoBoard_create(*board["squares"], board["square_m"], board["marker_m"], dictionary)
    off, refined = [], []
    for name, camera in rig["cameras"].items():
        image = cv2.imread(f"{scene}/images/{name}/frame_{frame['index']:06d}.png", 0)
        corners, ids, _ = cv2.aruco.detectMarkers(image, dictionary)
        if ids is None:
            continue
        count, points, indices = cv2.aruco.interpolateCornersCharuco(corners, ids, image, charuco)
        for k in range(count):
            point = np.array(board["corners"][int(indices[k, 0])])
            pixel = project(camera, point, truth["n_air"], truth["n_water"], frame["water_z"])
            off.append(points[k, 0] - pixel)
            start = np.array(pixel, np.float32).reshape(1, 1, 2)
            refined.append(cv2.cornerSubPix(image, start, (3, 3), (-1, -1), stop)[0, 0] - pixel)
    total = len(board["corners"]) * len(rig["cameras"])
    worst = max(np.hypot(*d) for d in off) if off else np.inf
    mean = np.median(refined, axis=0) if off else [np.inf, np.inf]
    print(f"frame {frame['index']}: OpenCV finds {len(off)} of {total} corners, worst {worst:.2f} px off; refined {mean[0]:+.3f} {mean[1]:+.3f}")
    failed |= len(off) < 0.4 * total or worst > 1.5 or np.hypot(*mean) > 0.05
sys.exit(int(failed))
