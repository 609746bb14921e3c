"""verify_opencv.py SCENE: OpenCV's own detector on the raw images of a scene `charuco`: half of its corners within 0.2 px of where the
truth, projected by an independent refraction, has them, all within 1.5 px (its markers are small here); at least 40 % of all corners."""
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


failed = 0
for frame in truth["frames"]:
    board = frame["board"]
    dictionary = cv2.aruco.Dictionary_get(getattr(cv2.aruco, "DICT_" + board["dictionary"].upper()))
    charuco = cv2.aruco.CharucoBoard_create(*board["squares"], board["square_m"], board["marker_m"], dictionary)
    off = []
    for name, camera in rig["cameras"].items():
        image = cv2.imread(f"{scene}/images/{name}/frame_{frame['index']:06d}.png", 0)
        corners, ids, _ = cv2.aruco.detectMarkers(image, dictionary)
        if ids is None:
            continue
        count, points, indices = cv2.aruco.interpolateCornersCharuco(corners, ids, image, charuco)
        for k in range(count):
            point = np.array(board["corners"][int(indices[k, 0])])
            pixel = project(camera, point, truth["n_air"], truth["n_water"], frame["water_z"])
            off.append(float(np.hypot(*(points[k, 0] - pixel))))
    total = len(board["corners"]) * len(rig["cameras"])
    median, worst = (float(np.median(off)), max(off)) if off else (np.inf, np.inf)
    print(f"frame {frame['index']}: OpenCV finds {len(off)} of {total} corners, median {median:.3f}, worst {worst:.2f} px off")
    failed |= len(off) < 0.4 * total or median > 0.2 or worst > 1.5
sys.exit(failed)
