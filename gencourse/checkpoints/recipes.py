"""How each stored model is made: `gencourse train NAME` follows the recipe of that name.

model(**build) is trained by fit(**fit), a GAN by fit_gan, on its task, one of `tasks.TASKS`, from the weights of the
checkpoint `start` if one is named. `warm_up`: steps in which the KL of a VAE comes to count, see `models.vae.WarmUp`.
`measurements`: of the validation set, 20 if nothing is said.
"""

from gencourse.models import VAE, Classifier, PixelCNN, PixelRNN, WaveNet, image_gan

DIGITS = (1, 28, 28)
MNIST_VAE = dict(event_shape=DIGITS, latent=50, likelihood="bernoulli", hidden=(300, 300))
MNIST_GATED = dict(event_shape=DIGITS, latent=50, hidden=(256, 256), gated=True)


RECIPES = {
    "pixelcnn": dict(
        model=PixelCNN, task="binary_digits",
        build=dict(event_shape=DIGITS, levels=2, stacks="single", n_blocks=15, channels=32),
        fit=dict(steps=12_000, batch_size=64, lr=4e-3, average=0.9995),
    ),
    "wavenet": dict(  # a class for each word of data.vocabulary(), and the last says nothing about the word
        model=WaveNet, task="words_and_sentences",
        build=dict(event_shape=(8000,), levels=256, dilations=2 * [2**i for i in range(10)], channels=40,
                   skip_channels=96, kernel_size=3, n_classes=180),
        measurements=10, fit=dict(steps=3200, batch_size=8, lr=4e-3, muon=0.02, average=0.999),
    ),
    "vae": dict(
        model=VAE, task="binary_digits", build=MNIST_VAE,
        fit=dict(steps=250_000, batch_size=100, lr=3e-3, average=0.9995, precision="float32"),
    ),
    "iwae": dict(
        model=VAE, task="binary_digits", build=dict(MNIST_VAE, n_samples=50), start="vae",
        fit=dict(steps=60_000, batch_size=20, lr=5e-4, average=0.9995, precision="float32"),
    ),
    "plane": dict(  # three layers of 112: a small file, because pages load the decoder
        model=VAE, task="binary_digits", build=dict(event_shape=DIGITS, latent=2, hidden=(112, 112, 112)),
        fit=dict(steps=8000, batch_size=200, lr=4e-3, average=0.999, precision="float32"),
    ),
    "gan": dict(
        model=image_gan, task="digits_to_imitate", build=dict(event_shape=DIGITS, latent=64, channels=32),
        fit=dict(steps=40_000, batch_size=32, lr=4e-3, betas=(0.0, 0.99), anneal="cosine", average=0.999),
    ),
    "classifier": dict(
        model=Classifier, task="digits_to_recognise",
        build=dict(event_shape=DIGITS, n_classes=10, channels=16, n_features=96),
        fit=dict(steps=10_000, batch_size=128, lr=3e-3, average=0.999),
    ),
    # towards the published figures: from 39 minutes to three hours each, on one core (see the cards)
    "pixelcnn-large": dict(  # few blocks with wide kernels: nats ahead of many with narrow ones
        model=PixelCNN, task="binary_digits",
        build=dict(event_shape=DIGITS, levels=2, n_blocks=4, channels=64, kernel_size=11, place_bias=True),
        fit=dict(steps=24_000, batch_size=48, lr=4e-3, muon=0.02, average=0.9995),
    ),
    "pixelcnn-grey": dict(
        model=PixelCNN, task="grey_digits",
        build=dict(event_shape=DIGITS, levels=256, n_blocks=4, channels=112, kernel_size=7, place_bias=True,
                   fourier=7),
        measurements=5, fit=dict(steps=10_500, batch_size=48, lr=4e-3, muon=0.02, average=0.9995),
    ),
    "pixelrnn-row": dict(
        model=PixelRNN, task="binary_digits",
        build=dict(event_shape=DIGITS, kind="row", n_layers=2, hidden=32, first_kernel=13, kernel_size=7,
                   place_bias=True),
        fit=dict(steps=4_000, batch_size=64, lr=3e-3, muon=0.02, average=0.9995),
    ),
    "pixelrnn-diagonal": dict(
        model=PixelRNN, task="binary_digits",
        build=dict(event_shape=DIGITS, kind="diagonal", n_layers=2, hidden=32, first_kernel=13, place_bias=True),
        fit=dict(steps=12_000, batch_size=64, lr=3e-3, muon=0.02, average=0.9995),
    ),
    "vae-gated": dict(
        model=VAE, task="binary_digits", build=MNIST_GATED, warm_up=7_000,
        fit=dict(steps=36_000, batch_size=500, lr=1e-3, muon=0.02, average=0.9995, precision="float32"),
    ),
    "iwae-gated": dict(
        model=VAE, task="binary_digits", build=dict(MNIST_GATED, n_samples=50), start="vae-gated",
        fit=dict(steps=12_000, batch_size=50, lr=3e-4, muon=0.005, average=0.9995, precision="float32"),
    ),
}  # fmt: skip
