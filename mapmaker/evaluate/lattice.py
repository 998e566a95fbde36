"""Does the net's own raster show? The share of variance that repeats every few pixels.

Transposed convolutions of stride 4 paint a 4 px raster over everything, twice in a row one of
16 px; nearest and 3x3 convolution none (Odena et al., Deconvolution and checkerboard artifacts).
"""

import cv2
import numpy as np

from mapmaker.evaluate.pictures import Images

PERIODS_PX = (2, 4, 16)


def lattice_share(images: Images, period_px: int) -> float:
    """Return the share of the pictures' variance in what repeats every period_px, about 0..1.

    What all pixels at one place of a period_px x period_px tile have in common, less what their
    neighbourhood has, is the raster. It is taken from half of the tiles and held against the
    other half, so chance gives 0 in the mean and not the more the fewer tiles there are. A
    picture's own grid counts where its squares are such tiles: hold it against the reals' share.
    """
    shared, total = 0.0, 0.0
    for image in images:
        side = image.shape[0] // period_px * period_px
        picture = image[:side, :side].astype(np.float32)
        window = period_px + 1  # a whole period: half a pixel of it at either side
        kernel = np.full(window, 1 / period_px, np.float32)
        kernel[[0, -1]] /= 2
        fine = picture - cv2.sepFilter2D(picture, cv2.CV_32F, kernel, kernel)
        count = side // period_px
        tiles = fine.reshape(count, period_px, count, period_px, 3).swapaxes(1, 2)
        even = np.indices((count, count)).sum(axis=0) % 2 == 0
        one, other = (t.mean(axis=0, dtype=np.float64) for t in (tiles[even], tiles[~even]))
        shared += float(((one - one.mean((0, 1))) * (other - other.mean((0, 1)))).mean())
        total += float(picture.var(axis=(0, 1), dtype=np.float64).mean())
    return shared / max(total, 1e-9)
