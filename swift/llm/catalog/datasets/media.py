"""Images, videos and sound beside text: rows whose media stand in columns or behind addresses."""

from swift.llm.catalog.rows import DatasetRow

DATASETS = (
    DatasetRow(
        name="m3it", ms="AI-ModelScope/M3IT",
        columns={"instruction": "system", "inputs": "query", "image_base64_str": "images", "outputs": "response"},
        subsets=(
            "coco", "vqa-v2", "shapes", "shapes-rephrased", "coco-goi-rephrased", "snli-ve", "snli-ve-rephrased", "okvqa",
            "a-okvqa", "viquae", "textcap", "docvqa", "science-qa", "imagenet", "imagenet-open-ended", "imagenet-rephrased",
            "coco-goi", "clevr", "clevr-rephrased", "nlvr", "coco-itm", "coco-itm-rephrased", "vsr", "vsr-rephrased",
            "mocheg", "mocheg-rephrased", "coco-text", "fm-iqa", "activitynet-qa", "msrvtt", "ss", "coco-cn", "refcoco",
            "refcoco-rephrased", "multi30k", "image-paragraph-captioning", "visual-dialog", "visual-dialog-rephrased", "iqa",
            "vcr", "visual-mrc", "ivqa", "msrvtt-qa", "msvd-qa", "gqa", "text-vqa", "ocr-vqa", "st-vqa", "flickr8k-cn",
        ),
        tags=("chat", "multi-modal", "vision"), huge=True,
    ),
    DatasetRow(
        name="coco-en-2", ms="modelscope/coco_2014_caption", subsets=("coco_2014_caption",), split=("train", "validation"),
        columns={"image": "images", "caption": "response"}, tags=("chat", "multi-modal", "vision", "en"),
    ),
    DatasetRow(
        name="coco-en-2-mini", ms="modelscope/coco_2014_caption", subsets=("coco_2014_caption",), split=("validation",),
        columns={"image": "images", "caption": "response"}, tags=("chat", "multi-modal", "vision", "en"),
    ),
    DatasetRow(
        name="capcha-images", ms="AI-ModelScope/captcha-images", split=("train", "validation"),
        columns={"image": "images", "solution": "response"}, tags=("chat", "multi-modal", "vision"),
    ),
    DatasetRow(
        name="gpt4v-dataset", ms="swift/gpt4v-dataset", hf="laion/gpt4v-dataset",
        columns={"caption": "response", "link": "images"}, tags=("en", "caption", "multi-modal"),
    ),
    DatasetRow(
        name="moondream2-coyo-5M", ms="swift/moondream2-coyo-5M-captions", hf="isidentical/moondream2-coyo-5M-captions",
        columns={"url": "images", "moondream2_caption": "response"}, tags=("caption", "multi-modal"), huge=True,
    ),
    DatasetRow(
        name="path-vqa", ms="swift/path-vqa", hf="flaviagiammarino/path-vqa",
        columns={"image": "images", "question": "query", "answer": "response"}, tags=("multi-modal", "vqa", "medical"),
    ),
    DatasetRow(
        name="vqa-v2", ms="swift/VQAv2", hf="HuggingFaceM4/VQAv2",
        columns={"question": "query", "multiple_choice_answer": "response", "image": "images"},
        tags=("multi-modal", "en", "vqa"),
    ),
    DatasetRow(
        name="lnqa", ms="swift/lnqa", hf="vikhyatk/lnqa", format="rounds", columns={"image": "images"},
        split=("train", "validation"), tags=("multi-modal", "en", "ocr-vqa"), huge=True,
    ),
    DatasetRow(
        name="midefics", ms="swift/MideficsDataset", hf="WinterSchool/MideficsDataset", format="rounds",
        columns={"image": "images"}, tags=("multi-modal", "medical", "en", "vqa"),
    ),
    DatasetRow(
        name="llava-instruct-mix", ms="swift/llava-instruct-mix-vsft", hf="HuggingFaceH4/llava-instruct-mix-vsft",
        split=("test",), conversations={"conversations_key": "messages", "media_type": "image", "media_key": "images"},
        tags=("multi-modal", "en", "vqa"),
    ),
    DatasetRow(
        name="llava-med-zh-instruct", ms="swift/llava-med-zh-instruct-60k", hf="BUAADreamer/llava-med-zh-instruct-60k",
        conversations={"conversations_key": "messages", "media_type": "image", "media_key": "images"},
        tags=("multi-modal", "zh", "medical", "vqa"),
    ),
    DatasetRow(
        name="cinepile", ms="swift/cinepile", hf="tomg-group-umd/cinepile",
        columns={"yt_clip_link": "videos", "question": "query", "answer_key": "response"},
        tags=("multi-modal", "vqa", "en", "video"), huge=True,
    ),
)  # fmt: skip
