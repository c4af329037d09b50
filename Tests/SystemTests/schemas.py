"""OpenAI's published schemas of what `/v1` sends, as tables, and a check against them.

A table names each member that the schema requires, and those that it allows and that we know; `?` marks the second. Members that
it does not know are vendors' own and may be there.
"""

STRING = str
INTEGER = int
NUMBER = (int, float)
BOOLEAN = bool


class Nullable:
    def __init__(self, schema):
        self.schema = schema


class OneOf:
    def __init__(self, *values):
        self.values = values


TOOL_CALL = {"id": STRING, "type": OneOf("function"), "function": {"name": STRING, "arguments": STRING}}
TOOL_CALL_DELTA = {
    "index": INTEGER,
    "id?": STRING,
    "type?": OneOf("function"),
    "function?": {"name?": STRING, "arguments?": STRING},
}
TOKEN_LOGPROB = {
    "token": STRING,
    "logprob": NUMBER,
    "bytes": Nullable([INTEGER]),
    "top_logprobs": [{"token": STRING, "logprob": NUMBER, "bytes": Nullable([INTEGER])}],
}
LOGPROBS = {"content": Nullable([TOKEN_LOGPROB]), "refusal?": Nullable([TOKEN_LOGPROB])}
FINISH = OneOf("stop", "length", "tool_calls", "content_filter", "function_call")
USAGE = {
    "prompt_tokens": INTEGER,
    "completion_tokens": INTEGER,
    "total_tokens": INTEGER,
    "prompt_tokens_details?": Nullable({"cached_tokens?": INTEGER, "audio_tokens?": INTEGER}),
    "completion_tokens_details?": Nullable({"reasoning_tokens?": INTEGER, "audio_tokens?": INTEGER}),
}

CHAT_COMPLETION = {
    "id": STRING,
    "object": OneOf("chat.completion"),
    "created": INTEGER,
    "model": STRING,
    "choices": [
        {
            "index": INTEGER,
            "finish_reason": FINISH,
            "logprobs": Nullable(LOGPROBS),
            "message": {
                "role": OneOf("assistant"),
                "content": Nullable(STRING),
                "refusal": Nullable(STRING),
                "tool_calls?": [TOOL_CALL],
            },
        }
    ],
    "usage?": USAGE,
    "system_fingerprint?": Nullable(STRING),
}

CHAT_CHUNK = {
    "id": STRING,
    "object": OneOf("chat.completion.chunk"),
    "created": INTEGER,
    "model": STRING,
    "choices": [
        {
            "index": INTEGER,
            "finish_reason": Nullable(FINISH),
            "logprobs?": Nullable(LOGPROBS),
            "delta": {
                "role?": OneOf("assistant"),
                "content?": Nullable(STRING),
                "refusal?": Nullable(STRING),
                "tool_calls?": [TOOL_CALL_DELTA],
            },
        }
    ],
    "usage?": Nullable(USAGE),
}

COMPLETION = {
    "id": STRING,
    "object": OneOf("text_completion"),
    "created": INTEGER,
    "model": STRING,
    "choices": [
        {
            "index": INTEGER,
            "text": STRING,
            "logprobs": Nullable({"tokens?": [STRING], "token_logprobs?": [Nullable(NUMBER)]}),
            # Null in the events of a stream that go before the last.
            "finish_reason": Nullable(OneOf("stop", "length", "content_filter")),
        }
    ],
    "usage?": Nullable(USAGE),
}

EMBEDDINGS = {
    "object": OneOf("list"),
    "model": STRING,
    "data": [{"object": OneOf("embedding"), "index": INTEGER, "embedding": [NUMBER]}],
    "usage": {"prompt_tokens": INTEGER, "total_tokens": INTEGER},
}

MODEL = {"id": STRING, "object": OneOf("model"), "created": INTEGER, "owned_by": STRING}
MODELS = {"object": OneOf("list"), "data": [MODEL]}

ERROR = {"error": {"message": STRING, "type": STRING, "param": Nullable(STRING), "code": Nullable(STRING)}}


def check(value, schema, path: str = "$") -> None:
    """Fails with the path of the first thing that does not fit."""
    if isinstance(schema, Nullable):
        if value is not None:
            check(value, schema.schema, path)
    elif isinstance(schema, OneOf):
        assert value in schema.values, f"{path}: {value!r} is none of {schema.values}"
    elif isinstance(schema, list):
        assert isinstance(value, list), f"{path}: {value!r} is no list"
        for index, element in enumerate(value):
            check(element, schema[0], f"{path}[{index}]")
    elif isinstance(schema, dict):
        assert isinstance(value, dict), f"{path}: {value!r} is no object"
        for name, member in schema.items():
            if name.removesuffix("?") in value:
                check(value[name.removesuffix("?")], member, f"{path}.{name.removesuffix('?')}")
            else:
                assert name.endswith("?"), f"{path}: “{name}” is missing"
    else:
        assert isinstance(value, schema) and (schema is BOOLEAN or not isinstance(value, bool)), f"{path}: {value!r}"
