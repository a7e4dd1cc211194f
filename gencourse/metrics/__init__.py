"""Yardsticks: how likely, how far it sees, how much alike, how varied, how much copied; and how sure a number is."""

from gencourse.metrics.codes import kl_to_standard_normal, mutual_information, share_in_holes
from gencourse.metrics.copying import (
    Support,
    birthday_support,
    c_t,
    c_t_of_distances,
    looks_copied,
    nearest_distance,
    nearest_ratio,
)
from gencourse.metrics.distributions import (
    cell_probabilities,
    cell_shares,
    excess_variation,
    jensen_shannon,
    patch_frequencies,
    total_variation,
    variation_by_chance,
)
from gencourse.metrics.intervals import Interval, mean_interval, median_interval, share_interval
from gencourse.metrics.likelihood import (
    binarisation_entropy,
    bits_per_dimension,
    bits_per_sample,
    importance_bound,
    nats,
)
from gencourse.metrics.likeness import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    features,
    frechet_distance,
    frechet_floor,
    precision_recall,
)
from gencourse.metrics.modes import ModeStatistics, mode_statistics
from gencourse.metrics.pictures import Spectrum, lone_ink, sharpness, slant, spectrum, thickness
from gencourse.metrics.receptive import reach, receptive_field
from gencourse.metrics.sounds import warped_distance

__all__ = [
    "DensityCoverage",
    "Interval",
    "ModeStatistics",
    "PrecisionRecall",
    "Spectrum",
    "Support",
    "binarisation_entropy",
    "birthday_support",
    "bits_per_dimension",
    "bits_per_sample",
    "c_t",
    "c_t_of_distances",
    "cell_probabilities",
    "cell_shares",
    "density_coverage",
    "excess_variation",
    "features",
    "frechet_distance",
    "frechet_floor",
    "importance_bound",
    "jensen_shannon",
    "kl_to_standard_normal",
    "lone_ink",
    "looks_copied",
    "mean_interval",
    "median_interval",
    "mode_statistics",
    "mutual_information",
    "nats",
    "nearest_distance",
    "nearest_ratio",
    "patch_frequencies",
    "precision_recall",
    "reach",
    "receptive_field",
    "share_in_holes",
    "share_interval",
    "sharpness",
    "slant",
    "spectrum",
    "thickness",
    "total_variation",
    "variation_by_chance",
    "warped_distance",
]
