"""The data sets that come with this package."""

from swift.llm.catalog.rows import DatasetRow

SELF_COGNITION = DatasetRow(
    name="self-cognition",
    path="data/self_cognition.jsonl",
    base="swift.demo",
    tags=("chat", "self-cognition", "zh", "en", "offline"),
    help="Who the model is and who made it; takes --model_name and --model_author. Comes with the package.",
    fill_names=True,
)

SMALL_INSTRUCT = DatasetRow(
    name="small-instruct",
    path="data/small_instruct.jsonl",
    base="swift.demo",
    tags=("chat", "en", "offline"),
    help="Short questions and tasks with short answers, in English. Comes with the package.",
)
