"""Texts to learn, without questions."""

from swift.llm.catalog.rows import DatasetRow

DATASETS = (
    DatasetRow(
        name="wikipedia-zh", ms="AI-ModelScope/wikipedia-cn-20230720-filtered", hf="pleisto/wikipedia-cn-20230720-filtered",
        columns={"completion": "response"}, tags=("text-generation", "general", "pretrain", "zh"),
    ),
    DatasetRow(
        name="wikipedia-cn-filtered", ms="AI-ModelScope/wikipedia-cn-20230720-filtered",
        hf="pleisto/wikipedia-cn-20230720-filtered", columns={"completion": "response"}, tags=("pretrain", "zh"), huge=True,
    ),
    DatasetRow(name="wikipedia", ms="swift/wikipedia", format="text", tags=("pretrain",), huge=True),
    DatasetRow(
        name="ruozhiba", ms="AI-ModelScope/ruozhiba", format="ruozhiba", subsets=("post-annual", "title-good", "title-norm"),
        tags=("pretrain", "zh"),
    ),
    DatasetRow(
        name="poetry-zh", ms="modelscope/chinese-poetry-collection", split=("test",), columns={"text1": "response"},
        tags=("text-generation", "poetry", "zh"),
    ),
    DatasetRow(
        name="pileval", ms="swift/pile-val-backup", hf="mit-han-lab/pile-val-backup", split=("validation",), format="text",
        tags=("text-generation", "awq"), help="What weights are calibrated on when they are quantised.",
    ),
    DatasetRow(name="pile", ms="AI-ModelScope/pile", hf="EleutherAI/pile", format="text", tags=("pretrain",), huge=True),
    DatasetRow(name="c4", hf="allenai/c4", subsets=("en",), format="text", tags=("pretrain", "en"), huge=True),
    DatasetRow(
        name="chinese-c4", ms="swift/chinese-c4", hf="shjwudp/chinese-c4", format="text", tags=("pretrain", "zh"), huge=True
    ),
    DatasetRow(
        name="dolma", ms="swift/dolma", hf="allenai/dolma", subsets=("v1_7",), format="text", tags=("pretrain",), huge=True
    ),
    DatasetRow(name="fineweb", hf="HuggingFaceFW/fineweb", format="text", tags=("pretrain", "en"), huge=True),
    DatasetRow(
        name="skypile", ms="AI-ModelScope/SkyPile-150B", hf="Skywork/SkyPile-150B", format="text", tags=("pretrain", "zh"),
        huge=True,
    ),
    DatasetRow(
        name="slim-pajama-627b", hf="cerebras/SlimPajama-627B", format="text", tags=("pretrain",), huge=True
    ),
    DatasetRow(
        name="redpajama-data-1t", ms="swift/RedPajama-Data-1T", hf="togethercomputer/RedPajama-Data-1T", format="text",
        tags=("pretrain",), huge=True,
    ),
    DatasetRow(
        name="redpajama-data-v2", ms="swift/RedPajama-Data-V2", hf="togethercomputer/RedPajama-Data-V2",
        columns={"raw_content": "text"}, format="text", tags=("pretrain",), huge=True,
    ),
    DatasetRow(
        name="refinedweb", hf="tiiuae/falcon-refinedweb", columns={"content": "text"}, format="text", tags=("pretrain", "en"),
        huge=True,
    ),
    DatasetRow(
        name="rwkv-pretrain-web", ms="mapjack/openwebtext_dataset", format="text", tags=("pretrain",), huge=True
    ),
    DatasetRow(
        name="cosmopedia", hf="HuggingFaceTB/cosmopedia",
        subsets=("auto_math_text", "khanacademy", "openstax", "stanford", "stories", "web_samples_v1", "web_samples_v2", "wikihow"),
        tags=("multi-domain", "en", "qa"), huge=True,
    ),
    DatasetRow(
        name="cosmopedia-100k", ms="swift/cosmopedia-100k", hf="HuggingFaceTB/cosmopedia-100k", tags=("multi-domain", "en", "qa")
    ),
    DatasetRow(
        name="the-stack", ms="AI-ModelScope/the-stack", hf="bigcode/the-stack", columns={"content": "text"}, format="text",
        tags=("pretrain", "coding"), huge=True,
    ),
    DatasetRow(
        name="starcoder", ms="AI-ModelScope/starcoderdata", hf="bigcode/starcoderdata", columns={"content": "text"},
        format="text", tags=("pretrain", "coding"), huge=True,
    ),
    DatasetRow(
        name="github-code", ms="swift/github-code", hf="codeparrot/github-code", columns={"code": "text"}, format="text",
        tags=("pretrain", "coding"), huge=True,
    ),
)  # fmt: skip
