"""Claims of chapter 02: mixtures of Gaussians."""

from gencourse.claims.ledger import claim
from gencourse.claims.outcome import Part, above, within
from gencourse.metrics import Interval

NOTEBOOK = "02_gmm"


@claim(
    "GM1",
    NOTEBOOK,
    notes="m ~ P(m), x|m ~ N(μᵐ, Σᵐ); P(x) = Σₘ P(m) P(x|m).",
    says="Drawing first a component and then a point gives points whose density is the sum.",
    measured_by="the total variation between ten histograms of draws and P(x), beyond what chance gives",
    since="2026-11-30",
    before="Until then one histogram of one round mixture was looked at, and the error of each control was eight "
    "times the distance that chance gives, so that an error of a few hundredths would have passed.",
)
def the_density_of_the_draws_is_the_sum(plain: Interval, tilted: Interval, near: Interval) -> list[Part]:
    """`plain`, `tilted`: for round Gaussians and for elliptic ones, the total variation between the shares of 200,000
    draws in cells of the plane and the sum, less its mean for draws from the cells themselves (0.02); over ten series.
    `near`: the same where one draw in twenty comes from a single Gaussian. The limit, a tenth of what chance gives, is
    smaller than this control. Draws that are too even come out below zero.
    """
    limit = 0.002
    beyond = "total variation beyond chance"
    return [
        within(f"{beyond}, three round Gaussians", plain, -limit, limit, form=".4f"),
        within(f"{beyond}, three elliptic Gaussians", tilted, -limit, limit, form=".4f"),
        above(f"{beyond}, one draw in twenty from another density, a control", near, limit, form=".4f"),
    ]


@claim(
    "GM2",
    NOTEBOOK,
    notes="L = Σₓ log P(x): maximise the likelihood of the observed x.",
    says="An exact step of EM, without a floor, never lowers the likelihood.",
    measured_by="the likelihood at every step, from many starts on three data sets",
    since="2026-11-30",
    before="Until then all starts had equal weights and lay in one data set, and one falling step of the control was "
    "enough. The sentence did not say that a floor is excluded, with which steps do go down. Half of the starts "
    "were asked of the control at first; after a trial, in which fewer showed it, a quarter.",
    exact=True,
)
def the_likelihood_never_falls(lowest: float, rounding: float, control: float) -> list[Part]:
    """`lowest`: the smallest change in a step, nats per point; `rounding`: of a float64 as large as the likelihood, of
    which a sum over some hundred points may lose a hundred. `control`: the share of the starts from which an E-step
    that forgets the weights lets the likelihood fall by more than 1e-6. This bug is small, and shows from some starts
    only; asked is a quarter of them, so that the check is known to see it.
    """
    return [
        above("smallest change in a step, nats per point", lowest, -100 * rounding, form=".1e"),
        above("starts from which a wrong E-step makes the likelihood fall, a control", control, 0.25, form=".0%"),
    ]


@claim(
    "GM3",
    NOTEBOOK,
    notes="Distributed representation is better.",
    says="After 2,000 images with noise of 0.35 and 40 steps of EM: where the images are sums of eight bars, a code of "
    "eight bits fits new images better than a mixture of 8 and than one of 256 that starts from the true means. "
    "Where crossing ink counts once, that mixture of 256 fits better. On 16 clusters a mixture of 16 that must search "
    "fits better.",
    measured_by="the gap to the true density on new images, in nats, each pair of models after the same images",
    since="2026-11-30",
    before="Until then the sentence spoke of all data with attributes that vary on their own, and only sums were "
    "looked at; and the mixture of 256 started from k-means++ only, so that its failed search was counted as "
    "evidence for the code. A trial with four draws showed that the sentence is false where ink does not add "
    "up; the sentence was narrowed then, and the notebook tests it on new draws. It still named no number of images, "
    "though with fewer of them, after 40 steps of EM, the code is better where ink does not add up, too; and "
    "no noise, though in a trial with noise of 0.5 the code was better there as well. It said “started at the "
    "truth”, though the variance starts at that of the data, and only the means at the truth. It did not name "
    "the steps of EM, and the mixtures of 8 and of 16 had weights and variances of their own.",
)
def a_code_of_bits_is_better_for_sums(
    less: Interval, more: Interval, crossing: Interval, clusters: Interval
) -> list[Part]:
    """All in nats per new image, after 2,000 images with noise of 0.35, over draws of the data, positive where the
    sentence is true.

    All models have equal weights and one variance. `less`: how much larger the gap of a mixture of 8 is than that of
    the code, which has about as many parameters. `more`: how much larger that of a mixture with one mean for each code
    is, started from the true means, so that it has nothing to search. By 1/(2n) a parameter, its 3,952 further
    parameters cost 0.99 nats at n = 2,000; asked is half. `crossing`: how much larger the gap of the code is than that
    of this mixture where crossing ink counts once; `clusters`: and than that of a mixture of 16 where the data are 16
    clusters anywhere. There the sign decides.
    """
    return [
        above("sums of parts: the gap of a mixture of 8 is larger than the code's, by", less, 0.5, "nats"),
        above("sums of parts: so is that of a mixture with a mean for each code, by", more, 0.5, "nats"),
        above("parts that do not add up: the gap of the code is larger than that mixture's, by", crossing, 0, "nats"),
        above("no parts, 16 clusters: it is larger than that of a mixture of 16, by", clusters, 0, "nats"),
    ]
