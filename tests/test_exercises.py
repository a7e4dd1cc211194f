"""Every exercise against right and wrong answers, and the machinery against readers' code of every kind."""

import functools
import itertools
import math
import random
import re
import threading
import time
import warnings

import numpy as np
import pytest
import test_exercises_blank_autoregression
import test_exercises_diagnose
import test_exercises_failures
import test_exercises_gan
import test_exercises_gmm
import test_exercises_scoreboard
import test_exercises_vae
import torch
from torch import Tensor
from torch.nn import functional as F

from gencourse.course.execute import NOTEBOOKS
from gencourse.exercises import autoregression, failures, gan, gmm, scoreboard, start, vae
from gencourse.exercises.machine.answers import Answers, Unusable
from gencourse.exercises.machine.cases import NOT_TRIED, Case, varied
from gencourse.exercises.machine.common import method
from gencourse.exercises.machine.exercise import Exercise
from gencourse.exercises.machine.mistakes import Mistake, Symptom
from gencourse.exercises.machine.verdict import Verdict

MODULES = (start, autoregression, gmm, vae, gan, failures, scoreboard)
EXERCISES = {name: thing for module in MODULES for name, thing in vars(module).items() if isinstance(thing, Exercise)}
MISTAKES = [
    pytest.param(exercise, mistake, id=f"{name}: {mistake.name}")
    for name, exercise in EXERCISES.items()
    for mistake in exercise.mistakes
]
every = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
TABLES = {name: exercise for name, exercise in EXERCISES.items() if exercise.mistakes}  # the others: whole models
each_table = pytest.mark.parametrize("exercise", TABLES.values(), ids=TABLES)
mask = EXERCISES["causal_mask"]

# Right answers, written otherwise than the reference

RIGHT = {name: [] for name in EXERCISES}


def right(fn):
    RIGHT[fn.__name__.split("__")[0]].append(fn)
    return fn


@right
def coin_log_likelihood__looped(flips, p):
    total = 0.0
    for flip in flips:
        total += math.log(p) if flip else math.log(1 - p)
    return total


@right
def coin_log_likelihood__where(flips, p):
    return torch.log(torch.where(flips == 1, torch.tensor(p), torch.tensor(1 - p))).sum()


@right
def coin_log_likelihood__library(flips, p):
    return torch.distributions.Bernoulli(torch.tensor(p)).log_prob(flips.float()).sum()


@right
def coin_log_likelihood__numpy(flips, p):
    flips = flips.numpy()
    return np.sum(flips * np.log(p) + (1 - flips) * np.log1p(-p))


@right
def chain_rule_log_prob__float64(x, conditional):
    p = torch.stack([conditional(x[:t]) for t in range(len(x))]).double()
    return (x * p.log() + (1 - x) * (1 - p).log()).sum()


@right
def chain_rule_log_prob__recursive_from_the_end(x, conditional):
    total = torch.zeros((), requires_grad=True)
    for t in reversed(range(x.numel())):
        total = total + torch.log(torch.abs(conditional(x[:t]) - (1 - x[t])))
    return total


@right
def chain_rule_log_prob__lists(x, conditional):
    values, before, total = x.tolist(), [], 0
    for value in values:
        total += np.log(float(conditional(before)) if value else 1 - float(conditional(before)))
        before.append(value)
    return total


@right
def chain_rule_log_prob__in_place(x, conditional):
    terms = torch.zeros(len(x))
    for t in range(len(x) - 1, -1, -1):
        p = conditional(x[:t])
        terms[t] = F.binary_cross_entropy(p, x[t].float())
        x[t] = -7  # nothing looks at it any more
    return -terms.sum()


@right
def causal_mask__order(kernel_size, kind):
    order = torch.arange(kernel_size**2)
    return (order < kernel_size**2 // 2 + (kind == "B")).reshape(kernel_size, kernel_size)


@right
def causal_mask__lists(kernel_size, kind):
    rows = [[0] * kernel_size for _ in range(kernel_size)]
    for i, j in itertools.product(range(kernel_size), repeat=2):
        if i < kernel_size // 2 or (i == kernel_size // 2 and j < kernel_size // 2 + (kind == "B")):
            rows[i][j] = 1
    return rows


@right
def causal_mask__numpy(kernel_size, kind):
    mask = np.ones((kernel_size, kernel_size), dtype=np.float64)
    mask[kernel_size // 2, kernel_size // 2 + (kind == "B") :] = 0
    mask[kernel_size // 2 + 1 :] = 0
    return mask


@right
def causal_mask__parameter(kernel_size, kind):
    half = kernel_size // 2
    rows = [torch.ones(half, kernel_size), torch.zeros(half + 1, kernel_size)]
    mask = torch.cat(rows).double()
    mask[half, :half] = 1
    mask[half, half] = {"A": 0, "B": 1}[kind]
    return mask.requires_grad_()


@right
def receptive_field__eats_its_input(kernel_size, dilations):
    seen = 1
    while dilations:
        seen += (kernel_size - 1) * dilations.pop()
    return seen


@right
def receptive_field__tensor(kernel_size, dilations):
    return torch.tensor(dilations, dtype=torch.float64).sum() * (kernel_size - 1) + 1


@right
def receptive_field__by_reaching(kernel_size, dilations):
    seen = {0}
    for d in dilations:
        seen = {s - tap * d for s in seen for tap in (0, kernel_size - 1)}
    return np.int64(max(seen) - min(seen) + 1)


@right
def bits_per_dimension__log2e(nats, n_dimensions):
    return nats * math.log2(math.e) / n_dimensions


@right
def bits_per_dimension__numpy(nats, n_dimensions):
    return np.asarray(nats) / np.log(2.0) / n_dimensions


@right
def bits_per_dimension__in_place(nats, n_dimensions):
    nats /= n_dimensions
    nats /= torch.log(torch.tensor(2.0)).item()
    return nats


@right
def bits_per_dimension__change_of_base(nats, n_dimensions):
    return torch.as_tensor(nats, dtype=torch.float64).div(n_dimensions * math.log(2))


@right
def skew__padded(x):
    height = x.shape[2]
    return torch.stack([F.pad(x[:, :, i], (i, height - 1 - i)) for i in range(height)], dim=2)


@right
def skew__reshaped(x):
    batch, channels, height, width = x.shape
    y = F.pad(x, (0, height)).reshape(batch, channels, -1)[..., :-height]
    return y.reshape(batch, channels, height, width + height - 1)


@right
def skew__numpy(x):
    x = x.numpy()
    y = np.zeros((*x.shape[:3], x.shape[3] + x.shape[2] - 1))
    for i, j in np.ndindex(*x.shape[2:]):
        y[:, :, i, i + j] = x[:, :, i, j]
    return y


@right
def unskew__gather(y, width):
    height = y.shape[2]
    columns = torch.arange(height)[:, None] + torch.arange(width)
    return y.gather(3, columns.expand(*y.shape[:2], height, width))


@right
def unskew__in_place(y, width):
    for i in range(y.shape[2]):
        y[:, :, i] = y[:, :, i].roll(-i, -1)
    return y[..., :width]


@right
def unskew__numpy_looped(y, width):
    y = y.double().numpy()
    x = np.empty((*y.shape[:3], width))
    for i in range(y.shape[2]):
        for j in range(width):
            x[:, :, i, j] = y[:, :, i, i + j]
    return x


@right
def ancestral_sample__bernoulli(conditional, n_dimensions, generator):
    x = torch.empty(0, dtype=torch.int64)
    while len(x) < n_dimensions:
        x = torch.cat([x, torch.bernoulli(conditional(x), generator=generator).long()[None]])
    return x


@right
def ancestral_sample__lists(conditional, n_dimensions, generator):
    values = []
    for u in torch.rand(n_dimensions, generator=generator).tolist():
        values.append(int(u < float(conditional(torch.tensor(values, dtype=torch.int64)))))
    return values


@right
def ancestral_sample__other_tail(conditional, n_dimensions, generator):
    x = torch.zeros(n_dimensions, dtype=torch.bool)
    for t in range(n_dimensions):
        x[t] = torch.rand(1, generator=generator).item() >= 1 - conditional(x[:t])
    return x


@right
def ancestral_sample__multinomial(conditional, n_dimensions, generator):
    x = np.zeros(n_dimensions)
    for t in range(n_dimensions):
        p = conditional(x[:t])
        x[t] = torch.multinomial(torch.stack([1 - p, p]), 1, generator=generator)
    return x


@right
def mu_law_encode__where(x, levels=256):
    mu = levels - 1
    size = torch.log2(1 + mu * x.abs()) / math.log2(levels)
    f = torch.where(x < 0, -size, size)
    return ((f + 1) * mu / 2 + 0.5).floor().to(torch.int32)


@right
def mu_law_encode__numpy(x, levels=256):
    x = np.asarray(x, dtype=np.float64)
    return np.rint((np.sign(x) * np.log1p((levels - 1) * np.abs(x)) / np.log(levels) + 1) / 2 * (levels - 1))


@right
def mu_law_encode__looped_in_place(x, levels=256):
    flat = x.view(-1)
    for i, value in enumerate(flat.tolist()):
        f = math.copysign(math.log(1 + (levels - 1) * abs(value)) / math.log(levels), value)
        flat[i] = round((f + 1) / 2 * (levels - 1))
    return x


@right
def mu_law_decode__expm1(indices, levels=256):
    mu = levels - 1
    f = indices.double() * 2 / mu - 1
    return f.sign() * torch.expm1(f.abs() * math.log1p(mu)) / mu


@right
def mu_law_decode__table(indices, levels=256):
    table = [
        math.copysign((levels ** abs(f) - 1) / (levels - 1), f)
        for f in (2 * i / (levels - 1) - 1 for i in range(levels))
    ]
    return torch.tensor(table)[indices]


@right
def mu_law_decode__numpy(indices, levels=256):
    f = np.linspace(-1, 1, levels)[indices.numpy()]
    return np.sign(f) * (np.power(float(levels), np.abs(f)) - 1) / (levels - 1)


@right
def dilations_for_context__closed_form(context, kernel_size=2):
    needed = -(-(context - 1) // (kernel_size - 1))  # the sum of the dilations, rounded up
    return [2**i for i in range(needed.bit_length())]


@right
def dilations_for_context__counts_up(context, kernel_size=2):
    n_layers = 0
    while 1 + (kernel_size - 1) * (2**n_layers - 1) < context:
        n_layers += 1
    return 2 ** torch.arange(n_layers)


@right
def dilations_for_context__running(context, kernel_size=2):
    seen, d, out = 1, 1, ()
    while seen < context:
        seen, d, out = seen + (kernel_size - 1) * d, d * 2, (*out, d)
    return out


CHAPTERS = (
    test_exercises_gmm,
    test_exercises_vae,
    test_exercises_blank_autoregression,
    test_exercises_gan,
    test_exercises_diagnose,
    test_exercises_failures,
    test_exercises_scoreboard,
)
for fn in [fn for chapter in CHAPTERS for fn in chapter.RIGHT]:
    right(fn)

ANSWERS = [pytest.param(EXERCISES[name], fn, id=fn.__name__) for name, fns in RIGHT.items() for fn in fns]


# Wrong answers that are no mistake of the list, and must not be given a wrong name


def only_for_three(kernel_size, kind):
    return torch.tensor([[1, 1, 1], [1, int(kind == "B"), 0], [0, 0, 0]])


def two_mistakes(kernel_size, kind):
    return mask.reference(kernel_size, "A" if kind == "B" else "B").T


@pytest.mark.parametrize(
    ("name", "answer", "diagnosis"),
    [
        ("causal_mask", only_for_three, "wrong shape"),
        ("causal_mask", two_mistakes, "the future is seen"),
        ("causal_mask", lambda k, kind: torch.ones(k, k), "the future is seen"),
        ("causal_mask", lambda k, kind: torch.zeros(k, k), "some of the past is hidden"),
        ("causal_mask", lambda k, kind: mask.reference(k, kind).log(), "something else than 0 and 1"),
        ("causal_mask", lambda k, kind: mask.reference(k, kind) if k < 9 else torch.ones(k, k), "the future is seen"),
        ("receptive_field", lambda k, d: 2 ** len(d), "differs"),
        ("receptive_field", lambda k, d: k ** len(d), "differs"),
        ("receptive_field", lambda k, d: (k - 1) * sum(d) + 1 if d else 0, "an empty stack sees nothing"),
        ("receptive_field", lambda k, d: -(k - 1) * sum(d) - 1, "off by a constant factor"),
        (
            "coin_log_likelihood",
            lambda f, p: math.log(math.prod(p if x else 1 - p for x in f.tolist())),
            "the product underflows",
        ),
        (
            "coin_log_likelihood",
            lambda f, p: -F.binary_cross_entropy(torch.full(f.shape, p), f.float()),
            "the mean in place of the sum",
        ),
        (
            "chain_rule_log_prob",
            lambda x, c: sum(math.log(c(x[:t]) if x[t] else 1 - c(x[:t])) for t in range(len(x))[:9]),
            "differs",
        ),
        (
            "chain_rule_log_prob",
            lambda x, c: torch.stack([c(x[:t]) if x[t] else 1 - c(x[:t]) for t in range(len(x))]).prod().log(),
            "the product underflows",
        ),
        (
            "chain_rule_log_prob",
            lambda x, c: math.log(math.prod(float(c(x[:t]) if x[t] else 1 - c(x[:t])) for t in range(len(x)))),
            "the product underflows",
        ),
        (
            "chain_rule_log_prob",
            lambda x, c: torch.stack([c(x[:t]) if x[t] else 1 - c(x[:t]) for t in range(len(x))]).prod(),
            "no logarithm",
        ),
        (
            "chain_rule_log_prob",
            lambda x, c: -2 * sum(math.log(c(x[:t])) for t in range(len(x))),
            "a log-probability above 0",
        ),
        ("bits_per_dimension", lambda nats, n: nats / n / 8, "off by a constant factor"),
        ("skew", lambda x: F.pad(x, (0, x.shape[2] - 1)).roll(1, 3), "right numbers in wrong places"),
        ("unskew", lambda y, width: y, "wrong shape"),
        (
            "ancestral_sample",
            lambda c, n, g: EXERCISES["ancestral_sample"].reference(
                c, n, torch.Generator().manual_seed(g.initial_seed())
            ),
            "the generator is not used up",
        ),
        (
            "ancestral_sample",
            lambda c, n, g: torch.tensor([int(np.random.rand() < c([0] * 0)) for _ in range(n)]),
            "the generator is ignored",
        ),
        (
            "mu_law_encode",
            lambda x, levels=256: (
                (x.sign() * (1 + (levels - 1) * x.abs()).log() / math.log(levels) + 1) / 2 * (levels - 1)
            ).int(),
            "truncated instead of rounded",
        ),
        ("mu_law_encode", lambda x, levels=256: ((x + 1) * levels / 2).long(), "out of range"),
        ("mu_law_decode", lambda i, levels=256: (2 * i / (levels - 1) - 1).clamp(-0.99, 0.99), "the extremes are lost"),
        ("dilations_for_context", lambda c, k=2: [c - 1], "the dilations do not double"),
        ("dilations_for_context", lambda c, k=2: [], "the context is not covered"),
        ("dilations_for_context", lambda c, k=2: [2**i for i in range(20)], "too many layers"),
        ("dilations_for_context", lambda c, k=2: c, "a list is due"),
    ],
)
def test_other_wrong_answers(name, answer, diagnosis):
    verdict = EXERCISES[name].grade(answer)
    assert not verdict.passed and verdict.diagnosis == diagnosis, verdict


# Every exercise


@every
def test_reference_passes(exercise):
    words = "Right on all {} inputs." if exercise in TABLES.values() else "All {} laws hold."
    assert exercise.grade(exercise.reference) == Verdict(
        exercise.name, "passed", "passed", words.format(len(exercise.cases))
    )


@each_table
def test_two_other_right_answers_are_known(exercise):
    assert len(RIGHT[exercise.name]) >= 2


@pytest.mark.parametrize("chapter", [start, autoregression, gmm, vae, gan, failures, scoreboard])
def test_a_chapter_lists_its_exercises_in_the_order_of_its_notebook(chapter):
    (path,) = NOTEBOOKS.glob(f"{chapter.__doc__.split('notebook ')[1][:2]}_*.ipynb")
    assert re.findall(r"= exercises\.(\w+)\.check\(", path.read_text(encoding="utf-8")) == chapter.__all__


@pytest.mark.parametrize(("exercise", "answer"), ANSWERS)
def test_right_answers_pass(exercise, answer):
    assert exercise.grade(answer).status == "passed", exercise.grade(answer)


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_each_mistake_draws_its_own_diagnosis(exercise, mistake):
    verdict = exercise.grade(exercise.function_of(mistake))
    assert verdict.status == "not yet" and verdict.diagnosis == mistake.name, verdict
    assert mistake.message in verdict.message


@each_table
def test_mistakes_are_many_and_distinct(exercise):
    names = [mistake.name for mistake in exercise.mistakes]
    assert len(names) >= 3 and len(set(names)) == len(names)
    assert len({mistake.message for mistake in exercise.mistakes}) == len(names)


@every
def test_stub_is_not_attempted(exercise):
    scope = {"torch": torch, "Tensor": Tensor}
    exec(exercise.stub, scope)
    assert exercise.grade(scope[exercise.name]).status == "not attempted"
    assert exercise.check(scope[exercise.name]) is exercise.reference


@every
def test_solution_stands_alone_and_passes(exercise):
    scope = {}
    exec("import math, torch\nfrom torch import Tensor\n" + exercise.solution_source, scope)
    assert exercise.grade(scope[exercise.name]).status == "passed"
    assert exercise.solution_source.startswith(exercise.stub.split("\n    ...")[0])


@every
def test_exercise_says_what_it_is(exercise):
    assert f"about {exercise.minutes} minutes" in repr(exercise) and exercise.difficulty in repr(exercise)
    assert exercise.difficulty in ("easy", "medium", "hard") and len(exercise.hints) >= 3
    assert exercise.name in exercise._repr_html_()
    assert max(map(len, exercise.solution_source.splitlines())) <= 92  # readable in a notebook's cell


# The same exercises on other inputs, and judged in another process

SAME_ANSWERS = {"ancestral_sample", "kmeans_plus_plus", "reparameterise", "sample_mixture"}  # they draw by themselves


@functools.cache
def variant(exercise: Exercise, number: int) -> Exercise:
    module = next(module for module in MODULES if vars(module).get(exercise.name) is exercise)
    return getattr(modules(module, number), exercise.name)


modules = functools.cache(varied)


@each_table
def test_another_variant_asks_for_other_numbers(exercise):
    same, *others = ([case.run(exercise.reference) for case in variant(exercise, number).cases] for number in (0, 1, 2))
    assert all(map(torch.equal, same, exercise.expected))
    if exercise.name not in SAME_ANSWERS:
        assert any(
            value.shape != due.shape or not case.same(value, due)
            for other in others
            for case, value, due in zip(exercise.cases, other, exercise.expected)
        )


def varying(parameters):
    return [parameter for parameter in parameters if parameter.values[0].name not in SAME_ANSWERS]


def once_a_model(parameters):
    """Of a whole model the first right answer only: each takes seconds."""
    first = {exercise.name: fns[0] for name, fns in RIGHT.items() if fns and (exercise := EXERCISES[name])}
    return [each for each in parameters if each.values[0].mistakes or first[each.values[0].name] is each.values[1]]


@pytest.mark.parametrize(("exercise", "answer"), once_a_model(varying(ANSWERS)))
def test_right_answers_pass_in_another_variant(exercise, answer):
    assert variant(exercise, 1).grade(answer).passed, variant(exercise, 1).grade(answer)


@pytest.mark.parametrize(("exercise", "mistake"), varying(MISTAKES))
def test_no_mistake_passes_in_another_variant(exercise, mistake):
    verdict = variant(exercise, 1).grade(exercise.function_of(mistake))
    assert verdict.status == "not yet" and verdict.message


@every
def test_answers_can_be_judged_elsewhere(exercise):
    wrong = [exercise.function_of(mistake) for mistake in exercise.mistakes[:1]]
    for function in (exercise.reference, *wrong, lambda *arguments: 1 / 0, 5):
        answers = Answers.from_json(exercise.answers(function).to_json())
        assert exercise.judge(answers) == exercise.grade(function)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"values": [], "problem": null}',
        '{"values": 3, "problem": null, "printed": ""}',
        '{"values": [{"shape": [2], "float64": ""}], "problem": null, "printed": ""}',
        '{"values": [{"shape": [-1], "float64": "AAAAAAAA8D8="}], "problem": null, "printed": ""}',
        '{"values": [{"shape": [1], "float64": "AAAA8D8"}], "problem": null, "printed": ""}',
        '{"values": [{"shape": [1], "float64": "!"}], "problem": null, "printed": ""}',
        '{"values": [], "problem": ["passed", "passed", "Right on all 9 inputs."], "printed": ""}',
        '{"values": [["passed", "passed", ""]], "problem": null, "printed": ""}',
        "[" * 100_000,
    ],
)
def test_what_is_no_answer_is_refused(text):
    with pytest.raises(ValueError):
        Answers.from_json(text)


def test_answers_to_some_inputs_only_are_not_judged():
    answers = mask.answers(mask.reference)
    assert mask.judge(answers).passed
    with pytest.raises(ValueError, match="14 answers came to 15 inputs"):
        mask.judge(Answers(answers.values[1:]))


# What readers hand in


def pass_(kernel_size, kind):
    pass


def documented(kernel_size, kind):
    """Only a docstring."""


def not_implemented(kernel_size, kind):
    raise NotImplementedError("your code here")


def not_implemented_class(kernel_size, kind):
    raise NotImplementedError


def assigned(kernel_size, kind):
    mask = ...  # noqa: F841


def ellipsis_returned(kernel_size, kind):
    mask = ...
    return mask


def none_returned(kernel_size, kind):
    return None


@pytest.mark.parametrize(
    "stub",
    [
        pass_,
        documented,
        not_implemented,
        not_implemented_class,
        assigned,
        ellipsis_returned,
        none_returned,
        lambda kernel_size, kind: ...,
        torch.no_grad()(pass_),
        functools.wraps(pass_)(lambda *a: pass_(*a)),
    ],
)
def test_stubs_of_all_kinds(stub):
    assert mask.grade(stub).status == "not attempted"


def no_return(kernel_size, kind):
    mask = torch.zeros(kernel_size, kernel_size)
    mask[: kernel_size // 2] = 1


def one_only(kernel_size, kind):
    return 1


def yields(kernel_size, kind):
    yield torch.zeros(kernel_size, kernel_size)


async def awaited(kernel_size, kind):
    return torch.zeros(kernel_size, kernel_size)


@pytest.mark.parametrize(
    ("answer", "diagnosis", "word"),
    [
        (no_return, "returned nothing", "`return` missing"),
        (one_only, "wrong shape", "() where (3, 3)"),
        (lambda kernel_size, kind: torch.zeros(1, 1, kernel_size, kernel_size), "wrong shape", "(1, 1, 3, 3)"),
        (lambda kernel_size, kind: torch.full((kernel_size, kernel_size), math.nan), "something else than 0 and 1", ""),
        (lambda kernel_size, kind: torch.zeros(1).expand(10**11), "far too large", "(100000000000,)"),
        (yields, "wrong type", "yield"),
        (awaited, "wrong type", "coroutine"),
        (lambda kernel_size, kind: "0 1 1", "wrong type", "'0 1 1'"),
        (lambda kernel_size, kind: {"mask": 1}, "wrong type", "a dict"),
        (lambda kernel_size, kind: [[1, 0], [1]], "wrong type", "numbers are due"),
        (lambda kernel_size, kind: torch.zeros(3, 3, dtype=torch.complex64), "wrong type", "tensor"),
        (lambda kernel_size, kind: torch.zeros(2, dtype=torch.complex64), "wrong type", "a tensor of shape (2,)"),
        (lambda kernel_size, kind: np.zeros(2, dtype=complex), "wrong type", "an array of shape (2,)"),
        (lambda kernel_size, kind: torch.zeros(3, 3, device="meta"), "wrong type", "tensor"),
        (lambda kernel_size: 0, "wrong parameters", "causal_mask(kernel_size, kind)"),
        (lambda kernel_size, kind, more: 0, "wrong parameters", "more"),
        (lambda *, kernel_size, kind: 0, "wrong parameters", "*"),
        (torch.zeros(3, 3), "not a function", "without calling it"),
        (None, "not a function", "without calling it"),
        (mask, "not a function", "without calling it"),
    ],
)
def test_unusable_answers(answer, diagnosis, word):
    verdict = mask.grade(answer)
    assert (verdict.status, verdict.diagnosis) == ("not yet", diagnosis) and word in verdict.message, verdict
    assert mask.check(answer) is mask.reference


def test_callables_of_all_kinds():
    class Mask:
        def __call__(self, kernel_size, kind):
            return mask.reference(kernel_size, kind)

    for answer in (
        Mask(),
        Mask().__call__,
        functools.partial(mask.reference),
        lambda *args: mask.reference(*args),
        functools.lru_cache(mask.reference),
        torch.no_grad()(mask.reference),
    ):
        assert mask.check(answer) is answer


def test_not_a_number_and_infinity():
    skew = EXERCISES["skew"]
    assert skew.grade(lambda x: skew.reference(x) / skew.reference(x)).diagnosis == "not a number"
    assert skew.grade(lambda x: skew.reference(x) + math.inf).diagnosis == "infinite"


def test_in_general():
    bits = EXERCISES["bits_per_dimension"]
    reference = bits.reference
    assert "3 times" in bits.grade(lambda nats, n: 3 * reference(nats, n)).message
    assert bits.grade(lambda nats, n: reference(nats, n) + 1).diagnosis == "off by a constant"
    skew = EXERCISES["skew"]
    shuffled = skew.grade(lambda x: skew.reference(x).flip(0, 1, 2, 3))
    assert shuffled.diagnosis == "right numbers in wrong places"
    verdict = skew.grade(
        lambda x: skew.reference(x).index_fill(2, torch.tensor([1]), 7.0) if x.shape[2] > 1 else skew.reference(x)
    )
    assert verdict.diagnosis == "differs" and "the first at [0, 0, 1, 0]" in verdict.message


def test_another_answer_the_second_time():
    calls = []

    def forgetful(kernel_size, kind):
        calls.append(1)
        return mask.reference(kernel_size, kind) * (len(calls) <= len(mask.cases))

    assert mask.grade(forgetful).diagnosis == "another answer the second time"


def test_one_buffer_for_all_answers_is_fine():
    buffer = torch.zeros(25, 25)

    def reused(kernel_size, kind):
        buffer[:kernel_size, :kernel_size] = mask.reference(kernel_size, kind)
        return buffer[:kernel_size, :kernel_size]

    assert mask.grade(reused).passed


def test_an_error_is_shown_short_and_with_the_reader_s_line():
    def broken(kernel_size, kind):
        mask = torch.zeros(kernel_size, kernel_size)
        if kernel_size == 5:
            mask = mask @ torch.zeros(3, 1)  # the line
        return mask

    verdict = mask.grade(broken)
    assert (verdict.status, verdict.diagnosis) == ("raised an error", "RuntimeError")
    assert "mask = mask @ torch.zeros(3, 1)" in verdict.message and "`kernel_size = 5`" in verdict.message
    assert f"line {broken.__code__.co_firstlineno + 3}" in verdict.message
    assert "Traceback" not in verdict.message and len(verdict.message) < 400
    assert mask.check(broken) is mask.reference


def recursive(kernel_size, kind):
    return recursive(kernel_size, kind)


@pytest.mark.parametrize(
    ("answer", "diagnosis", "word"),
    [
        (recursive, "RecursionError", "without end"),
        (lambda kernel_size, kind: torch.zeros(10**15), "RuntimeError", "more memory"),
        (lambda kernel_size, kind: undefined_name, "NameError", "undefined_name"),  # noqa: F821
        (lambda kernel_size, kind: exit(), "SystemExit", ""),
        (lambda kernel_size, kind: next(iter(())), "StopIteration", ""),
    ],
)
def test_errors_of_all_kinds(answer, diagnosis, word):
    verdict = mask.grade(answer)
    assert (verdict.status, verdict.diagnosis) == ("raised an error", diagnosis) and word in verdict.message


# Checks end


def endless(kernel_size, kind):
    while True:
        pass


def stubborn(kernel_size, kind):
    while True:
        try:
            kernel_size += 1
        except Exception:
            pass


def very_stubborn(kernel_size, kind):
    while True:
        try:
            kernel_size += 1
        except:  # noqa: E722
            pass


def sleeping(kernel_size, kind):
    time.sleep(15)


def waiting(kernel_size, kind):
    threading.Event().wait(15)


def printing(kernel_size, kind):
    while True:
        print("again and again")


def test_what_the_reference_imports_is_not_the_readers_time():
    made = []

    def slow(x: float) -> float:
        """Twice x."""
        if not made:
            time.sleep(0.5)  # as torch's first optimizer does
        made.append(x)
        return 2 * x

    def mine(x):
        if not made:
            time.sleep(0.5)
        return x + x

    assert Exercise(slow, minutes=1, difficulty="easy", cases=[Case(1.0)]).grade(mine, 0.3).passed


def endless_once_in_a_while(kernel_size, kind):
    while kernel_size == 7:
        pass
    return mask.reference(kernel_size, kind)


@pytest.mark.parametrize(
    "answer", [endless, stubborn, very_stubborn, sleeping, waiting, printing, endless_once_in_a_while]
)
def test_what_does_not_end_is_stopped(answer, capsys):
    before, begin = threading.active_count(), time.monotonic()
    verdict = mask.grade(answer, seconds=0.3)
    assert time.monotonic() - begin < 3
    assert (verdict.status, verdict.diagnosis) == ("not yet", "does not end")
    assert "Stopped after 0.3 s: does your loop end?" in verdict.message
    assert len(verdict.printed) < 1100
    if answer not in (sleeping, waiting):  # those end when they wake up
        assert threading.active_count() == before
    assert mask.grade(mask.reference).passed
    assert capsys.readouterr().out == ""


def test_ten_seconds_are_the_default():
    assert mask.grade.__defaults__ == (None,) == mask.check.__defaults__ and mask.seconds == 10.0  # its own


def test_the_reader_can_interrupt():
    import _thread

    threading.Timer(0.3, _thread.interrupt_main).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        mask.grade(endless, seconds=20)
    assert time.monotonic() - begin < 5


def test_checks_run_in_any_thread():
    verdicts = []
    thread = threading.Thread(
        target=lambda: verdicts.extend([mask.grade(mask.reference), mask.grade(endless, seconds=0.2)])
    )
    thread.start()
    thread.join(20)
    assert [verdict.status for verdict in verdicts] == ["passed", "not yet"]


# Checks leave no trace


def disturbing(kernel_size, kind):
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    torch.rand(3)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.set_num_threads(torch.get_num_threads() + 1)
    warnings.simplefilter("error")
    return mask.reference(kernel_size, kind)


def disturbing_for_ever(kernel_size, kind):
    disturbing(kernel_size, kind)
    while True:
        pass


def everything():
    numpy_state = np.random.get_state()
    new_thread = []
    thread = threading.Thread(target=lambda: new_thread.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return (
        torch.get_rng_state().tolist(),
        torch.initial_seed(),
        numpy_state[1].tolist(),
        numpy_state[2:],
        random.getstate(),
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        new_thread,
        list(warnings.filters),
        torch.zeros(1).device,
    )


@pytest.mark.parametrize("answer", [mask.reference, disturbing, disturbing_for_ever, no_return, recursive])
def test_global_state_is_untouched(answer):
    torch.manual_seed(123)
    torch.rand(5), np.random.rand(5), random.random()
    before = everything()
    mask.grade(answer, seconds=1)
    assert everything() == before


@every
def test_no_exercise_touches_the_random_state(exercise):
    before = everything()
    exercise.grade(exercise.reference)
    for mistake in exercise.mistakes[:1]:
        exercise.grade(exercise.function_of(mistake))
    assert everything() == before


@every
def test_the_reader_s_own_settings_do_not_matter(exercise):
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            assert exercise.grade(exercise.reference).passed
            for mistake in exercise.mistakes[:1]:
                assert exercise.grade(exercise.function_of(mistake)).diagnosis == mistake.name
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def test_prints_are_shown_in_part(capsys):
    def talking(kernel_size, kind):
        print("x" * 400)
        return mask.reference(kernel_size, kind)

    assert mask.check(talking) is talking
    out = capsys.readouterr().out
    assert "Your function printed:" in out and "characters more" in out and len(out) < 1300


# What readers see


def test_hints_run_out_kindly(capsys):
    exercise = Exercise(mask.reference, minutes=1, difficulty="easy", hints=("one", "two", "three"), cases=mask.cases)
    for word in ("hint 1 of 3", "hint 2 of 3", "hint 3 of 3", "the last of 3 hints", "the last of 3 hints"):
        assert exercise.hint() is None
        assert word in capsys.readouterr().out


def test_solution_shows_the_source(capsys):
    mask.solution()
    assert mask.solution_source in capsys.readouterr().out


def test_check_says_what_the_notebook_goes_on_with(capsys):
    mask.check(no_return)
    out = capsys.readouterr().out
    assert "not yet" in out and "goes on with the reference" in out and "exercises.causal_mask.hint()" in out
    mask.check(RIGHT["causal_mask"][0])
    out = capsys.readouterr().out
    assert "passed" in out and "reference" not in out
    mask.check(mask.reference)  # a cell that checks, run again without the cell that defines
    assert "This is the reference itself" in capsys.readouterr().out


def test_boxes_are_escaped():
    verdict = mask.grade(lambda kernel_size, kind: "<script>")
    assert "<script>" not in verdict._repr_html_() and "&lt;script&gt;" in verdict._repr_html_()
    assert "<script>" in repr(verdict)


def test_a_mistake_is_one_change_that_exists():
    table = dict(minutes=1, difficulty="easy", cases=mask.cases)
    with pytest.raises(ValueError, match="'no such text' occurs 0 times"):
        Exercise(mask.reference, **table, mistakes=[Mistake("none", "no such text", "", "")])
    with pytest.raises(ValueError, match="the symptom 'none' has no message"):
        Exercise(mask.reference, **table, symptoms=[Symptom("none", lambda results: True)])


# Whole models, of which many are right: laws in place of a comparison


def doubling(x):
    """Some function that keeps the laws below."""
    return 2 * x


def laws(**more):
    def law(label, x, holds, **others):
        return Case(x, label=label, holds=holds, broken=lambda y: f"The {label} is {float(y):g}.", **others)

    cases = [
        law("sign", 1.0, lambda y: y > 0),
        law("size", 3.0, lambda y: y > 4),
        law("end", 9.0, lambda y: y < 100, if_right=True),
    ]
    return Exercise(doubling, minutes=1, difficulty="easy", cases=cases, **more)


def test_every_answer_that_keeps_the_laws_is_right():
    exercise = laws()
    for answer in (doubling, lambda x: x + 5, lambda x: x**2):
        assert exercise.grade(answer) == Verdict("doubling", "passed", "passed", "All 3 laws hold.")


def test_the_first_law_that_breaks_is_told_and_what_is_said_of_it_has_its_number():
    assert laws().grade(lambda x: x) == Verdict("doubling", "not yet", "size", "The size is 3.")
    assert laws().grade(lambda x: -x).diagnosis == "sign"
    assert laws().grade(lambda x: 20 * x).message == "The end is 180."


def test_a_symptom_comes_before_the_law():
    both = Symptom("both", lambda results: not any(r.right for r in results[:2]), "Turned over?")
    exercise = laws(symptoms=[both])
    assert exercise.grade(lambda x: -x).message == "Turned over? (Checked in: sign.)"
    assert exercise.grade(lambda x: x).diagnosis == "size"


def test_what_takes_long_is_not_tried_where_something_before_it_is_wrong():
    seen = []

    def answer(x):
        seen.append(x)
        return x

    assert laws().grade(answer).diagnosis == "size" and seen == [1.0, 3.0, 1.0]
    error = laws().grade(lambda x: 1 / 0)
    assert error.status == "raised an error" and error.diagnosis == "ZeroDivisionError"


def test_not_tried_is_not_passed():
    """Not even where answers of another process say that nothing was tried."""
    for values in ([NOT_TRIED] * 4, [torch.tensor(2.0), torch.tensor(6.0), NOT_TRIED, torch.tensor(2.0)]):
        answers = Answers.from_json(Answers(tuple(values)).to_json())
        assert not laws().judge(answers).passed


def test_an_answer_of_another_shape_breaks_a_law():
    assert laws().grade(lambda x: torch.tensor([2 * x])).diagnosis == "wrong shape"


def test_a_law_is_whole():
    with pytest.raises(ValueError, match="a law has all of"):
        Case(1.0, holds=lambda y: True)
    with pytest.raises(ValueError, match="a law has all of"):
        Case(1.0, holds=lambda y: True, broken=str)


def test_the_exercise_says_how_long_an_answer_may_take():
    def endless(x):
        while True:
            pass

    assert "Stopped after 0.2 s" in laws(seconds=0.2).grade(endless).message
    assert "Stopped after 0.1 s" in laws(seconds=0.2).grade(endless, 0.1).message


def test_the_methods_of_what_was_built():
    class Model:
        def logits(self, x):
            return x

    assert method(Model(), "logits")(3) == 3
    for thing, words in ((Model(), "no method `sample`"), (None, "returned nothing"), (3, "no method `sample`")):
        with pytest.raises(Unusable) as unusable:
            method(thing, "sample")
        assert words in unusable.value.problem.message
