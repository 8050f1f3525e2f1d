"""Bottleneck adapters: a small network behind the feed-forward part of each layer, before the residual sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers.activations import ACT2FN

from swift.tuners.adapter.config import AdapterSettings
from swift.tuners.adapter.module import Bottleneck
from swift.tuners.added import AddedModules
from swift.tuners.layers import FEED_FORWARD, find_layers, find_part, first_of, with_first
from swift.utils.errors import PlanError
from swift.utils.registry import nearest

__all__ = ["AdapterTuner"]


class AdapterTuner(AddedModules):
    """``h ← h + FFN'(h)`` where ``FFN'`` is the layer's feed-forward part followed by a `Bottleneck`; the rest is frozen."""

    kind = "ADAPTER"
    part = Bottleneck

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise PlanError for a width below 1 or an activation that transformers does not have."""
        act = AdapterSettings.read(options).act
        if act not in ACT2FN:
            near = nearest(act, ACT2FN) or sorted(ACT2FN)[:6]
            raise PlanError([f"--adapter_act {act}: transformers has no such activation. Near: {', '.join(near)}."])

    def add(self, model: Any, options: Mapping[str, Any]) -> None:
        """One adapter a layer, as a child ``bottleneck`` of the feed-forward part."""
        settings = AdapterSettings.read(options)
        width = model.config.get_text_config().hidden_size
        _, layers = find_layers(model)
        for layer in layers:
            _, feed_forward = find_part(layer, FEED_FORWARD, "feed-forward part")
            beside = next(feed_forward.parameters())
            feed_forward.add_module(
                "bottleneck", Bottleneck(width, settings.width, ACT2FN[settings.act]).to(beside.device)
            )
            feed_forward.register_forward_hook(_follow)


def _follow(feed_forward: Any, inputs: Any, output: Any) -> Any:
    return with_first(output, feed_forward.bottleneck(first_of(output)))
