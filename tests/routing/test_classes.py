import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import Role
from underspend.routing.beliefs import Asked
from underspend.routing.classes import classify, coarse

CASES = {
    "classification": "Classify the following review as positive or negative: I would buy it again.",
    "extraction": "Extract the names of all companies from the article below.",
    "formatting": "Rewrite the following paragraph in plain words.",
    "summarisation": "Summarize the report below in three sentences.",
    "translation": "Translate to French: the train is late.",
    "code-generation/request": "Write a Python function that merges two sorted lists.",
    "code-generation/signature": "Complete the method.\nclass Solution:\n    def twice(self, n): ",
    "code-generation/program": "Input\n"
    "The first line contains N.\nConstraints\n1 <= N\nSample Input 1\n3\nSample Output 1\n6",
    "code-reasoning": "def f(x):\n    return x[1:]\nWhat is the output of f('abc')?",
    "code-repair": "The build fails on main since yesterday with this error, and it should not, as far as I can tell:\n"
    "```\nTraceback (most recent call last):\n  File 'a.py', line 3\nKeyError: 'name'\n```\n"
    "It used to pass before the last merge of the branch, and nothing else was changed since then.",
    "code-explanation": "Explain this: ```for (;;) {}```",
    "maths/word-problem": "Ann has 3 apples and buys 4 more. How many apples does she have?",
    "maths/formal": "Find the remainder when 7^100 is divided by 13, and all prime factors of 91.",
    "maths/proof": "Prove that there are infinitely many primes.",
    "multiple-choice/words": "Which is a mammal?\nA. Trout\nB. Whale\nC. Hen\nAnswer:",
    "multiple-choice/figures": "What is 1234 + 4321?\nA) 5555\nB) 5554\nC) 5553",
    "reasoning": "A riddle: two doors, two guards, one of whom always lies. Which door?",
    "analysis": "Compare the trade-offs of buying and renting.",
    "writing": "Draft a short email to my landlord.",
    "short-question": "Who painted the ceiling of the Sistine Chapel?",
    "chat": "Hello there!",
    "other/short": "The cat.",
}


@pytest.mark.parametrize("task", CASES)
def test_each_kind_of_request_has_its_class(task):
    assert classify(Asked(text=CASES[task])) == task


@pytest.mark.parametrize(
    ("asked", "task"),
    [
        (Asked(text="go on", role=Role.COMPACTION), "compaction"),
        (Asked(text="Write a detailed summary of the conversation so far."), "compaction"),
        (Asked(text="look around", role=Role.SUBAGENT, agent_type="Explore"), "sub-agent/explore"),
        (
            Asked(text="look around", role=Role.SUBAGENT, agent_type="My Team: Code*Reviewer"),
            "sub-agent/my-team-code-reviewer",
        ),
        (Asked(text="look around", role=Role.SUBAGENT), "sub-agent/untyped"),
        (Asked(text="fix it", system="Write a short title for this conversation."), "title"),
        (Asked(text="ping", role=Role.SIDE), "background"),
        (Asked(text="The test fails, see why", role=Role.MAIN, tools=12), "agentic-coding/fix"),
        (Asked(text="Add a button", role=Role.MAIN, tools=12), "agentic-coding/build"),
        (Asked(text="Where is the parser?", role=Role.MAIN), "agentic-coding/explore"),
        (Asked(text="Rename the class", role=Role.MAIN), "agentic-coding/refactor"),
        (Asked(text="yes", role=Role.MAIN), "agentic-coding/other"),
        (Asked(text="What is the weather in Oslo?", tools=1), "function-calling/one-of-one"),
        (Asked(text="What is the weather in Oslo?", tools=4), "function-calling/one-of-many"),
        (
            Asked(text="Find a hotel in Oslo and another in Rome, and then book both", tools=4),
            "function-calling/several-of-many",
        ),
        (Asked(text="a receipt: bread", structured=True), "extraction"),
        (Asked(text="What is on it?", images=1), "document-question"),
        (Asked(text="How many 3 and 4 are on it?", images=1), "document-question"),
        (Asked(text="Tell me. " * 40), "long-question"),
        (Asked(text=""), "other/short"),
        (Asked(text="lorem ipsum dolor sit amet " * 60), "other/long"),
    ],
)
def test_structure_goes_before_words(asked, task):
    assert classify(asked) == task


@given(st.text(max_size=3_000), st.integers(0, 40), st.booleans(), st.sampled_from(Role), st.integers(0, 3))
def test_every_request_has_a_class_of_one_or_two_parts(text, tools, structured, role, images):
    task = classify(Asked(text=text, tools=tools, structured=structured, role=role, images=images))
    assert task
    assert task.count("/") <= 1
    assert coarse(coarse(task)) == coarse(task)


CHANGES = {
    "upper case": str.upper,
    "title case": str.title,
    "wide spaces": lambda text: text.replace(" ", "   "),
    "an empty line before": lambda text: f"\n\n  {text}",
    "trailing space": lambda text: f"{text} \n\t",
    "lines for spaces": lambda text: text.replace(" ", "\n"),
}


@pytest.mark.parametrize(("change", "task"), list(itertools.product(CHANGES, CASES)))
def test_case_and_layout_change_no_class(change, task):
    assert classify(Asked(text=CHANGES[change](CASES[task]))) == task


POLITE = ("Please: {}", "{} Thanks in advance.", "I have a request. {}")


@pytest.mark.parametrize("phrase", POLITE)
def test_politeness_changes_hardly_any_class(phrase):
    kept = [task for task, text in CASES.items() if classify(Asked(text=phrase.format(text))) == task]
    assert len(kept) >= len(CASES) - 4
