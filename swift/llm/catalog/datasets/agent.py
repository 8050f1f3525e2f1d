"""Tools and agents."""

from swift.llm.catalog.rows import DatasetRow

DATASETS = (
    DatasetRow(name="ms-agent", ms="iic/ms_agent", tags=("chat", "agent", "multi-round")),
    DatasetRow(name="msagent-pro", ms="iic/MSAgent-Pro", tags=("chat", "agent", "multi-round")),
    DatasetRow(
        name="ms-agent-for-agentfabric", ms="AI-ModelScope/ms_agent_for_agentfabric", subsets=("default", "addition"),
        tags=("chat", "agent", "multi-round"),
    ),
    DatasetRow(
        name="ms-agent-multirole", ms="iic/MSAgent-MultiRole", format="chat-room",
        tags=("chat", "agent", "multi-round", "role-play", "multi-agent"),
    ),
    DatasetRow(
        name="damo-agent-zh", ms="damo/MSAgent-Bench", split=("train", "validation"), tags=("chat", "agent", "multi-round", "zh")
    ),
    DatasetRow(
        name="agent-instruct-all-en", ms="huangjintao/AgentInstruct_copy", format="loose-turns",
        subsets=("alfworld", "db", "kg", "mind2web", "os", "webshop"), tags=("chat", "agent", "multi-round", "en"),
    ),
    DatasetRow(
        name="toolbench-for-alpha-umi", ms="shenweizhou/alpha-umi-toolbench-processed-v2",
        subsets=("backbone", "caller", "planner", "summarizer"),
        conversations={"user_role": "system", "roles": {"output": ["caller", "conclusion", "planner"]}},
        tags=("chat", "agent"), huge=True, help="Use with --use_loss_scale and --loss_scale_config_path alpha-umi.",
    ),
    DatasetRow(name="toolbench", ms="swift/ToolBench", tags=("chat", "agent", "multi-round")),
)  # fmt: skip
