"""The Space of this metric: a form to try it."""

from pathlib import Path

import evaluate
from evaluate.utils import launch_gradio_widget


launch_gradio_widget(evaluate.load(str(Path(__file__).with_name("retrieval_accuracy.py"))))
