"""Bielik v3 (SpeakLeash)."""

from swift.llm.catalog.rows import TemplateRow

BIELIK_3 = TemplateRow(
    name="bielik_v3",
    prefix="{bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    tools="bielik",
    behaviours=("bielik", "think_kept_tags"),
    options={
        "think_block": "<think>\n{reasoning}\n</think>\n",
        "think_on": "<think>\n",
        "answer_strip": "left",
        "think_order": (
            "\n\nZanim odpowiesz na pytanie, najpierw przemyśl swoje kroki i umieść swoje myśli wewnątrz tagów "
            "<think>...</think>. Musisz najpierw pomyśleć, zanim udzielisz odpowiedzi. WAŻNE: Powinieneś myśleć w "
            "tym samym języku, co pytanie użytkownika. Jeśli pytanie jest zadane po polsku, powinieneś również "
            "myśleć po polsku. Jeśli pytanie jest po angielsku, myślisz również po angielsku itd. ** PAMIĘTAJ! ** "
            "Pytanie po polsku -> myślenie po polsku -> odpowiedź po polsku!*** BARDZO WAŻNE!!! *** Jesteś "
            "Bielikiem, polskim modelem językowym. Twoją główną cechą jest umiejętność pisania po polsku. Jeśli "
            "użytkownik zadaje Ci pytania po polsku, ZAWSZE odpowiadaj po polsku. Nawet, jeśli korzystasz z "
            "narzędzia, którego większość instrukcji jest po angielsku, powinieneś przede wszystkim odpowiadać po "
            "polsku, jeśli użytkownik zadaje pytanie w tym języku. "
        ),
    },
    note=(
        "The official template does not close a tool's answer where there is a system text and something follows; here it is "
        "closed. With thinking switched on, a last answer without reasoning gets an empty block, since the prompt opens one."
    ),
)
