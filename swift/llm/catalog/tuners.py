"""The tuning methods, one row each. Rows only."""

from __future__ import annotations

from swift.llm.catalog.rows import TunerRow

LORA = TunerRow(
    name="lora",
    title="LoRA: low-rank update of linear layers",
    tuner="swift.tuners.lora.tuner:LoraTuner",
    paper="https://arxiv.org/abs/2106.09685",
    help="Also DoRA (--use_dora), rsLoRA (--use_rslora), LoRA+ (--lora_lr_ratio), PiSSA and OLoRA (--init_lora_weights).",
)

FULL = TunerRow(
    name="full",
    title="Full tuning: the weights themselves, all or all but the frozen ones",
    tuner="swift.tuners.full.tuner:FullTuner",
    adapter=False,
    help="Freeze with --freeze_parameters, --freeze_parameters_ratio, --additional_trainable_parameters.",
)

LONGLORA = TunerRow(
    name="longlora",
    title="LongLoRA: LoRA with shifted sparse attention, for longer contexts",
    tuner=None,
    paper="https://arxiv.org/abs/2309.12307",
    status="planned",
)

ADALORA = TunerRow(
    name="adalora",
    title="AdaLoRA: ranks shared out by importance while training",
    tuner=None,
    paper="https://arxiv.org/abs/2303.10512",
    status="planned",
)

IA3 = TunerRow(
    name="ia3",
    title="IA3: learned scales on keys, values and the feed-forward part",
    tuner=None,
    paper="https://arxiv.org/abs/2205.05638",
    status="planned",
)

LLAMAPRO = TunerRow(
    name="llamapro",
    title="LLaMA Pro: new blocks between frozen ones",
    tuner=None,
    paper="https://arxiv.org/abs/2401.02415",
    merges=False,
    status="planned",
)

ADAPTER = TunerRow(
    name="adapter",
    title="Bottleneck adapters after the feed-forward part",
    tuner=None,
    paper="https://arxiv.org/abs/1902.00751",
    merges=False,
    status="planned",
)

VERA = TunerRow(
    name="vera",
    title="VeRA: shared random projections with learned scales",
    tuner=None,
    paper="https://arxiv.org/abs/2310.11454",
    status="planned",
)

BOFT = TunerRow(
    name="boft",
    title="BOFT: orthogonal update in butterfly form",
    tuner=None,
    paper="https://arxiv.org/abs/2311.06243",
    status="planned",
)

FOURIERFT = TunerRow(
    name="fourierft",
    title="FourierFT: learned frequencies of the update",
    tuner=None,
    paper="https://arxiv.org/abs/2405.03003",
    status="planned",
)

REFT = TunerRow(
    name="reft",
    title="ReFT: interventions on hidden states",
    tuner=None,
    paper="https://arxiv.org/abs/2404.03592",
    merges=False,
    status="planned",
)
