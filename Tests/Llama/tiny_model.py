"""Writes a language model that knows 500 words and no language: enough for a server to load, and to speak with.

usage: tiny_model.py FILE.gguf     (needs numpy and gguf)
"""

import sys

import gguf
import numpy

EMBEDDING = 64
FEED_FORWARD = 128
HEADS = 4
CONTEXT = 512
SEED = 7
WORDS = """the of and to in is that it for on as with was are by this be at or from an but not which have they you one all can
had her we there been if more when will would who so no out up into do time than some could them only other new these two may
then first any my now such like our over man me even most made after also did many before must through back years where much
your way well down should because each just state people those how too little good world very make year still see own work men
day get here between both life being under never same another know while last might us great old off come since against go came
right used take three sum number integer energy mass light wave field force""".split()
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)


def vocabulary() -> tuple[list[str], list[float], list[int]]:
    """Tokens of a SentencePiece tokenizer, their scores and their types."""
    kinds = gguf.TokenType
    rows = [("<unk>", 0.0, kinds.UNKNOWN), ("<s>", 0.0, kinds.CONTROL), ("</s>", 0.0, kinds.CONTROL)]
    # Whatever is no word is spelt byte by byte.
    rows += [(f"<0x{byte:02X}>", 0.0, kinds.BYTE) for byte in range(256)]
    pieces = ["▁"] + [chr(code) for code in range(33, 127)]
    for word in WORDS:
        # The tokenizer joins two tokens to one that it has: a word is reached letter by letter.
        pieces += ["▁" + word[:length] for length in range(1, len(word) + 1)]
    unique = list(dict.fromkeys(pieces))
    rows += [(piece, -float(rank), kinds.NORMAL) for rank, piece in enumerate(unique)]
    names, scores, types = zip(*rows)
    return list(names), list(scores), [int(kind) for kind in types]


def write(path: str) -> None:
    random = numpy.random.default_rng(SEED)
    names, scores, types = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(1)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(names))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(names)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)

    def tensor(name: str, *shape: int) -> numpy.ndarray:
        return random.normal(0, 0.3, shape).astype(numpy.float32)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, tensor(name, *shape))

    add("token_embd.weight", len(names), EMBEDDING)
    for part in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{part}.weight", numpy.ones(EMBEDDING, dtype=numpy.float32))
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        add(f"blk.0.{part}.weight", EMBEDDING, EMBEDDING)
    add("blk.0.ffn_gate.weight", FEED_FORWARD, EMBEDDING)
    add("blk.0.ffn_up.weight", FEED_FORWARD, EMBEDDING)
    add("blk.0.ffn_down.weight", EMBEDDING, FEED_FORWARD)
    writer.add_tensor("output_norm.weight", numpy.ones(EMBEDDING, dtype=numpy.float32))
    # Only words are said: all else has no weight, and of hundreds of words one is always more likely than that.
    says = numpy.array([[name.startswith("▁") and len(name) > 2] for name in names], dtype=numpy.float32)
    writer.add_tensor("output.weight", tensor("output.weight", len(names), EMBEDDING) * says)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1])
