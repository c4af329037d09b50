"""Two widely used clients beside the official one: `litellm` and `langchain-openai`."""

import os

import pytest

# No prices from the network, and nothing told to anybody.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["LANGSMITH_TRACING"] = "false"

import litellm  # noqa: E402
from langchain_core.messages import HumanMessage  # noqa: E402
from langchain_openai import ChatOpenAI, OpenAIEmbeddings  # noqa: E402

from chats import CANARY  # noqa: E402

litellm.telemetry = False

SITE = {"models": ("dummy", "tools", "error-400", {"name": "org/dummy", "remote": "dummy"})}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def ask_litellm(site, key, model="dummy", **options):
    return litellm.completion(
        model=f"openai/{model}",
        messages=[{"role": "user", "content": f"Say {CANARY}"}],
        api_base=f"{site.url}/v1",
        api_key=key,
        num_retries=0,
        max_retries=0,
        **options,
    )


def test_litellm(site, key):
    answer = ask_litellm(site, key, "org/dummy")
    assert CANARY in answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0


def test_litellm_streams(site, key):
    events = list(ask_litellm(site, key, stream=True, stream_options={"include_usage": True}))
    assert CANARY in "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert events[-1].usage.completion_tokens > 0


def test_litellm_calls_tools(site, key):
    answer = ask_litellm(site, key, "tools", tools=[TOOL])
    assert answer.choices[0].message.tool_calls[0].function.name == "look_up"


def test_litellm_embeds(site, key):
    vectors = litellm.embedding(model="openai/dummy", input=["a", "b"], api_base=f"{site.url}/v1", api_key=key)
    assert len(vectors.data) == 2


@pytest.mark.parametrize(
    ("model", "wrong_key", "error"),
    [
        ("dummy", True, litellm.AuthenticationError),
        ("none", False, litellm.NotFoundError),
        ("error-400", False, litellm.BadRequestError),
    ],
)
def test_litellm_tells_errors_apart(site, key, model, wrong_key, error):
    with pytest.raises(error):
        ask_litellm(site, "sk-lumen-" + "x" * 43 if wrong_key else key, model)


def langchain(site, key, model="dummy", **options):
    return ChatOpenAI(model=model, base_url=f"{site.url}/v1", api_key=key, max_retries=0, **options)


def test_langchain(site, key):
    answer = langchain(site, key).invoke([HumanMessage(f"Say {CANARY}")])
    assert CANARY in answer.content
    assert answer.usage_metadata["output_tokens"] > 0


def test_langchain_streams(site, key):
    chunks = list(langchain(site, key, stream_usage=True).stream(f"Say {CANARY}"))
    assert CANARY in "".join(chunk.content for chunk in chunks)
    assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks if chunk.usage_metadata) > 0


def test_langchain_calls_tools(site, key):
    answer = langchain(site, key, "tools").bind_tools([TOOL]).invoke("Look it up")
    assert answer.tool_calls[0]["name"] == "look_up"
    streamed = None
    for chunk in langchain(site, key, "tools").bind_tools([TOOL]).stream("Look it up"):
        streamed = chunk if streamed is None else streamed + chunk
    assert streamed.tool_calls[0]["name"] == "look_up"


@pytest.mark.parametrize("texts", [["one", "two"]])
def test_langchain_embeds(site, key, texts):
    # Of texts, not of tokens, for which it would fetch a tokenizer's tables.
    embeddings = OpenAIEmbeddings(
        model="dummy", base_url=f"{site.url}/v1", api_key=key, check_embedding_ctx_length=False, max_retries=0
    )
    assert len(embeddings.embed_documents(texts)) == len(texts)
