"""Two sessions of four calls as transcripts, for the tests of `underspend whatif`."""

import json

NOW = 1_795_219_200_000_000


def entry(number, usage, *, day=20):
    time = f"2026-11-{day}T10:{number:02d}:00.000Z"
    fresh, written, read = usage
    said = {
        "id": f"msg_{day}_{number}",
        "model": "claude-opus-5-5",
        "role": "assistant",
        "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": f"t{day}{number}", "name": "Bash", "input": {"command": "ls"}}],
        "usage": {
            "input_tokens": fresh,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "output_tokens": 9,
        },
    }
    result = {"type": "tool_result", "tool_use_id": f"t{day}{number}", "content": "x"}
    both = {"sessionId": f"s-{day}", "version": "2.1.328", "cwd": "/p"}
    return [
        {"type": "assistant", "uuid": f"a{day}{number}", "timestamp": time, "message": said, **both},
        {
            "type": "user",
            "uuid": f"u{day}{number}",
            "timestamp": time.replace(":00.", ":02."),
            "message": {"role": "user", "content": [result]},
            **both,
        },
    ]


def write_sessions(folder):
    folder.mkdir(parents=True)
    usages = [(3, 9000, 0), (3, 500, 9000), (3, 400, 9500), (3, 10_000, 0)]
    for day in (19, 20):
        rows = [row for number, usage in enumerate(usages) for row in entry(number, usage, day=day)]
        (folder / f"s-{day}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
