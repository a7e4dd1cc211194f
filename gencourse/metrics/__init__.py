"""Yardsticks: how likely, how far it sees, how much alike, how varied, how much copied; and how sure a number is."""

from gencourse.metrics.codes import (
    information_lead,
    kl_to_standard_normal,
    mutual_information,
    random_rotations,
    share_in_holes,
    share_of_one_kind,
)
from gencourse.metrics.copying import (
    Support,
    birthday_support,
    c_t,
    c_t_of_distances,
    looks_copied,
    nearest_distance,
    nearest_ratio,
)
from gencourse.metrics.distributions import cell_probabilities, jensen_shannon, patch_frequencies, total_variation
from gencourse.metrics.intervals import Interval, mean_interval, median_interval, share_interval
from gencourse.metrics.likelihood import (
    binarisation_entropy,
    bits_per_dimension,
    bits_per_sample,
    fitted_posterior,
    importance_bound,
    nats,
    nats_one_by_one,
    total_probability,
)
from gencourse.metrics.likeness import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    features,
    frechet_distance,
    frechet_floor,
    legible,
    precision_recall,
)
from gencourse.metrics.modes import ModeStatistics, mode_statistics
from gencourse.metrics.pictures import Spectrum, sharpness, slant, spectrum, thickness
from gencourse.metrics.receptive import reach, receptive_field, seen_pairs
from gencourse.metrics.sounds import warped_distance
from gencourse.metrics.timing import seconds_of, time_sampling
from gencourse.metrics.turns import changed, disturbed_turns, player_state

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
    "changed",
    "density_coverage",
    "disturbed_turns",
    "features",
    "fitted_posterior",
    "frechet_distance",
    "frechet_floor",
    "importance_bound",
    "information_lead",
    "jensen_shannon",
    "kl_to_standard_normal",
    "legible",
    "looks_copied",
    "mean_interval",
    "median_interval",
    "mode_statistics",
    "mutual_information",
    "nats",
    "nats_one_by_one",
    "nearest_distance",
    "nearest_ratio",
    "patch_frequencies",
    "player_state",
    "precision_recall",
    "random_rotations",
    "reach",
    "receptive_field",
    "seconds_of",
    "seen_pairs",
    "share_in_holes",
    "share_interval",
    "share_of_one_kind",
    "sharpness",
    "slant",
    "spectrum",
    "thickness",
    "time_sampling",
    "total_probability",
    "total_variation",
    "warped_distance",
]
