"""export_readers.py READER FOLDER: compares what was exported into FOLDER with the shapes of closed form that
make_export_files.c made, as an independent reader sees it. READER: meshio, assimp or gdal. Prints what is wrong."""
import os
import subprocess
import sys

import numpy

reader, folder = sys.argv[1:]
failures = []
checks = 0


def check(what, condition):
    global checks
    checks += 1
    if not condition:
        failures.append(what)


def close(a, b, limit):
    a, b = numpy.asarray(a, float), numpy.asarray(b, float)
    return a.shape == b.shape and bool(numpy.all(numpy.abs(a - b) <= limit))


COLUMNS, ROWS = 60, 40
UNKNOWN_NORMAL = 61


def truth():
    """Positions, normals, colours (bytes), triangles."""
    i = numpy.arange(COLUMNS * ROWS)
    x, y = 0.01 * (i % COLUMNS) - 0.2, 0.01 * (i // COLUMNS) - 0.1
    position = numpy.stack([x, y, 1 + 0.01 * numpy.sin(20 * x)], 1)
    slope = 0.2 * numpy.cos(20 * x)
    normal = numpy.stack([slope, 0 * x, -numpy.ones_like(x)], 1)
    normal /= numpy.linalg.norm(normal, axis=1)[:, None]
    color = numpy.stack([i * 7 % 256, i // COLUMNS * 6, 255 - i % COLUMNS * 4], 1)
    a = (numpy.arange(ROWS - 1)[:, None] * COLUMNS + numpy.arange(COLUMNS - 1)).ravel()
    b, c, d = a + 1, a + COLUMNS, a + COLUMNS + 1
    return position, normal, color, numpy.stack([a, c, b, b, c, d], 1).reshape(-1, 3)


def linear(color):
    c = color / 255
    return numpy.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def corners(position, triangles):
    return position[triangles].reshape(-1, position.shape[1])


def upright(vectors):
    """What the node of a glTF does: world Z down becomes -Y."""
    return numpy.stack([vectors[:, 0], -vectors[:, 2], vectors[:, 1]], 1)


def check_normals(name, got, normal, triangles):
    """One vertex has no normal of its own: that one comes from its triangles, and is nearly that of the shape."""
    length = numpy.linalg.norm(got, axis=1)
    check(f"{name}: normals of length 1", close(length, numpy.ones_like(length), 2e-6))
    known = triangles.ravel() != UNKNOWN_NORMAL if len(got) == triangles.size else (
        numpy.arange(len(normal)) != UNKNOWN_NORMAL)
    expected = corners(normal, triangles) if len(got) == triangles.size else normal
    check(f"{name}: normals", close(got[known], expected[known], 2e-6))
    check(f"{name}: the normal that was not known", close(got[~known], expected[~known], 2e-2))


def read_with_meshio():
    import meshio
    position, normal, color, triangles = truth()

    mesh = meshio.read(f"{folder}/mesh.obj")
    check("obj: vertices", mesh.points.shape == (len(position), 6))
    check("obj: positions", close(mesh.points[:, :3], position, 1.3e-7)) # half a step of a float, twice
    check("obj: colours", close(numpy.round(mesh.points[:, 3:] * 255), color, 0))
    check("obj: triangles", numpy.array_equal(mesh.cells_dict["triangle"], triangles))
    check_normals("obj", mesh.point_data["obj:vn"], normal, triangles)

    mesh = meshio.read(f"{folder}/mesh.stl") # joins corners at the same place
    got = mesh.points[mesh.cells_dict["triangle"]]
    check("stl: triangles", close(got, position[triangles], 1e-7))
    check("stl: vertices", len(mesh.points) == len(position))
    facets = numpy.frombuffer(open(f"{folder}/mesh.stl", "rb").read()[84:],
                              numpy.dtype([("normal", "<f4", 3), ("corners", "<f4", 9), ("rest", "<u2")]))
    p = position[triangles]
    cross = numpy.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    check("stl: normals", close(facets["normal"], cross / numpy.linalg.norm(cross, axis=1)[:, None], 1e-4))
    check("stl: normals point up", bool(numpy.all(facets["normal"][:, 2] < -0.9)))

    mesh = meshio.read(f"{folder}/again.ply")
    check("ply: positions", close(mesh.points, position, 1e-7))
    got = numpy.stack([mesh.point_data[c] for c in ("red", "green", "blue")], 1).astype(numpy.uint8) # from int8
    check("ply: colours", close(got, color, 0))
    check("ply: triangles", numpy.array_equal(mesh.cells_dict["triangle"], triangles))
    check("ply: views", numpy.array_equal(mesh.point_data["views"], numpy.arange(len(position)) % 13))


def read_ply_of_assimp(path):
    """Text, as assimp writes it (its binary files are not what their headers say): positions, normals, colours,
    triangles."""
    header, data = open(path).read().split("end_header\n")
    words = header.split()
    vertices = int(words[words.index("vertex") + 1])
    lines = data.splitlines()
    vertex = numpy.array([line.split() for line in lines[:vertices]], float)
    face = numpy.array([line.split() for line in lines[vertices:]], int)
    check(f"{path}: faces", len(face) == int(words[words.index("face") + 1]) and bool(numpy.all(face[:, 0] == 3)))
    return vertex[:, :3], vertex[:, 3:6], vertex[:, 6:], face[:, 1:]


def read_with_assimp():
    position, normal, color, triangles = truth()
    for ending in ("obj", "stl", "gltf", "glb"):
        out = f"{folder}/{ending}_of_assimp.ply"
        done = subprocess.run(["assimp", "export", f"{folder}/mesh.{ending}", out, "-fply"], capture_output=True)
        if done.returncode != 0 or not os.path.exists(out):
            check(f"{ending}: assimp: {done.stdout.decode()[-300:]}", False)
            continue
        got_position, got_normal, got_color, index = read_ply_of_assimp(out)
        is_gltf = ending in ("gltf", "glb")
        check(f"{ending}: faces", len(index) == len(triangles))
        if is_gltf:
            check(f"{ending}: vertices", len(got_position) == len(position))
            check(f"{ending}: triangles", numpy.array_equal(index, triangles))
        # corner by corner: of the others assimp gives each corner a vertex of its own
        turned = upright if is_gltf else lambda v: v
        index = index.ravel()
        check(f"{ending}: positions", close(got_position[index], turned(corners(position, triangles)), 2e-6))
        if ending == "stl": # no colours, and normals of triangles
            check("stl: no colours", got_color.shape[1] == 0)
            continue
        check_normals(ending, got_normal[index], turned(normal), triangles)
        expected = linear(color) * 255 if is_gltf else color
        check(f"{ending}: colours", close(got_color[index, :3], corners(expected, triangles), 1))
        check(f"{ending}: opaque", bool(numpy.all(got_color[:, 3] == 255)))
    info = subprocess.run(["assimp", "info", f"{folder}/mesh.stl"], capture_output=True).stdout.decode()
    check("stl: faces", f"Faces:              {len(triangles)}\n" in info)
    low, high = ("(%.6f %.6f %.6f)" % tuple(v) for v in (position.min(0), position.max(0)))
    check(f"stl: bounds {low} {high} in {info[-1500:]}", low in info and high in info)


def read_with_gdal():
    from osgeo import gdal, osr
    gdal.UseExceptions()
    j, i = numpy.mgrid[0:130, 0:250]
    known = (i + j) % 11 != 0
    z, sigma = 1 + 0.001 * i + 0.0005 * j, 0.0001 * (1 + i % 9)

    picture = gdal.Open(f"{folder}/map.tif")
    check("tiff: size", (picture.RasterXSize, picture.RasterYSize, picture.RasterCount) == (250, 130, 2))
    # the corner of the first pixel: half a step before the node at (-30, 12 + 129) steps
    expected = (-30.5 * 0.002, 0.002, 0, 141.5 * 0.002, 0, -0.002)
    check(f"tiff: place {picture.GetGeoTransform()}", close(picture.GetGeoTransform(), expected, 1e-12))
    check("tiff: pixels are points", picture.GetMetadataItem("AREA_OR_POINT") == "Point")
    check("tiff: packed", picture.GetMetadataItem("COMPRESSION", "IMAGE_STRUCTURE") == "DEFLATE")
    system = osr.SpatialReference(wkt=picture.GetProjection())
    check(f"tiff: a local system in metres: {picture.GetProjection()}",
          system.IsLocal() and system.GetLinearUnits() == 1 and "aquamvs rig frame" in picture.GetProjection())
    for number, values, words in ((1, z, "Z, metres, down"), (2, sigma, "sigma of Z, metres")):
        band = picture.GetRasterBand(number)
        got = band.ReadAsArray()[::-1] # the first row has the largest Y
        check(f"tiff: band {number} type", band.DataType == gdal.GDT_Float32)
        check(f"tiff: band {number} no data", numpy.isnan(band.GetNoDataValue()))
        check(f"tiff: band {number} holes", numpy.array_equal(~numpy.isnan(got), known))
        check(f"tiff: band {number} values", close(got[known], values[known], 1e-7))
        check(f"tiff: band {number} says what it is", band.GetDescription() == words)
        check(f"tiff: band {number} unit", band.GetUnitType() == "metre")

    arrays = numpy.load(f"{folder}/map.npz")
    check("npz: arrays", set(arrays) == {"z", "sigma", "x", "y", "step", "world_from_rig"})
    check("npz: z", close(arrays["z"][known], z[known], 1e-7))
    check("npz: holes", numpy.array_equal(~numpy.isnan(arrays["z"]), known))
    check("npz: x", numpy.array_equal(arrays["x"], (numpy.arange(250) - 30) * 0.002))
    check("npz: y", numpy.array_equal(arrays["y"], (numpy.arange(130) + 12) * 0.002))
    check("npz: types", arrays["z"].dtype == "<f4" and arrays["x"].dtype == "<f8")
    check("npz: frame", numpy.array_equal(arrays["world_from_rig"], numpy.eye(3)))


{"meshio": read_with_meshio, "assimp": read_with_assimp, "gdal": read_with_gdal}[reader]()
for failure in failures:
    print("FAIL:", failure)
print(f"{reader}: {checks} checks, {len(failures)} failures")
sys.exit(1 if failures or checks == 0 else 0)
