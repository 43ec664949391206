"""Training loggers: adapters that keep what a framework trains as an experiment.

| framework | adapter | extra |
|---|---|---|
| Lightning, `pytorch_lightning` | `localreg.loggers.lightning.LocalregLogger` | `lightning` |
| Keras 3 | `localreg.loggers.keras.LocalregCallback` | `keras` |
| Hugging Face Transformers | `localreg.loggers.transformers.LocalregCallback` | `transformers` |

Each takes an experiment, or a registry with the name of one. What cannot begin raises, before anything is trained; from
then on nothing that goes wrong here stops training: it is told in the log of Python (`localreg`), unless `strict=True`.
A framework is imported with its adapter; where it is not installed, making one says what to install.
"""
