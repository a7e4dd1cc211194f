"""The exercises of notebook 01: from the chain rule to whole models."""

from gencourse.exercises.autoregression.ancestral_sample import exercise as ancestral_sample
from gencourse.exercises.autoregression.bits_per_dimension import (
    exercise as bits_per_dimension,
)
from gencourse.exercises.autoregression.causal_mask import exercise as causal_mask
from gencourse.exercises.autoregression.chain_rule_log_prob import (
    exercise as chain_rule_log_prob,
)
from gencourse.exercises.autoregression.dilations_for_context import (
    exercise as dilations_for_context,
)
from gencourse.exercises.autoregression.mu_law_decode import exercise as mu_law_decode
from gencourse.exercises.autoregression.mu_law_encode import exercise as mu_law_encode
from gencourse.exercises.autoregression.pixelcnn_from_blank import (
    exercise as pixelcnn_from_blank,
)
from gencourse.exercises.autoregression.receptive_field import exercise as receptive_field
from gencourse.exercises.autoregression.skew import exercise as skew
from gencourse.exercises.autoregression.unskew import exercise as unskew
from gencourse.exercises.autoregression.wavenet_from_blank import (
    exercise as wavenet_from_blank,
)

# in the order of the notebook
__all__ = [
    "chain_rule_log_prob",
    "bits_per_dimension",
    "causal_mask",
    "skew",
    "unskew",
    "ancestral_sample",
    "mu_law_encode",
    "mu_law_decode",
    "receptive_field",
    "dilations_for_context",
    "pixelcnn_from_blank",
    "wavenet_from_blank",
]
