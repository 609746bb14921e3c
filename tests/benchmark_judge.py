#!/usr/bin/env python3
"""Our figures of a benchmark run against the independent judge's, cell by cell.

usage: benchmark_judge.py RUN EVALUATE.py

RUN was made with `aquamvs benchmark SUITE.yaml --output-dir RUN --keep`; EVALUATE.py scores the clouds it kept.
Every figure must agree to 1 % or 0.01 mm (0.01 points of percent). Exit status 0 if all do, 1 if not, 77 where the judge
is not there or the suite's tolerance is none of its limits.
"""
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np


def load(path):
    sys.path.insert(0, str(Path(path).resolve().parent))
    spec = importlib.util.spec_from_file_location("judge", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def raw_completeness(judge, truth, points, min_views):
    """Samples of the true surface with any point within 2 mm on the map."""
    samples = truth.samples(0.002, min_views)
    distance, _ = judge.cKDTree(points[:, :2]).query(samples[:, :2], distance_upper_bound=0.002)
    return 100.0 * np.isfinite(distance).mean()


def plane_fit(truth, points, min_views):
    """RMS distance of the points that enough cameras see to their own plane."""
    foot = np.stack([points[:, 0], points[:, 1], truth.surface(points[:, 0], points[:, 1])], 1)
    inside = points[truth.views(foot) >= min_views].astype(float)
    return 1000.0 * np.linalg.svd(inside - inside.mean(0), full_matrices=False)[1][-1] / np.sqrt(len(inside))


def judged(judge, folder, cloud, dataset, limit, has_plane):
    truth = judge.Truth(folder, dataset["frame"])
    points, _ = judge.read_ply(cloud)
    points = points[np.isfinite(points).all(1)]
    views = dataset["min_views"]
    score = judge.score_points(truth, points, 0.002, views, None, 0.002)
    region, key = score["in_region"], f"{limit:g}mm"
    figures = {
        "points": score["points"], "mean_mm": region["mean_abs"], "median_mm": region["median_abs"],
        "std_mm": region["std"], "rms_mm": region["rms"], "p90_mm": region["p90"], "p95_mm": region["p95"],
        "precision_pct": score["precision_pct"][key], "completeness_pct": score["completeness_pct"][key],
        "raw_completeness_pct": raw_completeness(judge, truth, points, views),
    }
    if has_plane:
        figures["plane_fit_rmse_mm"] = plane_fit(truth, points, views)
    return figures


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    run, script = Path(sys.argv[1]), Path(sys.argv[2])
    if not script.exists():
        print(f"SKIPPED: no independent judge: {script} is not there")
        return 77
    summary = json.loads((run / "summary.json").read_text())
    limit = summary["ground_truth_tolerance_mm"]
    if limit not in (0.5, 1.0, 2.0, 5.0):
        print(f"SKIPPED: the judge has no limit of {limit:g} mm")
        return 77
    judge = load(script)
    datasets = {d["name"]: d for d in summary["datasets"]}
    figures = worse = 0
    largest = 0.0
    for cell in summary["cells"]:
        name = f"{cell['dataset']}, {cell['configuration']}"
        if cell["status"] != "done":
            print(f"{name}: {cell['status']}")
            continue
        dataset = datasets[cell["dataset"]]
        folder = dataset.get("folder", str(run / "work" / "datasets" / cell["dataset"]))
        frame = run / "work" / "runs" / cell["dataset"] / cell["configuration"] / f"frame_{dataset['frame']:06d}"
        cloud = frame / "point_cloud" / "fused.ply"
        cloud = cloud if cloud.exists() else frame / "point_cloud" / "sparse.ply"
        ours = cell["cloud"]
        theirs = judged(judge, folder, cloud, dataset, limit, "plane_fit_rmse_mm" in ours)
        if set(ours) != set(theirs):
            print(f"{name}: FAIL: figures {sorted(set(ours) ^ set(theirs))} of one side alone")
            worse += 1
        largest_here = 0.0
        for key in sorted(set(ours) & set(theirs)):
            difference = abs(ours[key] - theirs[key])
            figures += 1
            largest_here = max(largest_here, difference if key != "points" else 0.0)
            if difference > 0.01 and difference > 0.01 * abs(theirs[key]):
                print(f"{name}: FAIL: {key} is {ours[key]:g}, the judge has {theirs[key]:g}")
                worse += 1
        largest = max(largest, largest_here)
        print(f"{name}: largest difference {largest_here:.2g}")
    print(f"{figures} figures, {worse} do not agree; largest difference {largest:.2g} mm or points of percent")
    return 1 if worse or figures == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
